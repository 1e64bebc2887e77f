// A semaphore: runs a bounded number of tasks at a time, in order of arrival.

import { abortedError, deferred, throwIfAborted } from './wait.js'
import { offAbort, onAbort } from './on-abort.js'

export class Semaphore {
  readonly #limit: number
  readonly #waiting = new Set<() => void>()
  #running = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Runs `work` when a slot is free. Throws `aborted` if the signal fires first. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal, doing: string): Promise<T> {
    if (this.#running >= this.#limit) await this.#waitForSlot(signal, doing)
    else this.#running++
    try {
      return await work()
    } finally {
      this.#releaseSlot()
    }
  }

  /** Resolves with the slot of a task that ended. */
  #waitForSlot(signal: AbortSignal, doing: string): Promise<void> {
    throwIfAborted(signal, doing)
    const { promise, resolve, reject } = deferred<void>()
    const enter = () => {
      offAbort(signal, giveUp)
      resolve()
    }
    const giveUp = () => {
      if (this.#waiting.delete(enter)) reject(abortedError(signal, doing))
    }
    this.#waiting.add(enter)
    onAbort(signal, giveUp)
    return promise
  }

  #releaseSlot(): void {
    for (const next of this.#waiting) {
      this.#waiting.delete(next)
      next()
      return
    }
    this.#running--
  }
}
