// The roster: who is a member, from what has been heard and when. Pure but for its table;
// the moment is handed in.
//
// R1. A later incarnation replaces an earlier one; word of an earlier one is ignored.
// R2. A member not heard of for `silentAfter` is to be probed; for `deadAfter`, it is gone.
// R3. Listeners hear of each change once, with the roster already changed.

import type { Member, MembershipChange } from './membership.js'

export interface RosterLimits {
  /** Milliseconds without a word until a member is probed. Default 3,000. */
  readonly silentAfter?: number
  /** Milliseconds without a word until a member that only does not answer is gone. Default 15,000. */
  readonly deadAfter?: number
}

export interface HeartbeatOptions extends RosterLimits {
  /** Milliseconds between heartbeats. Default 1,000. */
  readonly every?: number
}

interface Entry {
  member: Member
  lastSeenAt: number
}

export class Roster {
  readonly #silentAfter: number
  readonly #deadAfter: number
  readonly #entries = new Map<string, Entry>()
  readonly #listeners = new Set<(change: MembershipChange) => void>()
  #members: readonly Member[] = []

  constructor({ silentAfter = 3_000, deadAfter = 15_000 }: RosterLimits = {}) {
    this.#silentAfter = silentAfter
    this.#deadAfter = deadAfter
  }

  members(): readonly Member[] {
    return this.#members
  }

  onChange(listener: (change: MembershipChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A member spoke, or was spoken of by itself. */
  alive(member: Member, now: number): void {
    const entry = this.#entries.get(member.id)
    if (entry === undefined) {
      this.#entries.set(member.id, { member, lastSeenAt: now })
      this.#changed({ joined: [member], left: [], dead: [] })
    } else if (member.incarnation === entry.member.incarnation) {
      entry.lastSeenAt = Math.max(entry.lastSeenAt, now)
    } else if (member.incarnation > entry.member.incarnation) {
      const left = entry.member
      this.#entries.set(member.id, { member, lastSeenAt: now })
      this.#changed({ joined: [member], left: [left], dead: [left] })
    }
  }

  /** A member answered a probe. */
  probeAnswered(id: string, now: number): void {
    const entry = this.#entries.get(id)
    if (entry !== undefined) entry.lastSeenAt = Math.max(entry.lastSeenAt, now)
  }

  /** A member said that it leaves. */
  left({ id, incarnation }: Member): void {
    const entry = this.#entries.get(id)
    if (entry !== undefined && entry.member.incarnation <= incarnation)
      this.#remove(entry, false)
  }

  /** Nobody is there any more. */
  dead(id: string): void {
    const entry = this.#entries.get(id)
    if (entry !== undefined) this.#remove(entry, true)
  }

  /** Removes whom R2 says is gone, and returns the ids to probe. */
  sweep(now: number): string[] {
    const silent: string[] = []
    for (const [id, { lastSeenAt: heardAt }] of this.#entries) {
      if (now - heardAt >= this.#deadAfter) this.dead(id)
      else if (now - heardAt >= this.#silentAfter) silent.push(id)
    }
    return silent
  }

  /** Gives everybody a new start: after a time in which nothing could be heard. */
  restartTimeouts(now: number): void {
    for (const entry of this.#entries.values()) entry.lastSeenAt = now
  }

  #remove({ member }: Entry, isDead: boolean): void {
    this.#entries.delete(member.id)
    this.#changed({ joined: [], left: [member], dead: isDead ? [member] : [] })
  }

  #changed(change: MembershipChange): void {
    this.#members = [...this.#entries.values()]
      .map(({ member }) => member)
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    for (const listener of this.#listeners) listener(change)
  }
}
