// What plugins were working on when they died.
//
// Owns the counts of one plugin, over its registrations in this process.
// SUSPECTS-1. A count goes when the work succeeds. At most `suspectsMax` are kept; the oldest are forgotten.

const suspectsMax = 10_000
/** Deaths after which work is given up: one among others, and two alone. */
const deathsMax = 3

export class Suspects {
  readonly #deaths = new Map<string, number>()

  has(key: string): boolean {
    return this.#deaths.has(key)
  }

  isGuilty(key: string): boolean {
    return (this.#deaths.get(key) ?? 0) >= deathsMax
  }

  add(key: string): void {
    const deaths = (this.#deaths.get(key) ?? 0) + 1
    this.#deaths.delete(key)
    this.#deaths.set(key, deaths)
    if (this.#deaths.size > suspectsMax)
      this.#deaths.delete(this.#deaths.keys().next().value!)
  }

  clear(key: string): void {
    if (this.#deaths.size > 0) this.#deaths.delete(key)
  }
}
