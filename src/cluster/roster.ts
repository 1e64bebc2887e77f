// The roster: the current members, from the times of their heartbeats. It has no clock: the current time is a
// parameter, in milliseconds of a clock that nobody sets.
//
// ROSTER-1. A later incarnation replaces an earlier one; heartbeats of an earlier one are ignored.
// ROSTER-2. A member without heartbeat for `silentAfter` is to be probed; after `deadAfter` it is removed.
// ROSTER-3. Listeners are called once per change, after the roster has changed.

import type { Member, MembershipChange } from './membership.js'

export interface RosterLimits {
  /** Milliseconds without heartbeat until a member is probed. Default 3,000. */
  readonly silentAfter?: number
  /** Milliseconds without heartbeat until a member is removed whose connection still exists. Default 15,000. */
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

  /** A member announced itself. */
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

  /** A member announced that it leaves. */
  left({ id, incarnation }: Member): void {
    const entry = this.#entries.get(id)
    if (entry !== undefined && entry.member.incarnation <= incarnation)
      this.#remove(entry, false)
  }

  /** A member's process has ended. */
  dead(id: string): void {
    const entry = this.#entries.get(id)
    if (entry !== undefined) this.#remove(entry, true)
  }

  /** Removes dead members, and returns the ids to probe (ROSTER-2). */
  sweep(now: number): string[] {
    const silent: string[] = []
    for (const [id, { lastSeenAt: heardAt }] of this.#entries) {
      if (now - heardAt >= this.#deadAfter) this.dead(id)
      else if (now - heardAt >= this.#silentAfter) silent.push(id)
    }
    return silent
  }

  /** Restarts the timeouts of all members, after a time in which no heartbeat could be received. */
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
