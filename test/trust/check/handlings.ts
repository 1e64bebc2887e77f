// What handlers did: the entries of each handling joined, by reader and message.

import type { Effect, Entry } from '../history.js'
import { put } from './messages.js'
import type { Evidence } from './violation.js'

export interface Handling {
  readonly begun: Effect
  readonly done: Effect | undefined
  readonly failed: Effect | undefined
}

/** A reactor or a trigger, and its handlings of each message in the order in which they began. */
export interface Reader {
  readonly name: string
  readonly handlings: ReadonlyMap<string, readonly Handling[]>
}

export function readersOf(entries: readonly Entry[]): Reader[] {
  const effects = entries.filter(entry => entry.kind === 'effect')
  const ends = new Map<string, Effect>()
  for (const effect of effects)
    if (effect.phase !== 'begun') ends.set(`${effect.phase} ${effect.handling}`, effect)
  const readers = new Map<string, Map<string, Handling[]>>()
  for (const begun of effects) {
    if (begun.phase !== 'begun') continue
    const { by, message, handling } = begun
    let handlings = readers.get(by)
    if (handlings === undefined) readers.set(by, (handlings = new Map()))
    const done = ends.get(`done ${handling}`)
    const failed = ends.get(`failed ${handling}`)
    put(handlings, message, { begun, done, failed })
  }
  return [...readers].map(([name, handlings]) => ({ name, handlings }))
}

/** Whether a handler failed the message for good. */
export function isTerminal(handlings: readonly Handling[]): boolean {
  return handlings.some(
    ({ begun, failed }) => begun.terminal === true || failed?.terminal === true,
  )
}

export function effectsOf(handlings: Iterable<Handling>): Evidence[] {
  return [...handlings].flatMap(({ begun, done, failed }) =>
    [begun, done, failed].filter(effect => effect !== undefined),
  )
}
