// The view: the members that take work, as this node sees them. These are the members of the roster without those that this
// node does not reach, and without those that are excluded.
//
// VIEW-1. A member whose link is down owns nothing in this node's view (LINKS-1), and what it was sent is sent elsewhere: it
//     counts as dead. So does a member that reports itself.
// VIEW-2. A member that is excluded by the reports of others (EXCLUSIONS-1) owns nothing, either, but answers what this
//     node has sent to it: it counts as one that has left. If its link turns out to be down, it is dead then.
// VIEW-3. Listeners are called once per change, after the view has changed.

import { excludedBy, type Reports } from './exclusions.js'
import type { Member, MembershipChange } from './membership.js'

export interface Seen {
  /** All that send heartbeats, sorted by id. */
  readonly members: readonly Member[]
  readonly reports: Reports
  isDown(member: Member): boolean
  /** Members that were just removed as dead. */
  readonly dead?: readonly Member[]
}

export class MemberView {
  readonly #selfId: string | undefined
  readonly #listeners = new Set<(change: MembershipChange) => void>()
  #members: readonly Member[] = []
  /** VIEW-2. */
  #excluded: readonly Member[] = []

  constructor(selfId: string | undefined) {
    this.#selfId = selfId
  }

  members(): readonly Member[] {
    return this.#members
  }

  onChange(listener: (change: MembershipChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  update({ members, reports, isDown, dead: died = [] }: Seen): void {
    const excluded = excludedBy(reports, members)
    const isSelf = ({ id }: Member) => id === this.#selfId
    let next = members.filter(member => !excluded.has(member.id) && !isDown(member))
    // A node that nobody takes for an owner, and that reaches no owner, serves its own callers.
    if (next.length === 0) next = members.filter(isSelf)
    const before = this.#members
    const joined = next.filter(member => !before.includes(member))
    const left = before.filter(member => !next.includes(member))
    const isDead = (member: Member) =>
      !isSelf(member) &&
      (died.includes(member) ||
        isDown(member) ||
        reports.get(member.id)?.includes(member.id) === true)
    const gone = [...left, ...this.#excluded.filter(member => !next.includes(member))]
    const dead = gone.filter(isDead)
    this.#excluded = gone.filter(member => !isDead(member) && members.includes(member))
    if (joined.length === 0 && left.length === 0 && dead.length === 0) return
    this.#members = next
    for (const listener of this.#listeners) listener({ joined, left, dead })
  }
}
