// A membership in which a node sees only whom it reaches.

import type { Member, Membership, MembershipChange } from '../cluster/membership.js'
import type { Line } from './line.js'
import type { Topology } from './topology.js'

export class FaultyMembership implements Membership {
  readonly #base: Membership
  readonly #topology: Topology
  readonly #line: Line
  readonly #listeners = new Set<(change: MembershipChange) => void>()
  readonly #ends: (() => void)[]
  #members: readonly Member[]

  constructor(base: Membership, topology: Topology, line: Line) {
    this.#base = base
    this.#topology = topology
    this.#line = line
    this.#members = this.#view()
    this.#ends = [
      base.onChange(({ dead }) => this.#look(dead)),
      topology.onChange(() => this.#look([])),
    ]
  }

  members(): readonly Member[] {
    return this.#members
  }

  onChange(listener: (change: MembershipChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  suspect(id: string): void {
    this.#base.suspect(id)
  }

  unreachable(): readonly string[] {
    const { nodeId } = this.#line
    return this.#base
      .members()
      .map(({ id }) => id)
      .filter(id => id !== nodeId && !this.#topology.reaches(nodeId, id))
  }

  async lookFor(type: string): Promise<boolean> {
    return (
      (await this.#base.lookFor?.(type)) === true &&
      this.#members.some(({ types }) => types.includes(type))
    )
  }

  async isReachable(id: string): Promise<boolean> {
    const isReached = this.#topology.reaches(this.#line.nodeId, id)
    return isReached && (await this.#base.isReachable?.(id)) === true
  }

  leave(): Promise<void> {
    return this.#base.leave()
  }

  async close(): Promise<void> {
    for (const end of this.#ends) end()
    await this.#base.close()
  }

  #view(): readonly Member[] {
    const { nodeId } = this.#line
    return this.#base
      .members()
      .filter(({ id }) => id === nodeId || this.#topology.reaches(nodeId, id))
  }

  #look(saidDead: readonly Member[]): void {
    const before = this.#members
    this.#members = this.#view()
    const joined = this.#members.filter(member => !before.includes(member))
    const left = before.filter(member => !this.#members.includes(member))
    if (joined.length === 0 && left.length === 0) return
    const dead = left.filter(
      member =>
        saidDead.includes(member) ||
        !this.#topology.reaches(this.#line.nodeId, member.id),
    )
    for (const listener of this.#listeners) listener({ joined, left, dead })
  }
}
