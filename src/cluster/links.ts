// Links: which members answer this node's requests, by the probes that it sends to them. Heartbeats do not show that: they
// may arrive from a member that receives nothing, or whose answers are lost. It has no clock, like the roster.
//
// Owns, for each member, the probes that are unanswered, and whether its link is down.
//
// LINKS-1. A link is down when a probe and all later ones have been unanswered for `limit` ms in which heartbeats arrived
//     steadily: the member is not busy. Without heartbeats it is down after `deadAfter`; at once when the server says
//     that nobody received a probe. What one of the two nodes is late for all messages is added to both times, up to
//     `deadAfter` (OWN-LINK-1).
// LINKS-2. It is up again once a probe that was sent since is answered within `limit`. A link that goes down again soon must
//     be answered for a time that doubles each time, up to `holdMax`, so a link that flaps moves actors rarely.
// LINKS-3. Probes that were sent before `restart` count no more: this node received nothing for a while.
// LINKS-4. A restarted member has a new link. At most `linksMax` are known; the oldest is forgotten.

import type { Member } from './membership.js'

interface Link {
  readonly incarnation: number
  /** When the unanswered probes were sent, the oldest first. */
  unanswered: number[]
  /** The time of the last heartbeat, and since when they arrive without a gap. */
  heardAt: number
  steadySince: number
  /** How late the member is for all messages, ms. */
  lag: number
  isDown: boolean
  /** When the state changed. */
  since: number
  /** Since when all probes have been answered, while it is down. */
  answeredSince: number | undefined
  /** How often it went down by LINKS-1 without being up for `stableAfter`. */
  losses: number
}

/** Milliseconds. */
const holdMax = 60_000
const stableAfter = 60_000
const linksMax = 1_000

type Peer = Pick<Member, 'id' | 'incarnation'>

/** Milliseconds. */
export interface LinkLimits {
  /** LINKS-1. */
  readonly limit: number
  readonly deadAfter: number
  /** The time between two heartbeats that is a gap. */
  readonly gap: number
}

export class Links {
  readonly #limits: LinkLimits
  readonly #links = new Map<string, Link>()

  constructor(limits: LinkLimits) {
    this.#limits = limits
  }

  isDown({ id, incarnation }: Peer): boolean {
    const link = this.#links.get(id)
    return link?.isDown === true && link.incarnation === incarnation
  }

  /** A heartbeat arrived. */
  heard(member: Peer, now: number, lag = 0): void {
    const link = this.#linkTo(member, now)
    link.lag = lag
    if (now - link.heardAt > this.#limits.gap) link.steadySince = now
    link.heardAt = now
  }

  /** A probe was sent. */
  asked(member: Peer, now: number): void {
    const { unanswered } = this.#linkTo(member, now)
    // With more, the oldest one has been unanswered for too long anyway.
    if (unanswered.length < 100) unanswered.push(now)
  }

  /** The probe that was sent at `sentAt` was answered. `isNeeded`: one answer is enough to bring the link up. */
  answered(
    { id, incarnation }: Peer,
    sentAt: number,
    now: number,
    { isNeeded = false, ownLag = 0 } = {},
  ): void {
    const link = this.#links.get(id)
    if (link?.incarnation !== incarnation) return
    const limit = this.#limits.limit + this.#slackOf(link, ownLag)
    // A later answer proves the link, too: what was sent before it may have been lost with an earlier state of the link.
    link.unanswered = link.unanswered.filter(time => time > sentAt)
    if (!link.isDown || sentAt < link.since || now - sentAt >= limit) return
    link.answeredSince ??= sentAt
    if (!isNeeded && now - link.answeredSince < this.#holdOf(link)) return
    Object.assign(link, { isDown: false, since: now, answeredSince: undefined })
  }

  /** The server says that nobody receives requests to the member. */
  refused(member: Peer, now: number): void {
    const link = this.#linkTo(member, now)
    Object.assign(link, { isDown: true, unanswered: [], answeredSince: undefined })
    link.since = now
  }

  /** The probe that was sent at `sentAt` never reached the server. */
  notSent({ id }: Peer, sentAt: number): void {
    const link = this.#links.get(id)
    if (link !== undefined)
      link.unanswered = link.unanswered.filter(time => time !== sentAt)
  }

  /** LINKS-1. */
  sweep(now: number, ownLag = 0): void {
    const { gap } = this.#limits
    for (const link of this.#links.values()) {
      const [oldest] = link.unanswered
      const slack = this.#slackOf(link, ownLag)
      const limit = this.#limits.limit + slack
      const deadAfter = this.#limits.deadAfter + slack
      if (oldest === undefined || now - oldest < limit) continue
      const isSteady = now - link.heardAt <= gap
      const silentSince = isSteady ? Math.max(oldest, link.steadySince) : Infinity
      if (now - silentSince < limit && now - oldest < deadAfter) continue
      link.unanswered = link.unanswered.filter(time => now - time < limit)
      link.answeredSince = undefined
      if (!link.isDown) this.#lose(link, now)
    }
  }

  /** The member was silent in every way. */
  lost(member: Peer, now: number): void {
    const link = this.#linkTo(member, now)
    if (!link.isDown) this.#lose(link, now)
  }

  /** LINKS-3. */
  restart(): void {
    for (const link of this.#links.values()) link.unanswered = []
  }

  #slackOf({ lag }: Link, ownLag: number): number {
    return Math.min(lag + ownLag, this.#limits.deadAfter)
  }

  #lose(link: Link, now: number): void {
    if (now - link.since >= stableAfter) link.losses = 0
    link.losses++
    Object.assign(link, { isDown: true, since: now, unanswered: [] })
  }

  #holdOf({ losses }: Link): number {
    return losses < 2 ? 0 : Math.min(this.#limits.limit * 2 ** (losses - 2), holdMax)
  }

  #linkTo({ id, incarnation }: Peer, now: number): Link {
    const known = this.#links.get(id)
    if (known !== undefined && known.incarnation >= incarnation) return known
    const link: Link = {
      incarnation,
      unanswered: [],
      heardAt: now,
      steadySince: now,
      lag: 0,
      isDown: false,
      since: now,
      answeredSince: undefined,
      losses: 0,
    }
    this.#links.delete(id)
    this.#links.set(id, link)
    for (const oldest of this.#links.keys()) {
      if (this.#links.size <= linksMax) break
      this.#links.delete(oldest)
    }
    return link
  }
}
