// The phases of a partition on this node, which its parts share, and the handlers that are running.
//
// reading ──finish()──▶ finishing ──end()──▶ ended
//    └───────────────────end()────────────────▲

import { setMaxListeners } from 'node:events'

import { deferred, pause } from '../../model/wait.js'

export class PartitionLifetime {
  readonly #finishing = new AbortController()
  readonly #interrupting = new AbortController()
  #phase: 'reading' | 'finishing' | 'ended' = 'reading'
  #running = 0
  #onIdle: (() => void) | undefined

  constructor() {
    // Every record in progress may listen to them.
    setMaxListeners(0, this.#finishing.signal, this.#interrupting.signal)
  }

  /** Records are accepted and started. */
  get isReading(): boolean {
    return this.#phase === 'reading'
  }

  /** No record is started any more; those in progress may end. */
  get isFinishing(): boolean {
    return this.#phase === 'finishing'
  }

  /** Nothing counts any more, whatever is still running. */
  get isEnded(): boolean {
    return this.#phase === 'ended'
  }

  /** Fires when reading ends. */
  get finishing(): AbortSignal {
    return this.#finishing.signal
  }

  /** Fires when the handlers in progress have to end. */
  get interrupting(): AbortSignal {
    return this.#interrupting.signal
  }

  get isIdle(): boolean {
    return this.#running === 0
  }

  finish(): void {
    this.#phase = 'finishing'
    this.#finishing.abort()
  }

  interrupt(): void {
    this.#interrupting.abort()
  }

  /** Ends the lifetime. The signals are not touched: the last checkpoint may still be written. */
  end(): void {
    this.#phase = 'ended'
  }

  /** Ends the lifetime and interrupts all that is in progress. */
  abandon(): void {
    this.#phase = 'ended'
    this.#finishing.abort()
    this.#interrupting.abort()
  }

  taskStarted(): void {
    this.#running++
  }

  taskEnded(): void {
    if (--this.#running === 0) this.#onIdle?.()
  }

  /** Resolves when no task is running, after `timeout` ms at the latest. */
  async idle(timeout: number): Promise<void> {
    if (this.isIdle) return
    const idle = deferred<void>()
    this.#onIdle = idle.resolve
    const inTime = new AbortController()
    void idle.promise.then(() => inTime.abort())
    await Promise.race([idle.promise, pause(timeout, inTime.signal)])
  }
}
