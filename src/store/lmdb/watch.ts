// News of an embedded log: at once from this process, within a moment from others.
//
// Owns the doorbell and, while somebody waits, the one timer that looks for what other
// processes have stored.

import type { Position } from '../../model/version.js'
import { WakeSignal } from '../wake-signal.js'

/** Milliseconds between looks at the last position, while somebody waits. */
const lookEvery = 20
/** Milliseconds that one wait takes at most. */
const waitMax = 60_000

export class Watch {
  readonly #bell = new WakeSignal()
  readonly #lastPosition: () => Position
  #waiting = 0
  #timer: NodeJS.Timeout | undefined

  constructor(lastPosition: () => Position) {
    this.#lastPosition = lastPosition
  }

  ring(position: Position): void {
    this.#bell.raise(position)
  }

  /** Resolves once there is a record behind `after`, in bounded time, or when the signal fires. */
  async news(after: Position, signal: AbortSignal): Promise<void> {
    this.#waiting++
    this.#timer ??= setInterval(() => this.#look(), lookEvery)
    try {
      await this.#bell.wait(after, waitMax, signal)
    } finally {
      if (--this.#waiting === 0) this.close()
    }
  }

  #look(): void {
    try {
      this.#bell.raise(this.#lastPosition())
    } catch {
      // Nobody called this: those who wait read next, meet the same, and tell their callers.
      this.#bell.wakeAll()
    }
  }

  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
