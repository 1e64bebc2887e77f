// Timers: their data, ids, occurrences and checks.

import type { ActorAddress } from './address.js'
import type { Answers } from './answers.js'
import type { Causes } from './commit.js'
import { CairnError } from './errors.js'
import { eventId } from './event.js'
import type { KeptHeaders } from './kept-headers.js'
import { outboxEntriesMax } from './outbox.js'
import { show } from './show.js'
import type { Position, Version } from './version.js'

/** The longest timer name, in bytes. */
export const timerNameBytesMax = 256
/** The last millisecond of the year 9999: the latest time that every backend can store. */
const timeMax = 253_402_300_799_999

/**
 * Identifies one setting of a timer. It grows with each outbox entry of the actor, so the higher of
 * two was set later.
 */
export type TimerGeneration = number

/** The generation of the outbox entry at an index, from 0, of a commit. */
export function generationOf(firstVersion: Version, index: number): TimerGeneration {
  return firstVersion * outboxEntriesMax + index
}

/**
 * The id of the command that a timer sends: derived from its generation and the number of the firing,
 * from 0, so that firing twice takes effect once.
 */
export function firingId(
  actor: ActorAddress,
  generation: TimerGeneration,
  occurrence: number,
): string {
  const version = Math.floor(generation / outboxEntriesMax)
  return `${eventId(actor, version)}#${generation % outboxEntriesMax}@${occurrence}`
}

/**
 * The occurrence of a timer that fires at `now`: the last one that is due by then, which stands for
 * the missed ones. It keeps the rhythm of the first one.
 */
export function lastDueAt(timer: Timer, now: number): Timer {
  const { every, at } = timer
  if (every === undefined || now - at < every) return timer
  return advance(timer, every, Math.floor((now - at) / every))
}

/** The occurrence after this one; `undefined` if there is none. */
export function nextOccurrence(timer: Timer): Timer | undefined {
  const { every } = timer
  if (every === undefined) return undefined
  const next = advance(timer, every, 1)
  return next.at > timeMax ? undefined : next
}

function advance(timer: Timer, every: number, times: number): Timer {
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
    `${show(name)} is not a timer name: use 1 to ${timerNameBytesMax} bytes of well-formed text.`,
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
  const timer = `Timer ${show(name)}`
  if (!Number.isSafeInteger(at) || at < 0 || at > timeMax)
    throw invalid(
      `${timer} is due at ${show(at)}: use a time in the years 1970 to 9999, in whole milliseconds.`,
    )
  if (every !== undefined && (!Number.isSafeInteger(every) || every < 1))
    throw invalid(`${timer} repeats every ${show(every)}: use whole milliseconds from 1.`)
  if (skipAfter !== undefined && (!Number.isSafeInteger(skipAfter) || skipAfter < 0))
    throw invalid(
      `${timer} is skipped after ${show(skipAfter)}: use whole milliseconds from 0.`,
    )
  if (typeof type !== 'string' || type === '')
    throw invalid(`${timer} sends command ${show(type)}: name the command that it sends.`)
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-timer', message)
}

/** A timer that is set. */
export interface Timer extends Causes, KeptHeaders, Answers {
  readonly actor: ActorAddress
  readonly name: string
  readonly generation: TimerGeneration
  /** The number of the next firing, from 0. */
  readonly occurrence: number
  /** When the next firing is due, ms since 1970. */
  readonly at: number
  /** Milliseconds from one firing to the next; absent for a timer that fires once. */
  readonly every?: number
  /** Milliseconds: a firing that is later than this is skipped. */
  readonly skipAfter?: number
  /** The type of the command. */
  readonly type: string
  readonly data: unknown
  /** Before this position of the log, the next firing was not handled and the timer was not replaced. */
  readonly commitPosition: Position
}

/** The part of a timer that its headers hold. */
export type TimerHeader = Omit<Timer, 'actor' | 'data'>

/** The timer whose firing a command is. */
export interface TimerFiring {
  readonly name: string
  readonly generation: TimerGeneration
}

/** Whether one state of a timer comes before another: an earlier setting, or an earlier firing of the same setting. */
export function isBefore(
  one: Pick<Timer, 'generation' | 'occurrence'>,
  other: Pick<Timer, 'generation' | 'occurrence'>,
): boolean {
  if (one.generation !== other.generation) return one.generation < other.generation
  return one.occurrence < other.occurrence
}
