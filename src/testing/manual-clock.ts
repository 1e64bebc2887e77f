// A clock that stands still until a test moves it.

import type { Clock } from '../model/clock.js'
import { CairnError } from '../model/errors.js'

export class ManualClock implements Clock {
  #now: number

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
  }

  /** Moves it on by some milliseconds. */
  advance(ms: number): void {
    this.#now = checkTime('now', this.#now + checkTime('ms', ms))
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
