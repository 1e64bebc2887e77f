// A histogram of durations with fixed bounds: adding one costs a few comparisons and no memory.
//
// Owns the counts, by bound, since it was made.

/** Upper bounds in milliseconds, ascending; what is longer is counted beside them. */
export const durationBounds: readonly number[] = [
  0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000,
]

/** Durations since the start. */
export interface DurationsStats {
  /**
   * How many took at most 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1,000, 2,500, 5,000 and 10,000 ms, and longer: 15 counts,
   * each without those before it.
   */
  readonly counts: readonly number[]
  /** Milliseconds, of all together. */
  readonly sum: number
}

export class Durations {
  readonly #bounds: readonly number[]
  readonly #counts: number[]
  #sum = 0

  /** @param bounds ascending; in any unit, which is that of the durations */
  constructor(bounds: readonly number[] = durationBounds) {
    this.#bounds = bounds
    this.#counts = bounds.map(() => 0).concat(0)
  }

  add(duration: number): void {
    let i = 0
    while (i < this.#bounds.length && duration > this.#bounds[i]!) i++
    this.#counts[i]!++
    this.#sum += duration
  }

  stats(): DurationsStats {
    return { counts: [...this.#counts], sum: this.#sum }
  }
}
