// Who reaches whom: nodes that have crashed, and the sides of a partition.
//
// Owns that table, and the requests under way, which are aborted when their connection is cut.

import { CairnError } from '../model/errors.js'

/** A request on its way between two nodes. */
interface Passage {
  readonly from: string
  readonly to: string
  readonly cut: AbortController
}

export class Topology {
  #sides: readonly ReadonlySet<string>[] = []
  readonly #crashed = new Set<string>()
  readonly #passages = new Set<Passage>()
  readonly #listeners = new Set<() => void>()

  /** Nodes on different sides do not reach each other; one on no side reaches all. */
  partition(sides: readonly (readonly string[])[]): void {
    const all = sides.flat()
    const twice = all.find((id, i) => all.indexOf(id) !== i)
    if (twice !== undefined)
      throw new CairnError(
        'invalid-option',
        `Node ${twice} is on two sides of the partition: name each node once.`,
      )
    this.#sides = sides.map(side => new Set(side))
    this.#changed()
  }

  heal(): void {
    this.#sides = []
    this.#changed()
  }

  crash(id: string): void {
    this.#crashed.add(id)
    this.#changed()
  }

  hasCrashed(id: string): boolean {
    return this.#crashed.has(id)
  }

  reaches(from: string, to: string): boolean {
    if (this.#crashed.has(from) || this.#crashed.has(to)) return false
    const side = this.#sides.find(nodes => nodes.has(from))
    return side === undefined || side.has(to) || !this.#sides.some(other => other.has(to))
  }

  /** Calls back after each change; the returned function ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Runs a request; its signal fires when the way between the two is cut. */
  async pass<T>(
    from: string,
    to: string,
    work: (cut: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const passage = { from, to, cut: new AbortController() }
    this.#passages.add(passage)
    try {
      return await work(passage.cut.signal)
    } finally {
      this.#passages.delete(passage)
    }
  }

  #changed(): void {
    for (const { from, to, cut } of this.#passages)
      if (!this.reaches(from, to)) cut.abort('the way was cut')
    for (const listener of this.#listeners) listener()
  }
}
