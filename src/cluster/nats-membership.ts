// Membership on NATS: members send heartbeats, and probe each other.
//
//   cairn.<ns>.members        { kind: 'hello' | 'here' | 'bye', member, unreachable }, MessagePack
//   cairn.<ns>.node.<id>      where the transport serves; a probe is a request like any other
//   cairn.<ns>.alive.<id>     a probe from a node of an earlier version
//   cairn.<ns>.who            request of a node that joins: any member answers with its view
//   cairn.<ns>.who.<type>     the same, of a node that misses a host of the type; its hosts answer
//
// A heartbeat shows that a process runs, not that requests reach it and that its answers arrive: a link may fail in one
// direction, or for some nodes. So each member probes the others where their requests arrive. The server keeps a
// member's subscription as long as its connection exists, and answers "no responders" if the process is dead.
//
// NATS-MEMBERSHIP-1. A process that is alive and busy sends no heartbeats and answers no probes, and remains a member until
//     `deadAfter`. One whose heartbeats arrive is not busy: if it answers no probe for `silentAfter`, its link is bad. It is
//     no longer in the view of the one that probes (VIEW-1), which reports it to the others with its heartbeats (VIEW-2).
// NATS-MEMBERSHIP-2. A node receives its own heartbeats. If it does not, it judges nobody (OWN-LINK-2). If it receives
//     nothing at all, it reports itself to the others, which may still receive its heartbeats (OWN-LINK-3).
// NATS-MEMBERSHIP-3. A node that was given up is a member again once it has answered a probe (LINKS-2), or restarted.
//
// A node that joins does not wait for heartbeats: the first answer holds all members. The server answers "no responders"
// when there is no member, so joining alone costs one round trip.

import type { Msg } from 'nats'

import { encode } from '../codec/msgpack.js'
import { inBackground } from '../model/background.js'
import { defined } from '../model/defined.js'
import type { Connection, NatsSubscription } from '../nats/connection.js'
import { type Reply, reserved } from '../nats/requests.js'
import { nodeSubjects } from '../nats/subjects.js'
import { Links } from './links.js'
import { MemberView } from './member-view.js'
import { OwnLink } from './own-link.js'
import {
  type Member,
  type Membership,
  type MembershipChange,
  isParticipant,
} from './membership.js'
import {
  type MembershipMessage,
  observer,
  readMembershipMessage,
} from './membership-message.js'
import { probeBody } from './request-codec.js'
import { deadAfterDefault, type HeartbeatOptions, Roster } from './roster.js'

export class NatsMembership implements Membership {
  readonly #connection: Connection
  readonly #subjects: ReturnType<typeof nodeSubjects>
  readonly #self: Member | undefined
  /** All that send heartbeats. */
  readonly #roster: Roster
  readonly #links: Links
  /** What members report: others with their last heartbeats, this node with its next one. */
  readonly #reports = new Map<string, readonly string[]>()
  readonly #view: MemberView
  readonly #every: number
  /** Milliseconds without an answer until a link is bad. */
  readonly #linkLimit: number
  readonly #deadAfter: number
  readonly #subscriptions: NatsSubscription[] = []
  #nextProbe = 0
  #unreachable: readonly string[] = []
  readonly #ownLink: OwnLink
  /** Requests for the hosts of a type that are not answered yet. */
  readonly #looking = new Map<string, Promise<boolean>>()
  /** Ids of nodes that are no longer members: the latest ones. */
  readonly #formerMembers = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #tickedAt = 0
  #stopListening: () => void = () => {}
  #isParticipating: boolean

