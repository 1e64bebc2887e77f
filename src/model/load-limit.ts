// The load limit: how much work may be open at a time, by what is measured. Work beyond it is refused where it arrives,
// before anything is done for it: refusing must cost almost nothing, or a flood is work enough.
//
// Owns the count of open work, and the measurements of the present interval.
//
// A queue is judged as CoDel does (Nichols and Jacobson, "Controlling Queue Delay", 2012): not by its length, but by the
// shortest time that work has taken during an interval. A burst that drains has some quick work in each interval, and so
// has a node on which one actor is slow; where everything is slow, a queue is standing. Then the open work is limited to
// what is finished in time at the measured rate (Little's law: wait = open / rate). CoDel drops work that has waited;
// here it would be known too late, so that what is new is refused instead.
//
// LOAD-LIMIT-1. At most `max` pieces of work are open, whatever is measured.
// LOAD-LIMIT-2. While even the quickest work of the last interval took `target` ms, work is refused that would wait for
//     longer than `delayFor` its own timeout at the rate of these intervals. What is admitted therefore ends in time.
// LOAD-LIMIT-3. `least` pieces of work may be open in any case. With less than half of that open nothing is measured: it
//     would say nothing about much work, and reading the clock costs more than all the rest.
// LOAD-LIMIT-4. What was given up or refused is no measure of the work.

import { type CairnError, type ErrorCode, isCairnError } from './errors.js'

/** Errors of work that nobody waits for any more (LOAD-LIMIT-4). */
const unfinished: ReadonlySet<ErrorCode> = new Set([
  'aborted',
  'deadline-exceeded',
  'outcome-unknown',
  'store-unreachable',
])
/** Milliseconds of one measurement. */
const interval = 100
/** Milliseconds that the quickest work takes where a queue is standing (LOAD-LIMIT-2). */
const target = 200
/** Milliseconds that a standing queue may cost, and as a part of the timeout where that is more. */
const delayMax = 500
const delayPart = 0.25
/** The weight of the last interval in the rate. */
const weight = 0.3

export class LoadLimit {
  readonly max: number
  readonly #least: number
  readonly #measuredFrom: number
  #open = 0
  #intervalStart = 0
  /** Milliseconds that the quickest work of the interval took. */
  #quickest = Infinity
  #finished = 0
  #givenUp = 0
  /** Finished pieces of work per millisecond while a queue is standing; undefined while none is. */
  #rate: number | undefined

  constructor(max: number, least: number) {
    this.max = max
    this.#least = Math.min(least, max)
    this.#measuredFrom = Math.ceil(this.#least / 2)
  }

  get open(): number {
    return this.#open
  }

  /** Whether a queue is standing (LOAD-LIMIT-2). */
  get isOverloaded(): boolean {
    return this.#rate !== undefined
  }

  /** How many pieces of work with this timeout may be open now. */
  limitFor(timeout: number): number {
    if (this.#rate === undefined) return this.max
    const limit = Math.max(this.#least, this.#rate * delayFor(timeout))
    return Math.min(this.max, limit)
  }

  enter(): void {
    if (++this.#open === this.#measuredFrom) this.#startInterval(performance.now())
  }

  /** Work has ended with a result. @param startedAt and `now` by `performance.now()` */
  finished(startedAt: number, now = performance.now()): void {
    if (!this.#leave()) return
    this.#finished++
    if (now - startedAt < this.#quickest) this.#quickest = now - startedAt
    if (now - this.#intervalStart >= interval) this.#judge(now)
  }

  /** Work has ended since nobody waits for it any more (LOAD-LIMIT-4). */
  givenUp(): void {
    if (!this.#leave()) return
    this.#givenUp++
    const now = performance.now()
    if (now - this.#intervalStart >= interval) this.#judge(now)
  }

  /** Work was not begun (LOAD-LIMIT-4). */
  withdrawn(): void {
    this.#leave()
  }

  /** Returns whether work is measured (LOAD-LIMIT-3). */
  #leave(): boolean {
    if (this.#open-- > this.#measuredFrom) return true
    this.#rate = undefined
    return false
  }

  /**
   * Runs work, if it is admitted with this timeout.
   * @param refuse makes the error with which it is refused
   */
  async run<T>(
    timeout: number,
    refuse: (limit: number) => CairnError,
    work: () => Promise<T>,
  ): Promise<T> {
    const limit = this.limitFor(timeout)
    if (this.#open >= limit) throw refuse(Math.floor(limit))
    const startedAt = performance.now()
    this.enter()
    let isGivenUp = false
    try {
      return await work()
    } catch (error) {
      isGivenUp = isCairnError(error) && unfinished.has(error.code)
      throw error
    } finally {
      if (isGivenUp) this.givenUp()
      else this.finished(startedAt)
    }
  }

  #judge(now: number): void {
    const rate = this.#finished / (now - this.#intervalStart)
    const isSlow = this.#finished > 0 ? this.#quickest >= target : this.#givenUp > 0
    // LOAD-LIMIT-3.
    const isStanding = isSlow && this.#open + this.#finished >= this.#least
    if (!isStanding) this.#rate = undefined
    else if (this.#rate === undefined) this.#rate = rate
    else this.#rate += weight * (rate - this.#rate)
    this.#startInterval(now)
  }

  #startInterval(now: number): void {
    this.#intervalStart = now
    this.#quickest = Infinity
    this.#finished = 0
    this.#givenUp = 0
  }
}

/** Milliseconds that work with this timeout may wait in a standing queue. */
export function delayFor(timeout: number): number {
  return Math.min(timeout / 2, Math.max(delayMax, timeout * delayPart))
}
