// The time of one attempt, and the signal that fires when it is over.
//
// Most handlers never look at the signal: it, and the timer behind it, are made for who asks for them.

export class AttemptTime {
  readonly #timeout: number
  readonly #outer: AbortSignal
  readonly #reason: () => Error
  #deadline: number
  #late: AbortController | undefined
  #signal: AbortSignal | undefined
  #timer: NodeJS.Timeout | undefined

  /**
   * @param timeout milliseconds, below 2^31, or `Infinity`
   * @param outer fires when the attempt is to end for another reason
   * @param reason the signal's, when the time is over
   */
  constructor(timeout: number, outer: AbortSignal, reason: () => Error) {
    this.#timeout = timeout
    this.#outer = outer
    this.#reason = reason
    this.#deadline = performance.now() + timeout
  }

  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      this.#late = new AbortController()
      this.#signal = AbortSignal.any([this.#outer, this.#late.signal])
      this.#wait()
    }
    return this.#signal
  }

  /** The whole time once more, from now on; nothing when it is over. */
  extend(): void {
    if (performance.now() >= this.#deadline) return
    this.#deadline = performance.now() + this.#timeout
    if (this.#late === undefined || this.#late.signal.aborted) return
    clearTimeout(this.#timer)
    this.#wait()
  }

  /** The attempt is over: nothing fires any more. */
  end(): void {
    clearTimeout(this.#timer)
  }

  #wait(): void {
    if (this.#deadline === Infinity) return
    const left = this.#deadline - performance.now()
    if (left <= 0) return this.#late?.abort(this.#reason())
    this.#timer = setTimeout(() => this.#late?.abort(this.#reason()), left)
  }
}
