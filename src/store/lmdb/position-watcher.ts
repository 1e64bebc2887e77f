// Waits for new records of an embedded namespace: at once from this process, by polling from others.
//
// Owns a wake signal and, while a reader waits, the one timer that polls for what other processes
// have stored.

import type { Position } from '../../model/version.js'
import { WakeSignal } from '../wake-signal.js'

/** Milliseconds between polls of the last position, while a reader waits. */
const pollInterval = 20
/** Milliseconds that one wait takes at most. */
const waitMax = 60_000

export class PositionWatcher {
  readonly #wakeSignal = new WakeSignal()
  readonly #lastPosition: () => Position
  #waiting = 0
  #timer: NodeJS.Timeout | undefined

  constructor(lastPosition: () => Position) {
    this.#lastPosition = lastPosition
  }

  raise(position: Position): void {
    this.#wakeSignal.raise(position)
  }

  /** Resolves when there is a record after `after`, when the signal fires, or after 60 s. */
  async waitBeyond(after: Position, signal: AbortSignal): Promise<void> {
    this.#waiting++
    this.#timer ??= setInterval(() => this.#poll(), pollInterval)
    try {
      await this.#wakeSignal.wait(after, waitMax, signal)
    } finally {
      if (--this.#waiting === 0) this.close()
    }
  }

  #poll(): void {
    try {
      this.#wakeSignal.raise(this.#lastPosition())
    } catch {
      // A timer has no caller to tell. The readers that wait read next, and throw the same error.
      this.#wakeSignal.wakeAll()
    }
  }

  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
