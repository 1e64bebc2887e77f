// Upcasting: a stored event of an earlier schema version → the events that the definition knows today.
//
// UPCAST-1. Steps are chained from the stored version on: `steps[0]` takes version 1 to 2, and so on. What a step gives of its
//     own type has the next version; of another type, version 1, or the one that it names. So a step that was once right stays
//     right when later ones are added.
// UPCAST-2. A stored event keeps its version in the history, whatever it becomes. The first piece of a split has its id, and
//     the others `<id>.1`, `<id>.2`: ids stay the same when a piece is split again, or another one is dropped.
// UPCAST-3. A step that throws, a chain without end and a later version than is known are errors, and are never skipped.

import { CairnError, messageOf } from '../model/errors.js'
import { checkNewEvent, type NewEvent, type RecordedEvent } from '../model/event.js'
import { show } from '../model/show.js'
import { isIgnoredPromise } from '../model/thenable.js'

/**
 * A step from one schema version of an event type to the next: pure, and synchronous. It gives an event, several, or
 * none, `[]`. One of its own type has the next version; one of another type version 1, or its `schemaVersion`.
 */
export type UpcastStep = (
  data: never,
  event: RecordedEvent,
) => NewEvent | readonly NewEvent[]

/** The steps of each event type, from version 1 on. A type with n steps is at version n + 1. */
export type UpcastSteps = Readonly<Record<string, readonly UpcastStep[]>>

/** Far more steps than an event can need. */
const stepsMax = 1_000

export class Upcasters {
  readonly #steps: ReadonlyMap<string, readonly UpcastStep[]>

  /** Throws `invalid-definition`. */
  constructor(actorType: string, steps: UpcastSteps) {
    const isMap = typeof steps === 'object' && steps !== null
    for (const [type, list] of isMap ? Object.entries(steps) : [])
      if (!Array.isArray(list) || !list.every(step => typeof step === 'function'))
        throw new CairnError(
          'invalid-definition',
          `upcast.${type} of actor type ${actorType} is ${show(list)}: pass a list of functions, one for each earlier version.`,
        )
    if (!isMap)
      throw new CairnError(
        'invalid-definition',
        `upcast of actor type ${actorType} is ${show(steps)}: pass { <event type>: [steps] }.`,
      )
    this.#steps = new Map(Object.entries(steps))
  }

  /** The event types that have steps. */
  get types(): readonly string[] {
    return [...this.#steps.keys()]
  }

  /** The schema version in which events of a type are stored now. */
  versionOf(type: string): number {
    return (this.#steps.get(type)?.length ?? 0) + 1
  }

  /** The event as the definition knows it, or its pieces, or none (UPCAST-1 to UPCAST-3). */
  apply(event: RecordedEvent): readonly RecordedEvent[] {
    const { type, schemaVersion = 1 } = event
    if (this.versionOf(type) === schemaVersion) return [event]
    const found: RecordedEvent[] = []
    this.#chain(event, event, [], 0, found)
    return found
  }

  #chain(
    stored: RecordedEvent,
    at: RecordedEvent,
    path: readonly number[],
    steps: number,
    found: RecordedEvent[],
  ): void {
    const { type, schemaVersion: version = 1 } = at
    const known = this.versionOf(type)
    if (version === known) return void found.push(withPiece(stored, at, path))
    if (version > known) throw schemaUnknown(type, version, known)
    if (steps >= stepsMax)
      throw new CairnError(
        'invalid-definition',
        `upcast of event ${show(stored.type)} does not end: after ${stepsMax} steps it is at ${show(type)} version ${version}`,
      )
    const next = this.#step(at, type, version)
    for (const [i, event] of next.entries()) {
      const nextVersion = event.schemaVersion ?? (event.type === type ? version + 1 : 1)
      const { metadata = at.metadata } = event
      const piece = replaced(at, event.type, event.data, metadata, nextVersion)
      this.#chain(
        stored,
        piece,
        next.length === 1 ? path : [...path, i],
        steps + 1,
        found,
      )
    }
  }

  #step(at: RecordedEvent, type: string, version: number): readonly NewEvent[] {
    const step = this.#steps.get(type)![version - 1]!
    const where = `upcast of event ${show(type)} from schema version ${version}`
    let given: NewEvent | readonly NewEvent[]
    try {
      given = step(at.data as never, at)
    } catch (cause) {
      throw new CairnError('invalid-definition', `${where} threw: ${messageOf(cause)}`, {
        cause,
      })
    }
    if (isIgnoredPromise(given))
      throw new CairnError('invalid-definition', `${where} returned a promise`)
    const list = (Array.isArray(given) ? given : [given]) as readonly NewEvent[]
    for (const one of list)
      try {
        checkNewEvent(one)
      } catch (cause) {
        throw new CairnError('invalid-definition', `${where} gave: ${messageOf(cause)}`, {
          cause,
        })
      }
    return list
  }
}

/** UPCAST-2. */
function withPiece(
  stored: RecordedEvent,
  at: RecordedEvent,
  path: readonly number[],
): RecordedEvent {
  const piece = path.join('.').replace(/(^|\.)0(\.0)*$/, '')
  if (piece === '') return at
  return Object.defineProperties({} as RecordedEvent, {
    ...Object.getOwnPropertyDescriptors(at),
    id: { value: `${stored.id}.${piece}`, enumerable: true },
    piece: { value: piece, enumerable: true },
  })
}

/** Not spread: some fields of an event that is not stored yet throw. */
function replaced(
  event: RecordedEvent,
  type: string,
  data: unknown,
  metadata: RecordedEvent['metadata'],
  schemaVersion: number,
): RecordedEvent {
  return Object.defineProperties({} as RecordedEvent, {
    ...Object.getOwnPropertyDescriptors(event),
    type: { value: type, enumerable: true },
    data: { value: data, enumerable: true },
    metadata: { value: metadata, enumerable: true },
    schemaVersion: { value: schemaVersion, enumerable: true },
  })
}

/** The error for an event of a later version than the definition knows. */
export function schemaUnknown(type: string, version: number, known: number): CairnError {
  return new CairnError(
    'invalid-definition',
    `event ${show(type)} has schema version ${version}, and this definition knows ${known}: a later one has stored it`,
  )
}
