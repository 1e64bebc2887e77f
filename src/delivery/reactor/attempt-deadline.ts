// The deadline of one attempt, and the signal that fires when it passes.
//
// Most handlers never use the signal: it and its timer are created on first use.

export class AttemptDeadline {
  readonly #timeout: number
  readonly #outer: AbortSignal
  readonly #reason: () => Error
  #deadline: number
  #controller: AbortController | undefined
  #signal: AbortSignal | undefined
  #timer: NodeJS.Timeout | undefined

  /**
   * @param timeout milliseconds, below 2^31, or `Infinity`
   * @param outer fires when the attempt has to end for another reason
   * @param reason creates the abort reason of a passed deadline
   */
  constructor(timeout: number, outer: AbortSignal, reason: () => Error) {
    this.#timeout = timeout
    this.#outer = outer
    this.#reason = reason
    this.#deadline = performance.now() + timeout
  }

  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      this.#controller = new AbortController()
      this.#signal = AbortSignal.any([this.#outer, this.#controller.signal])
      this.#startTimer()
    }
    return this.#signal
  }

  /** Restarts the timeout from now on; a no-op after the deadline. */
  extend(): void {
    if (performance.now() >= this.#deadline) return
    this.#deadline = performance.now() + this.#timeout
    if (this.#controller === undefined || this.#controller.signal.aborted) return
    clearTimeout(this.#timer)
    this.#startTimer()
  }

  /** Stops the timer: the attempt has ended. */
  end(): void {
    clearTimeout(this.#timer)
  }

  #startTimer(): void {
    if (this.#deadline === Infinity) return
    const left = this.#deadline - performance.now()
    if (left <= 0) return this.#controller?.abort(this.#reason())
    this.#timer = setTimeout(() => this.#controller?.abort(this.#reason()), left)
  }
}
