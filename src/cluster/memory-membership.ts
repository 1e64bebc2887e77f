// Membership within one process: a roster shared by the namespace's nodes.

import type { Member, Membership, MembershipChange } from './membership.js'
import { Roster } from './roster.js'

/** Shared by the memberships of one namespace. */
export class MemoryMembers {
  readonly roster = new Roster()
}

export class MemoryMembership implements Membership {
  readonly #shared: MemoryMembers
  readonly #self: Member | undefined
  readonly #removers: (() => void)[] = []

  constructor(shared: MemoryMembers, self: Member | undefined) {
    this.#shared = shared
    this.#self = self
    if (self !== undefined) shared.roster.alive(self, 0)
  }

  members(): readonly Member[] {
    return this.#shared.roster.members()
  }

  onChange(listener: (change: MembershipChange) => void): () => void {
    const remove = this.#shared.roster.onChange(listener)
    this.#removers.push(remove)
    return remove
  }

  suspect(): void {
    // All nodes are in this process: each member of the roster is running.
  }

  async leave(): Promise<void> {
    if (this.#self !== undefined) this.#shared.roster.left(this.#self)
  }

  async close(): Promise<void> {
    await this.leave()
    for (const remove of this.#removers) remove()
  }
}
