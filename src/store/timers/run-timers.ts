// Fires timers where the server does not: fires the due ones, then sleeps until the next.

import type { Clock } from '../../model/clock.js'
import type { Position } from '../../model/version.js'
import { pause } from '../../model/wait.js'

/** The timers of a namespace, as the loop sees them. */
export interface TimerSource {
  /** Fires some of the timers that are due at `now`; returns how many. */
  fire(now: number): Promise<number>
  /** When the next timer is due; `undefined` when there is none. */
  nextDueAt(): number | undefined
  /** Grows with each timer that is set. */
  setCount(): Position
  /** Resolves when more timers have been set, when the signal fires, or after a bounded time. */
  waitForSet(setCount: Position, signal: AbortSignal): Promise<void>
}

/** Milliseconds of one sleep by the machine's clock, at most: it may be set meanwhile. */
const sleepMax = 30_000

/** Runs until the signal fires. Several processes may run the same timers. */
export async function runTimers(
  source: TimerSource,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const setCount = source.setCount()
    if ((await source.fire(clock.now())) > 0) continue
    const left = (source.nextDueAt() ?? Infinity) - clock.now()
    if (left <= 0) continue
    const awake = new AbortController()
    const wake = AbortSignal.any([signal, awake.signal])
    await Promise.race([
      clock.wait?.(left, wake) ?? pause(Math.min(sleepMax, left), wake),
      source.waitForSet(setCount, wake),
    ])
    awake.abort()
  }
}
