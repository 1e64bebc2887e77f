// The roster: the current members, from the times of their heartbeats. It has no clock: the current time is a
// parameter, in milliseconds of a clock that nobody sets.
//
// ROSTER-1. A later incarnation replaces an earlier one; heartbeats of an earlier one are ignored.
// ROSTER-2. A member without heartbeat and without an answer for `deadAfter` is overdue.
// ROSTER-3. Listeners are called once per change, after the roster has changed.

import type { Member, MembershipChange } from './membership.js'

export interface RosterLimits {
  /**
   * Milliseconds without a sign of life after which the others take a member's work over, although its connection
   * exists. Default 5,000.
   */
  readonly deadAfter?: number
  /**
   * The same for a member whose heartbeats arrive, and which answers no request: it is not busy, its link is bad. Default
   * and minimum: half of `deadAfter`.
   */
  readonly silentAfter?: number
}

export const deadAfterDefault = 5_000

export interface HeartbeatOptions extends RosterLimits {
  /** Milliseconds between heartbeats. Default 1,000. */
  readonly every?: number
}

interface Entry {
  member: Member
  lastSeenAt: number
}

export class Roster {
  readonly #deadAfter: number
  readonly #entries = new Map<string, Entry>()
  readonly #listeners = new Set<(change: MembershipChange) => void>()
  #members: readonly Member[] = []

  constructor({ deadAfter = deadAfterDefault }: Pick<RosterLimits, 'deadAfter'> = {}) {
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

  /** The ids of members that are overdue (ROSTER-2). */
  overdue(now: number): string[] {
    return [...this.#entries.values()]
      .filter(({ lastSeenAt }) => now - lastSeenAt >= this.#deadAfter)
      .map(({ member }) => member.id)
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
