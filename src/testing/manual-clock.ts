// A clock that stands still until a test moves it.

import type { Clock } from '../model/clock.js'
import { CairnError } from '../model/errors.js'

export class ManualClock implements Clock {
  #now: number
  /** By what ends each wait; the moment that it waits for. */
  readonly #waiting = new Map<() => void, number>()

  /** @param now milliseconds since 1970. Default 0. */
  constructor(now = 0) {
    this.#now = checkTime('now', now)
  }

  /** Milliseconds since 1970. */
  now(): number {
    return this.#now
  }

  /** The first moment that something waits for; `undefined` while nothing does. */
  get nextWait(): number | undefined {
    const next = Math.min(...this.#waiting.values())
    return next === Infinity ? undefined : next
  }

  /** Moves it to a moment, also back: clocks of machines do that too. */
  set(now: number): void {
    this.#now = checkTime('now', now)
    this.#tell()
  }

  /**
   * Moves it on by some milliseconds. What waited for it goes on; `advance` of a cluster also waits until it has acted.
   */
  advance(ms: number): void {
    this.#now = checkTime('now', this.#now + checkTime('ms', ms))
    this.#tell()
  }

  /** Resolves when it has been moved on by `ms`, or when the signal fires. */
  wait(ms: number, signal: AbortSignal): Promise<void> {
    const due = this.#now + ms
    return new Promise(resolve => {
      const look = () => {
        if (this.#now < due && !signal.aborted) return
        this.#waiting.delete(look)
        signal.removeEventListener('abort', look)
        resolve()
      }
      this.#waiting.set(look, due)
      signal.addEventListener('abort', look)
      look()
    })
  }

  #tell(): void {
    for (const look of this.#waiting.keys()) look()
  }
}

export function checkTime(name: string, ms: number): number {
  if (Number.isSafeInteger(ms) && ms >= 0) return ms
  throw new CairnError(
    'invalid-option',
    `${name} is ${ms}: use a whole number of milliseconds from 0.`,
    { details: { [name]: ms } },
  )
}
