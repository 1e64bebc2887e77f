// A window on requests in flight that follows what the other side can bear: additive increase, multiplicative decrease (Chiu
// and Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance", 1989).
//
// Owns the size of the window.
// AIMD-WINDOW-1. It grows by one for each `answersPerStep` answers, up to `max`.
// AIMD-WINDOW-2. It is halved at most once in `cutInterval` ms, and never below `min`: requests that were in flight together
//     fail together, and tell one thing.

export interface WindowLimits {
  readonly max: number
  /** Default: `max`. */
  readonly start?: number
  readonly min: number
  readonly answersPerStep: number
  /** Milliseconds. */
  readonly cutInterval: number
}

export class AimdWindow {
  readonly #limits: WindowLimits
  #size: number
  #answers = 0
  #cutAt = -Infinity

  constructor(limits: WindowLimits) {
    this.#limits = limits
    const { max, start = max } = limits
    this.#size = Math.min(start, max)
  }

  /** The requests that may be in flight. */
  get size(): number {
    return this.#size
  }

  /** A request was answered (AIMD-WINDOW-1). */
  answered(): void {
    const { max, answersPerStep } = this.#limits
    if (this.#size < max && ++this.#answers % answersPerStep === 0) this.#size++
  }

  /** The other side was overloaded (AIMD-WINDOW-2). @param now milliseconds, always of one clock */
  cut(now: number): void {
    const { max, min, cutInterval } = this.#limits
    if (now - this.#cutAt < cutInterval) return
    this.#cutAt = now
    this.#size = Math.max(Math.min(min, max), this.#size >> 1)
  }
}
