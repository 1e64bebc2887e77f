// A gate: lets a bounded number of works through at a time, in the order of arrival.

import { abortedError, deferred, throwIfAborted } from './wait.js'

export class Semaphore {
  readonly #width: number
  readonly #waiting = new Set<() => void>()
  #inside = 0

  constructor(width: number) {
    this.#width = width
  }

  /** Runs `work` when there is room; throws `aborted` when the signal fires before. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal, doing: string): Promise<T> {
    if (this.#inside >= this.#width) await this.#turn(signal, doing)
    else this.#inside++
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  /** Resolves holding the place of one that left. */
  #turn(signal: AbortSignal, doing: string): Promise<void> {
    throwIfAborted(signal, doing)
    const { promise, resolve, reject } = deferred<void>()
    const enter = () => {
      signal.removeEventListener('abort', giveUp)
      resolve()
    }
    const giveUp = () => {
      if (this.#waiting.delete(enter)) reject(abortedError(signal, doing))
    }
    this.#waiting.add(enter)
    signal.addEventListener('abort', giveUp, { once: true })
    return promise
  }

  #leave(): void {
    for (const next of this.#waiting) {
      this.#waiting.delete(next)
      next()
      return
    }
    this.#inside--
  }
}
