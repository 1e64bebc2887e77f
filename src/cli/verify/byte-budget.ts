// A number of bytes that some may have in memory together.
//
// BYTE-BUDGET-1. What is taken is at most the budget, except by one that asks for more than all of it: that one has it alone.
// BYTE-BUDGET-2. They get their turns in order. As many wait as there are callers: these bound their own number.

import { abortedError, throwIfAborted } from '../../model/wait.js'

interface Waiter {
  readonly bytes: number
  readonly go: () => void
}

export class ByteBudget {
  readonly #all: number
  readonly #waiting: Waiter[] = []
  #free: number

  constructor(bytes: number) {
    this.#all = bytes
    this.#free = bytes
  }

  /** Takes so many bytes; resolves with a function that gives them back. Throws `aborted`. */
  async take(bytes: number, signal: AbortSignal, doing: string): Promise<() => void> {
    throwIfAborted(signal, doing)
    // BYTE-BUDGET-1.
    const share = Math.min(bytes, this.#all)
    if (this.#waiting.length > 0 || share > this.#free)
      await this.#turn(share, signal, doing)
    else this.#free -= share
    return () => {
      this.#free += share
      this.#next()
    }
  }

  /** BYTE-BUDGET-2. */
  #turn(bytes: number, signal: AbortSignal, doing: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter = {
        bytes,
        go: () => {
          signal.removeEventListener('abort', end)
          resolve()
        },
      }
      const end = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(abortedError(signal, doing))
        this.#next()
      }
      signal.addEventListener('abort', end, { once: true })
      this.#waiting.push(waiter)
    })
  }

  #next(): void {
    for (;;) {
      const [first] = this.#waiting
      if (first === undefined || first.bytes > this.#free) return
      this.#waiting.shift()
      this.#free -= first.bytes
      first.go()
    }
  }
}
