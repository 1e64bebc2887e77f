// A clock that stands still until a test moves it.

import type { Clock } from '../model/clock.js'
import { CairnError } from '../model/errors.js'

export class ManualClock implements Clock {
  #now: number
  readonly #waiting = new Set<() => void>()

  /** @param now milliseconds since 1970. Default 0. */
  constructor(now = 0) {
    this.#now = checkTime('now', now)
  }

  /** Milliseconds since 1970. */
  now(): number {
    return this.#now
  }

  /** Moves it to a moment, also back: clocks of machines do that too. */
  set(now: number): void {
    this.#now = checkTime('now', now)
    this.#tell()
  }

  /** Moves it on by some milliseconds. */
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
      this.#waiting.add(look)
      signal.addEventListener('abort', look)
      look()
    })
  }

  #tell(): void {
    for (const look of this.#waiting) look()
  }
}

function checkTime(name: string, ms: number): number {
  if (Number.isSafeInteger(ms) && ms >= 0) return ms
  throw new CairnError(
    'invalid-option',
    `${name} is ${ms}: use a whole number of milliseconds from 0.`,
    { details: { [name]: ms } },
  )
}
