// The clockwork of a place that has none: makes due what is due, and sleeps until the next.

import type { Clock } from '../../model/clock.js'
import type { Position } from '../../model/version.js'
import { pause } from '../../model/wait.js'

/** Timers that can be made due. */
export interface TimerTable {
  /** Makes due what is due by then, some of it; returns how many that were. */
  fire(now: number): Promise<number>
  /** When the next one is due. */
  next(): number | undefined
  /** Grows with each timer that is set. */
  lastSet(): Position
  /** Resolves once more than that have been set, in bounded time, or when the signal fires. */
  news(lastSet: Position, signal: AbortSignal): Promise<void>
}

/** Milliseconds of one sleep, at most: the clock of a machine may be set meanwhile. */
const sleepMax = 30_000

/** Several may do this for the same timers, in as many processes. */
export async function runTimers(
  work: TimerTable,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const lastSet = work.lastSet()
    if ((await work.fire(clock.now())) > 0) continue
    const next = work.next()
    const left = next === undefined ? sleepMax : next - clock.now()
    if (left <= 0) continue
    const awake = new AbortController()
    const wake = AbortSignal.any([signal, awake.signal])
    const ms = Math.min(sleepMax, left)
    await Promise.race([
      clock.wait?.(ms, wake) ?? pause(ms, wake),
      work.news(lastSet, wake),
    ])
    awake.abort()
  }
}
