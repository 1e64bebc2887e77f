// Events, before and after they are stored.

import type { ActorAddress } from './address.js'
import { CairnError } from './errors.js'
import { show } from './show.js'
import type { Position, Version } from './version.js'

/** Free-form pairs of strings that are stored with an event. */
export type Metadata = Readonly<Record<string, string>>

/** An event before it is stored. */
export interface NewEvent<Type extends string = string, Data = unknown> {
  /** What happened, in the past tense: `deposited`. 1 to 256 bytes, no control characters. */
  readonly type: Type
  /** Plain data: JSON values, and also `undefined`, `Date`, `Uint8Array`, `Buffer` and 64-bit `bigint`. */
  readonly data?: Data
  readonly metadata?: Metadata
  /** The version of the shape of its data. Default 1; what `decide` returns gets that of its definition. */
  readonly schemaVersion?: number
}

/** An event as stored in the log. */
export interface RecordedEvent<Type extends string = string, Data = unknown> {
  readonly kind: 'event'
  /** `<type>/<id>/<version>`: the same in every read, replay and redelivery. */
  readonly id: string
  readonly actor: ActorAddress
  readonly type: Type
  readonly data: Data
  readonly metadata: Metadata
  /** The version of the shape of its data. Default 1. */
  readonly schemaVersion?: number
  /** Which piece of the stored event it is, if an upcast has split it: absent for the first, then `1`, `2`. */
  readonly piece?: string
  readonly version: Version
  /** Position of the commit that holds the event; events of one commit share it. */
  readonly position: Position
  readonly commitId: string
  /** The time of the decision by the writer's clock, in milliseconds since 1970. */
  readonly at: number
  readonly nodeId: string
  readonly commandId?: string
  readonly correlationId?: string
  readonly causationId?: string
  /** Who asked for it, if the command said so. */
  readonly principal?: string
}

export const eventTypeBytesMax = 256
// eslint-disable-next-line no-control-regex -- control characters are exactly what is rejected
const controlCharacter = /[\u0000-\u001f\u007f]/

/** Returns the event, or throws `invalid-event`. */
export function checkNewEvent(event: NewEvent): NewEvent {
  if (typeof event !== 'object' || event === null)
    throw new CairnError(
      'invalid-event',
      `${show(event)} is not an event: pass { type, data }.`,
    )
  const { type, metadata } = event
  if (typeof type !== 'string' || type === '')
    throw new CairnError(
      'invalid-event',
      `An event needs a type: { type: 'deposited', data: … }; this one has ${type === '' ? 'an empty one' : show(type)}.`,
    )
  if (
    controlCharacter.test(type) ||
    !type.isWellFormed() ||
    Buffer.byteLength(type) > eventTypeBytesMax
  )
    throw new CairnError(
      'invalid-event',
      `${show(type)} is not an event type: use 1 to ${eventTypeBytesMax} bytes of well-formed text ` +
        'without control characters.',
      { details: { type } },
    )
  if (metadata !== undefined) checkMetadata(type, metadata)
  checkSchemaVersion(event)
  return event
}

function checkSchemaVersion({ type, schemaVersion = 1 }: NewEvent): void {
  if (Number.isSafeInteger(schemaVersion) && schemaVersion >= 1) return
  throw new CairnError(
    'invalid-event',
    `schemaVersion of event ${show(type)} is ${show(schemaVersion)}: use a whole number from 1.`,
  )
}

function checkMetadata(type: string, metadata: Metadata): void {
  if (typeof metadata !== 'object' || metadata === null)
    throw new CairnError(
      'invalid-event',
      `The metadata of event ${show(type)} is ${show(metadata)}: pass an object of strings.`,
    )
  for (const [key, value] of Object.entries(metadata)) {
    const isText = typeof value === 'string' && value.isWellFormed()
    if (!isText || !key.isWellFormed() || key === '__proto__')
      throw new CairnError(
        'invalid-event',
        `Metadata ${show(key)} of event ${show(type)} is ${show(value)}: keys and values must be ` +
          'well-formed strings, and no key may be "__proto__".',
        { details: { type, key } },
      )
  }
}

/** The stable id of an event. */
export function eventId(actor: ActorAddress, version: Version): string {
  return `${actor.type}/${actor.id}/${version}`
}
