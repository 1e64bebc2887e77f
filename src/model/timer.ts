// Timers: what one is, and what it may be.

import type { ActorAddress } from './address.js'
import type { Causes } from './commit.js'
import { CairnError } from './errors.js'
import { eventId } from './event.js'
import { outboxEntriesMax } from './outbox.js'
import { show } from './show.js'
import type { Position, Version } from './version.js'

/** Bytes of a timer's name, at most. */
export const timerNameBytesMax = 256
/** The last millisecond of the year 9999: what every part of the way can write down. */
const timeMax = 253_402_300_799_999

/**
 * Which setting of a timer it is: it grows with every thing that an actor says, so the higher one
 * of two was said later.
 */
export type Generation = number

/** The generation of what a commit says at a place of its list, from 0. */
export function generationOf(firstVersion: Version, index: number): Generation {
  return firstVersion * outboxEntriesMax + index
}

/**
 * The id of the command that a timer sends: of its setting, and which firing of it this is, from
 * 0. Derived, so that firing twice acts once.
 */
export function firingId(
  actor: ActorAddress,
  generation: Generation,
  occurrence: number,
): string {
  const version = Math.floor(generation / outboxEntriesMax)
  return `${eventId(actor, version)}#${generation % outboxEntriesMax}@${occurrence}`
}

/**
 * The firing that is to be carried out at `now` when this one's turn has come: of those that are
 * due by then the last one, which makes up for the others. It stays in step with the first one.
 */
export function lastDueAt(timer: Timer, now: number): Timer {
  const { every, at } = timer
  if (every === undefined || now - at < every) return timer
  return laterTime(timer, every, Math.floor((now - at) / every))
}

/** The firing after this one; `undefined` where there is none. */
export function nextOccurrence(timer: Timer): Timer | undefined {
  const { every } = timer
  if (every === undefined) return undefined
  const next = laterTime(timer, every, 1)
  return next.at > timeMax ? undefined : next
}

function laterTime(timer: Timer, every: number, times: number): Timer {
  const { at, occurrence } = timer
  return { ...timer, at: at + times * every, occurrence: occurrence + times }
}

/** Throws `invalid-timer`. */
export function checkTimerName(name: unknown): string {
  const isName =
    typeof name === 'string' &&
    name !== '' &&
    name.isWellFormed() &&
    Buffer.byteLength(name) <= timerNameBytesMax
  if (isName) return name
  throw invalid(
    `${show(name)} is not a name for a timer: use 1 to ${timerNameBytesMax} bytes of well-formed text.`,
  )
}

/** Throws `invalid-timer`. */
export function checkTimer({
  name,
  at,
  every,
  skipAfter,
  type,
}: Pick<Timer, 'name' | 'at' | 'every' | 'skipAfter' | 'type'>): void {
  checkTimerName(name)
  const of = `Timer ${show(name)}`
  if (!Number.isSafeInteger(at) || at < 0 || at > timeMax)
    throw invalid(
      `${of} is due at ${show(at)}: use a moment of the years 1970 to 9999, in whole milliseconds.`,
    )
  if (every !== undefined && (!Number.isSafeInteger(every) || every < 1))
    throw invalid(`${of} repeats every ${show(every)}: use whole milliseconds from 1.`)
  if (skipAfter !== undefined && (!Number.isSafeInteger(skipAfter) || skipAfter < 0))
    throw invalid(
      `${of} is skipped after ${show(skipAfter)}: use whole milliseconds from 0.`,
    )
  if (typeof type !== 'string' || type === '')
    throw invalid(`${of} sends command ${show(type)}: name the command that it sends.`)
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-timer', message)
}

/** A timer as it waits. */
export interface Timer extends Causes {
  readonly actor: ActorAddress
  readonly name: string
  readonly generation: Generation
  /** Which firing comes next, from 0. */
  readonly occurrence: number
  /** When that is due, ms since 1970. */
  readonly at: number
  /** Milliseconds from one firing to the next; absent for a timer that fires once. */
  readonly every?: number
  /** Milliseconds: one that is later than that is skipped. */
  readonly skipAfter?: number
  /** Of the command. */
  readonly type: string
  readonly data: unknown
  /** The next firing was not carried out, and the timer not replaced, before this position of the log. */
  readonly commitPosition: Position
}

/** Whose firing a command is. */
export interface Firing {
  readonly name: string
  readonly generation: Generation
}

/** Whether one state of a timer comes before another: of an earlier setting, or firing. */
export function isBefore(
  one: Pick<Timer, 'generation' | 'occurrence'>,
  other: Pick<Timer, 'generation' | 'occurrence'>,
): boolean {
  if (one.generation !== other.generation) return one.generation < other.generation
  return one.occurrence < other.occurrence
}