  private constructor(
    connection: Connection,
    namespace: string,
    self: Member | undefined,
    { every = 1_000, ...limits }: HeartbeatOptions,
  ) {
    const { deadAfter = deadAfterDefault, silentAfter = 0 } = limits
    this.#connection = connection
    this.#subjects = nodeSubjects(namespace)
    this.#self = self
    this.#isParticipating = self !== undefined
    this.#every = every
    this.#roster = new Roster(limits)
    this.#linkLimit = Math.min(deadAfter, Math.max(silentAfter, deadAfter / 2))
    this.#links = new Links({ limit: this.#linkLimit, deadAfter, gap: 2.5 * every })
    // Before a link is judged: what this node sends with a heartbeat it may lose with it.
    this.#ownLink = new OwnLink(
      { limit: this.#linkLimit - every / 2, every },
      performance.now(),
    )
    this.#deadAfter = deadAfter
    this.#view = new MemberView(self?.id)
    this.#roster.onChange(({ joined, left, dead }) => {
      for (const { id } of left) {
        this.#addFormer(id)
        this.#reports.delete(id)
      }
      for (const { id } of joined) this.#formerMembers.delete(id)
      this.#look(dead)
    })
  }

  /**
   * Participates as `self`, or observes without it. Resolves once this node is announced to the others and has the
   * view of one of them (MEMBERSHIP-4).
   */
  static async join(
    connection: Connection,
    namespace: string,
    self: Member | undefined,
    options: HeartbeatOptions = {},
  ): Promise<NatsMembership> {
    const membership = new NatsMembership(connection, namespace, self, options)
    await membership.#start()
    return membership
  }

  members(): readonly Member[] {
    return this.#view.members()
  }

  onChange(listener: (change: MembershipChange) => void): () => void {
    return this.#view.onChange(listener)
  }

  suspect(id: string): void {
    const member = this.#find(id)
    if (member === undefined || id === this.#self?.id) return
    this.#links.refused(member, performance.now())
    this.#roster.dead(id)
  }

  unreachable(): readonly string[] {
    return this.#unreachable
  }

  lookFor(type: string): Promise<boolean> {
    const known = this.#looking.get(type)
    if (known !== undefined) return known
    const looking = this.#askForView(this.#subjects.whoServes(type))
      .then(reply => reply === 'message' || reply === 'timeout')
      .finally(() => this.#looking.delete(type))
    this.#looking.set(type, looking)
    return looking
  }

  async isReachable(id: string): Promise<boolean> {
    const member = this.#find(id)
    if (member !== undefined) return !this.#links.isDown(member)
    if (this.#formerMembers.has(id)) return false
    return (await this.#probeRequest(id, this.#every)).kind !== 'no-responders'
  }

  isRunning({ id, incarnation }: Pick<Member, 'id' | 'incarnation'>): boolean {
    return this.#find(id)?.incarnation === incarnation
  }

  async leave(): Promise<void> {
    if (!this.#isParticipating || this.#self === undefined) return
    this.#isParticipating = false
    this.#roster.left(this.#self)
    this.#publish('bye')
  }

  async close(): Promise<void> {
    await this.leave()
    clearInterval(this.#timer)
    this.#stopListening()
    for (const subscription of this.#subscriptions) subscription.unsubscribe()
  }

  async #start(): Promise<void> {
    const self = this.#self
    const subscribe = async (
      subject: string,
      receive: Parameters<Connection['subscribe']>[1],
    ) => this.#subscriptions.push(await this.#connection.subscribe(subject, receive))
    await subscribe(this.#subjects.members, message => this.#receive(message.data))
    if (self !== undefined) {
      await subscribe(this.#subjects.alive(self.id), message => message.respond())
      this.#roster.alive(self, performance.now())
    }
    this.#stopListening = this.#connection.onInterruption(interruption => {
      if (interruption !== 'disconnected') this.#resume()
    })
    this.#tickedAt = performance.now()
    this.#ownLink.restart(this.#tickedAt)
    this.#timer = setInterval(() => this.#tick(), this.#every)
    this.#timer.unref()
    this.#publish('hello')
    await this.#askForView(this.#subjects.who)
    // Not before: this node would have answered itself, with an empty view.
    if (self === undefined || !this.#isParticipating) return
    const answer = (message: Msg) => this.#answer(message)
    await subscribe(this.#subjects.who, answer)
    for (const type of self.types) await subscribe(this.#subjects.whoServes(type), answer)
  }

  /** Asks the members on a subject for their view, and adds that of the first one that answers. */
  async #askForView(subject: string): Promise<Reply['kind']> {
    const { requests } = this.#connection
    const sentAt = performance.now()
    const reply = await requests.request(subject, noBody, viewTimeout, reserved)
    if (reply.kind !== 'message') return reply.kind
    const { member, members = [] } = readMembershipMessage(reply.message.data) ?? {}
    const now = performance.now()
    if (member !== undefined) {
      this.#roster.alive(member, now)
      // Nobody else can take its work: it need not be proven for long.
      this.#answered(member, sentAt, now, { isNeeded: true })
    }
    // Another member may not know yet that a node has left, or is dead: its own word is needed.
    for (const other of members)
      if (
        isParticipant(other) &&
        !this.#formerMembers.has(other.id) &&
        this.#find(other.id) === undefined
      )
        this.#roster.alive(other, now)
    return reply.kind
  }

  #answer(message: Msg): void {
    if (!this.#isParticipating) return
    const { maxPayload } = this.#connection
    const here = { kind: 'here', member: this.#self } as const
    const view = encode({ ...here, members: this.members() })
    message.respond(view.length <= maxPayload ? view : encode(here))
  }

  /** After a time in which this node received nothing, and others may not have received its heartbeats. */
  #resume(): void {
    const now = performance.now()
    this.#ownLink.restart(now)
    this.#links.restart()
    this.#roster.restartTimeouts(now)
    this.#publish('hello')
  }

  #tick(): void {
    const now = performance.now()
    const sinceLast = now - this.#tickedAt
    this.#tickedAt = now
    if (!this.#connection.connected) return
    // This process stood still: heartbeats of others wait to be read, and others may have given it up.
    if (sinceLast > 2 * this.#every) return this.#resume()
    this.#ownLink.tick(this.#connection.nc.stats().inBytes, now)
    const mayJudge = !this.#isSilent(now)
    if (mayJudge) {
      const lag = this.#ownLink.lag(now)
      this.#links.sweep(now, lag)
      const slack = Math.min(lag, this.#deadAfter)
      for (const id of this.#roster.overdue(now - slack)) this.#giveUp(id, now)
    }
    this.#look()
    if (this.#self !== undefined && this.#isParticipating) {
      this.#roster.alive(this.#self, now)
      this.#publish('here')
    }
    if (mayJudge) this.#probeSome(now)
  }

  /** OWN-LINK-2. An observer sends no heartbeats. */
  #isSilent(now: number): boolean {
    return this.#isParticipating && this.#ownLink.isSilent(now)
  }

  #giveUp(id: string, now: number): void {
    const member = this.#find(id)
    if (member !== undefined) this.#links.lost(member, now)
    this.#roster.dead(id)
  }

  /** Brings what this node reports, and its view, up to date with the roster and the links. */
  #look(dead: readonly Member[] = []): void {
    const members = this.#roster.members()
    const isDown = (member: Member) => this.#links.isDown(member)
    this.#unreachable = members.filter(isDown).map(({ id }) => id)
    const { id } = this.#self ?? observer
    if (this.#unreachable.length > 0) this.#reports.set(id, this.#unreachable)
    else this.#reports.delete(id)
    this.#view.update({ members, reports: this.#reports, isDown, dead })
  }

  #probeSome(now: number): void {
    const others = this.#roster.members().filter(({ id }) => id !== this.#self?.id)
    const count = Math.min(probesMax, others.length)
    for (let i = 0; i < count; i++)
      this.#probeSoon(others[(this.#nextProbe + i) % others.length]!, now)
    this.#nextProbe = others.length > count ? this.#nextProbe + count : 0
  }

  #probeSoon(member: Member, now: number): void {
    inBackground(`probing node ${member.id}`, () => this.#probe(member, now))
  }

  async #probe(member: Member, sentAt: number): Promise<void> {
    this.#links.asked(member, sentAt)
    const limit = this.#linkLimit + this.#deadAfter
    const { kind } = await this.#probeRequest(member.id, limit).catch(notSent)
    const now = performance.now()
    if (kind === 'no-responders') this.#noResponders(member)
    else if (kind === 'message') this.#answered(member, sentAt, now)
    else if (kind !== 'timeout') this.#links.notSent(member, sentAt)
  }

  /** A member that was restarted meanwhile is another one. */
  #noResponders({ id, incarnation }: Member): void {
    if (this.#find(id)?.incarnation === incarnation) this.suspect(id)
  }

  #answered(
    member: Member,
    sentAt: number,
    now: number,
    { isNeeded = false } = {},
  ): void {
    this.#roster.probeAnswered(member.id, now)
    const wasDown = this.#links.isDown(member)
    const ownLag = this.#ownLink.lag(now)
    this.#links.answered(member, sentAt, now, { isNeeded, ownLag })
    if (wasDown && !this.#links.isDown(member)) this.#look()
  }

  #probeRequest(id: string, timeout: number) {
    const subject = this.#subjects.node(id)
    return this.#connection.requests.request(subject, probeBody, timeout, reserved)
  }

  #receive(bytes: Uint8Array): void {
    const message = readMembershipMessage(bytes)
    if (message === undefined) return
    const { kind, member, unreachable, lag, sentAt } = message
    const now = performance.now()
    if (member !== undefined) {
      if (member.id === this.#self?.id && member.incarnation === this.#self.incarnation)
        return this.#heardItself(sentAt, now)
      if (kind === 'bye') {
        this.#addFormer(member.id)
        return this.#roster.left(member)
      }
      if (isParticipant(member)) this.#heard(member, { unreachable, kind, lag }, now)
    }
    if (kind === 'hello' && this.#isParticipating) this.#publish('here')
  }

  /** A heartbeat of another member. */
  #heard(member: Member, { unreachable, kind, lag }: Heartbeat, now: number): void {
    const { id } = member
    const before = this.#reports.get(id) ?? []
    if (unreachable.length > 0) this.#reports.set(id, unreachable)
    else this.#reports.delete(id)
    const isKnown = this.#find(id)?.incarnation === member.incarnation
    this.#links.heard(member, now, lag)
    this.#roster.alive(member, now)
    // It has just come back, perhaps: the next tick would be late.
    if (this.#links.isDown(member) && (kind === 'hello' || !isKnown))
      this.#probeSoon(member, now)
    if (before.join() !== unreachable.join()) this.#look()
  }

  /** After a time in which it heard nothing of itself, what it knows is old. */
  #heardItself(sentAt: number, now: number): void {
    const wasSilent = this.#isSilent(now)
    this.#ownLink.heard(sentAt, now)
    if (wasSilent) this.#resume()
  }

  #publish(kind: MembershipMessage['kind']): void {
    if (!this.#connection.connected) return
    const sentAt = performance.now()
    const member = this.#self ?? observer
    const isCutOff = this.#isParticipating && this.#ownLink.isCutOff(sentAt)
    const unreachable = isCutOff ? [member.id] : this.#reports.get(member.id)
    const lag = Math.round(this.#ownLink.lag(sentAt))
    this.#connection.nc.publish(
      this.#subjects.members,
      encode({ kind, member, sentAt, lag, ...defined({ unreachable }) }),
    )
  }

  #find(id: string): Member | undefined {
    return this.#roster.members().find(member => member.id === id)
  }

  #addFormer(id: string): void {
    this.#formerMembers.add(id)
    for (const oldest of this.#formerMembers) {
      if (this.#formerMembers.size <= formerMembersMax) break
      this.#formerMembers.delete(oldest)
    }
  }
}

type Heartbeat = Required<Pick<MembershipMessage, 'kind' | 'unreachable' | 'lag'>>

const noBody = new Uint8Array()
/** The queue is full: it says nothing about the member. */
const notSent = () => ({ kind: 'not-sent' }) as const
const formerMembersMax = 1_000
/** Members that are probed at each tick; with more, they take turns. */
const probesMax = 32
/** Milliseconds for a member to answer with its view: a busy one must not keep others from starting. */
const viewTimeout = 1_000
