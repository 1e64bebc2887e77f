// Damage beside the log: a stream, a bucket or a document that was deleted, emptied or overwritten.
//
// Owns what one process has noticed since it opened the namespace, and reports each damage once.
// DAMAGE-1. What is noticed of one place soon after the last time is the same damage: it is counted, and not reported again.
// DAMAGE-2. Memory is bounded: the oldest entries are forgotten.

export type DamageProblem = 'missing' | 'emptied' | 'unreadable'

/** One damaged place, for operators. */
export interface Damage {
  /** A stream or bucket, or a document by its name. */
  readonly place: string
  readonly problem: DamageProblem
  /** `open`: an operator has to act. `healing`: what it held is being found again. `healed`: no action is needed. */
  readonly state: 'open' | 'healing' | 'healed'
  /** What was found and what is done about it, or is to be done: one or more sentences. */
  readonly text: string
  /** When it was noticed for the first and for the last time, ms since 1970. */
  readonly since: number
  readonly lastAt: number
  /** How often it was noticed. */
  readonly times: number
}

export type DamageFinding = Pick<Damage, 'place' | 'problem' | 'state' | 'text'>

export type DamageListener = (damage: Damage) => void

/** DAMAGE-2. */
const entriesMax = 100
/** DAMAGE-1. Milliseconds, while it is not healed and when it is. */
const sameWithin = 60_000
const sameWithinHealed = 5_000

export class DamageReports {
  /** By place, in the order in which they were reported. */
  readonly #entries = new Map<string, Damage>()
  /** Reported before there was a listener. */
  readonly #waiting: Damage[] = []
  #listener: DamageListener | undefined

  /** Reports a damage to the listener, unless it was noticed a moment ago (DAMAGE-1). */
  report(finding: DamageFinding): void {
    const { place, state } = finding
    const now = Date.now()
    const known = this.#entries.get(place)
    const limit = known?.state === 'healed' ? sameWithinHealed : sameWithin
    if (known !== undefined && now - known.lastAt < limit) {
      const times = known.times + 1
      this.#entries.set(place, { ...known, state, lastAt: now, times })
      return
    }
    const damage = { ...finding, since: now, lastAt: now, times: 1 }
    this.#entries.delete(place)
    this.#entries.set(place, damage)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > entriesMax) this.#entries.delete(oldest!)
    if (this.#listener === undefined) this.#waiting.push(damage)
    else this.#listener(damage)
  }

  /** The damage of a place is healed. */
  heal(place: string): void {
    const known = this.#entries.get(place)
    if (known !== undefined) this.#entries.set(place, { ...known, state: 'healed' })
  }

  list(): readonly Damage[] {
    return [...this.#entries.values()]
  }

  /** Reports the damage so far, and from then on each new one. There is one listener. */
  listen(listener: DamageListener): void {
    this.#listener = listener
    for (const damage of this.#waiting.splice(0)) listener(damage)
  }
}
