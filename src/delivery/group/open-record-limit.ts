// Limits the open records of a group on one node (GROUP-3).
//
// Owns the slots that catching up with deferred keys takes, and the callers that wait for a free slot.

import { offAbort, onAbort } from '../../model/on-abort.js'

export class OpenRecordLimit {
  readonly #max: number
  /** Open records of all partitions. */
  readonly #countOpen: () => number
  readonly #waiters = new Set<() => void>()
  #slots = 0

  constructor(max: number, countOpen: () => number) {
    this.#max = max
    this.#countOpen = countOpen
  }

  get open(): number {
    return this.#slots + this.#countOpen()
  }

  get hasRoom(): boolean {
    return this.open < this.#max
  }

  /** Takes a slot when there is room; resolves with `undefined` when the signal fires first. */
  async acquire(signal: AbortSignal): Promise<(() => void) | undefined> {
    // No await between the check and the count: only one waiting caller takes the slot.
    while (!this.hasRoom && !signal.aborted) await this.change(signal)
    if (signal.aborted) return undefined
    this.#slots++
    return () => {
      this.#slots--
      this.notify()
    }
  }

  /** A record is not open any more. */
  notify(): void {
    for (const wake of this.#waiters) wake()
  }

  /** Resolves when a record is not open any more, or when the signal fires. */
  change(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const wake = () => {
        offAbort(signal, wake)
        this.#waiters.delete(wake)
        resolve()
      }
      this.#waiters.add(wake)
      onAbort(signal, wake)
    })
  }
}
