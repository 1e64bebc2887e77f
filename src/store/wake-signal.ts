// A wake signal: lets readers sleep until a log has grown beyond the position they have read.

import type { Position } from '../model/version.js'
import { offAbort, onAbort } from '../model/on-abort.js'

/**
 * Owns the highest position raised, and the waiting readers. Raising wakes every reader that waits
 * for a lower position; a reader that begins to wait after that does not sleep.
 */
export class WakeSignal {
  #position: Position = 0
  readonly #waiters = new Set<(always: boolean) => void>()

  get position(): Position {
    return this.#position
  }

  raise(position: Position): void {
    if (position > this.#position) this.#position = position
    for (const wake of this.#waiters) wake(false)
  }

  /** Wakes every waiting reader, whatever position it waits for. */
  wakeAll(): void {
    for (const wake of this.#waiters) wake(true)
  }

  /** Resolves when raised beyond `after`, after `timeout` ms, or when the signal fires. */
  wait(after: Position, timeout: number, signal: AbortSignal): Promise<void> {
    if (this.#position > after || signal.aborted) return Promise.resolve()
    return new Promise(resolve => {
      const wake = (always: boolean) => {
        if (always || this.#position > after) finish()
      }
      const finish = () => {
        clearTimeout(timer)
        this.#waiters.delete(wake)
        offAbort(signal, finish)
        resolve()
      }
      const timer = setTimeout(finish, timeout)
      this.#waiters.add(wake)
      onAbort(signal, finish)
    })
  }
}
