// What a consumer has given out, as it is stored: one small document, changed by compare-and-set.
//
// C1. Every message up to a source's place is settled, or is held here.
// C2. A delivery is known by its token, a number drawn by chance that nobody else has; it is written
//     down before the message is given out, and is worth nothing once the message is settled, or
//     given out again.

import { decode, encode } from '../../codec/msgpack.js'
import { CairnError } from '../../model/errors.js'
import { newId } from '../../model/id.js'
import type { Position } from '../../model/version.js'
import type { ConsumerDefinition } from './define-consumer.js'

export type ConsumerSource = 'log' | 'topics'

/** A message that is not settled. */
export interface OutstandingMessage {
  readonly source: ConsumerSource
  readonly position: Position
  /** Of the messages at that position. */
  readonly index: number
  /** What the source finds it by, beside its position. */
  readonly key: string
  /** How often it was sent again after it had been given up. */
  readonly redrives: number
  /** How often it was given out. */
  readonly attempts: number
  /** When it was given out first, and until when nobody else gets it; ms since 1970. */
  readonly firstAt: number
  readonly until: number
  /** C2. Empty while nobody has it. */
  readonly nonce: string
}

export interface ConsumerState {
  readonly version: number
  readonly definition: ConsumerDefinition
  readonly places: Readonly<Record<ConsumerSource, Position>>
  readonly outstanding: readonly OutstandingMessage[]
}

/** The document's own key for what is outstanding is `held`. */
type StoredState = Omit<ConsumerState, 'outstanding'> & {
  readonly held: readonly OutstandingMessage[]
}

const stateVersion = 1

export function newState(definition: ConsumerDefinition): ConsumerState {
  return {
    version: stateVersion,
    definition,
    places: { log: 0, topics: 0 },
    outstanding: [],
  }
}

export function encodeState({ outstanding, ...state }: ConsumerState): Uint8Array {
  return encode({ ...state, held: outstanding })
}

/** Throws `storage-failed` for what is no such document, or of a newer build. */
export function decodeState(bytes: Uint8Array, name: string): ConsumerState {
  const state = decode(bytes) as Partial<StoredState> | null
  if (state?.version === stateVersion) {
    const { held, ...rest } = state as StoredState
    return { ...rest, outstanding: held }
  }
  throw new CairnError(
    'storage-failed',
    `The state of consumer ${name} is of version ${String(state?.version)}, which this build does not ` +
      'read: upgrade it.',
  )
}

/** Gives a message out. */
export function lease(
  held: OutstandingMessage,
  now: number,
  ackWait: number,
): OutstandingMessage {
  const firstAt = held.attempts === 0 ? now : held.firstAt
  const { attempts } = held
  return {
    ...held,
    attempts: attempts + 1,
    firstAt,
    until: now + ackWait,
    nonce: newId(),
  }
}

export function isSame(one: OutstandingMessage, other: OutstandingMessage): boolean {
  return (
    one.source === other.source &&
    one.position === other.position &&
    one.index === other.index
  )
}

/** C2: what a message is settled by, in this process or another. */
export function tokenOf(
  consumer: string,
  { source, position, index, nonce }: OutstandingMessage,
) {
  return [consumer, source, position, index, nonce].join('.')
}

export function isOutstanding(
  { outstanding, definition }: ConsumerState,
  token: string,
): boolean {
  return outstanding.some(
    one => one.nonce !== '' && tokenOf(definition.name, one) === token,
  )
}

/** The delivery that a token speaks of; throws `invalid-token`. */
export function outstandingOf(state: ConsumerState, token: string): OutstandingMessage {
  const { name } = state.definition
  const found = state.outstanding.find(
    one => one.nonce !== '' && tokenOf(name, one) === token,
  )
  if (found !== undefined) return found
  const isOurs = typeof token === 'string' && token.startsWith(`${name}.`)
  throw new CairnError(
    'invalid-token',
    isOurs
      ? `This token is none of consumer ${name}, or not any more: its message is settled, or was given ` +
          'out again after its time. Whatever was done for it is done.'
      : `This is no token of consumer ${name}: settle a message by the consumer that gave it out.`,
    { details: { consumer: name } },
  )
}
