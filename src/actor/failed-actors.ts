// Counts the residents that are parked or wait for a restart, without a look at all residents.
//
// Owns the names of actors that have failed.
// FAILED-ACTORS-1. Every resident that is parked or restarting is among the names. Others may be, until they are looked at.
// FAILED-ACTORS-2. The names are at most twice as many as the residents that have failed, and a thousand.

/** How many residents are parked, and how many wait for a restart. */
export interface FailedCounts {
  readonly parked: number
  readonly restarting: number
}

const lookAfter = 1_000

export class FailedActors {
  readonly #phaseOf: (name: string) => string | undefined
  readonly #names = new Set<string>()
  #lookAt = lookAfter

  /** @param phaseOf the phase of a resident; `undefined` for an actor that is not in memory */
  constructor(phaseOf: (name: string) => string | undefined) {
    this.#phaseOf = phaseOf
  }

  /** An actor is parked, or waits for a restart. */
  add(name: string): void {
    this.#names.add(name)
    if (this.#names.size < this.#lookAt) return
    this.counts() // FAILED-ACTORS-2.
    this.#lookAt = Math.max(lookAfter, 2 * this.#names.size)
  }

  counts(): FailedCounts {
    let parked = 0
    let restarting = 0
    for (const name of this.#names) {
      const phase = this.#phaseOf(name)
      if (phase === 'parked') parked++
      else if (phase === 'restarting') restarting++
      else this.#names.delete(name)
    }
    return { parked, restarting }
  }
}
