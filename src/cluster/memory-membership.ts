// Membership within one process: a table shared by the namespace's nodes.

import type { Member, Membership, MembershipChange } from './membership.js'
import { Roster } from './roster.js'

/** Shared by the memberships of one namespace. */
export class MemoryMembers {
  readonly roster = new Roster()
}

export class MemoryMembership implements Membership {
  readonly #shared: MemoryMembers
  readonly #self: Member | undefined
  readonly #ends: (() => void)[] = []

  constructor(shared: MemoryMembers, self: Member | undefined) {
    this.#shared = shared
    this.#self = self
    if (self !== undefined) shared.roster.alive(self, 0)
  }

  members(): readonly Member[] {
    return this.#shared.roster.members()
  }

  onChange(listener: (change: MembershipChange) => void): () => void {
    const end = this.#shared.roster.onChange(listener)
    this.#ends.push(end)
    return end
  }

  suspect(): void {
    // Everybody is in this process: whoever is in the table is there.
  }

  async leave(): Promise<void> {
    if (this.#self !== undefined) this.#shared.roster.left(this.#self)
  }

  async close(): Promise<void> {
    await this.leave()
    for (const end of this.#ends) end()
  }
}
