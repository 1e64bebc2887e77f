// Membership on NATS: members send heartbeats, and the server knows which subscriptions exist.
//
//   cairn.<ns>.members        { kind: 'hello' | 'here' | 'bye', member }, MessagePack
//   cairn.<ns>.alive.<id>     probe of a member whose heartbeats are missing
//   cairn.<ns>.who            request of a node that joins: any member answers with its view
//   cairn.<ns>.who.<type>     the same, of a node that misses a host of the type; its hosts answer
//
// A heartbeat needs the event loop, and a handler may block it for long. So a member without heartbeats is
// not removed at once but probed. The server keeps the member's
// subscription as long as its connection exists, and answers "no responders" if the process is
// dead. A process that is alive and busy does not answer, and remains a member until
// `deadAfter`.
//
// A node that joins does not wait for heartbeats: the first answer holds all members. The server answers "no responders"
// when there is no member, so joining alone costs one round trip.

import type { Msg } from 'nats'

import { decode, encode } from '../codec/msgpack.js'
import type { Connection, NatsSubscription } from '../nats/connection.js'
import type { Reply } from '../nats/requests.js'
import {
  type Member,
  type Membership,
  type MembershipChange,
  isParticipant,
} from './membership.js'
import { readMember } from './read-member.js'
import type { HeartbeatOptions } from './roster.js'
import { Roster } from './roster.js'

interface MembershipMessage {
  readonly kind: 'hello' | 'here' | 'bye'
  /** Absent for an observer. */
  readonly member: Member | undefined
  /** The view of the member, in an answer. */
  readonly members?: readonly Member[]
}

export class NatsMembership implements Membership {
  readonly #connection: Connection
  readonly #namespace: string
  readonly #self: Member | undefined
  readonly #roster: Roster
  readonly #every: number
  readonly #subscriptions: NatsSubscription[] = []
  readonly #probing = new Set<string>()
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
    this.#connection = connection
    this.#namespace = namespace
    this.#self = self
    this.#isParticipating = self !== undefined
    this.#every = every
    this.#roster = new Roster(limits)
    this.#roster.onChange(({ joined, left }) => {
      for (const { id } of left) this.#addFormer(id)
      for (const { id } of joined) this.#formerMembers.delete(id)
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
    return this.#roster.members()
  }

  onChange(listener: (change: MembershipChange) => void): () => void {
    return this.#roster.onChange(listener)
  }

  suspect(id: string): void {
    if (id !== this.#self?.id) this.#roster.dead(id)
  }

  lookFor(type: string): Promise<boolean> {
    const known = this.#looking.get(type)
    if (known !== undefined) return known
    const looking = this.#askForView(`${this.#whoSubject}.${type}`)
      .then(reply => reply === 'message' || reply === 'timeout')
      .finally(() => this.#looking.delete(type))
    this.#looking.set(type, looking)
    return looking
  }

  async isReachable(id: string): Promise<boolean> {
    if (this.#knows(id)) return true
    if (this.#formerMembers.has(id)) return false
    return (await this.#probeRequest(id)).kind !== 'no-responders'
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
    await subscribe(this.#subject, message => this.#receive(message.data))
    if (self !== undefined) {
      await subscribe(`cairn.${this.#namespace}.alive.${self.id}`, message =>
        message.respond(),
      )
      this.#roster.alive(self, performance.now())
    }
    this.#stopListening = this.#connection.onInterruption(interruption => {
      if (interruption !== 'disconnected') this.#resume()
    })
    this.#tickedAt = performance.now()
    this.#timer = setInterval(() => this.#tick(), this.#every)
    this.#timer.unref()
    this.#publish('hello')
    await this.#askForView(this.#whoSubject)
    // Not before: this node would have answered itself, with an empty view.
    if (self === undefined || !this.#isParticipating) return
    const answer = (message: Msg) => this.#answer(message)
    await subscribe(this.#whoSubject, answer)
    for (const type of self.types) await subscribe(`${this.#whoSubject}.${type}`, answer)
  }

  /** Asks the members on a subject for their view, and adds that of the first one that answers. */
  async #askForView(subject: string): Promise<Reply['kind']> {
    const { requests } = this.#connection
    const reply = await requests.request(subject, noBody, viewTimeout)
    if (reply.kind !== 'message') return reply.kind
    const { member, members = [] } = readMembershipMessage(reply.message.data) ?? {}
    const now = performance.now()
    if (member !== undefined) this.#roster.alive(member, now)
    // Another member may not know yet that a node has left, or is dead: its own word is needed.
    for (const other of members)
      if (
        isParticipant(other) &&
        !this.#formerMembers.has(other.id) &&
        !this.#knows(other.id)
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
    this.#roster.restartTimeouts(performance.now())
    this.#publish('hello')
  }

  #tick(): void {
    const now = performance.now()
    const sinceLast = now - this.#tickedAt
    this.#tickedAt = now
    if (!this.#connection.connected) return
    // This process stood still: heartbeats of others wait to be read, and others may have given it up.
    if (sinceLast > 2 * this.#every) return this.#resume()
    if (this.#self !== undefined && this.#isParticipating) {
      this.#roster.alive(this.#self, now)
      this.#publish('here')
    }
    for (const id of this.#roster.sweep(now))
      if (!this.#probing.has(id)) void this.#probe(id)
  }

  async #probe(id: string): Promise<void> {
    this.#probing.add(id)
    const reply = await this.#probeRequest(id)
    this.#probing.delete(id)
    if (reply.kind === 'no-responders') this.suspect(id)
    else if (reply.kind === 'message') this.#roster.probeAnswered(id, performance.now())
  }

  #probeRequest(id: string) {
    const subject = `cairn.${this.#namespace}.alive.${id}`
    return this.#connection.requests.request(subject, noBody, this.#every)
  }

  #receive(bytes: Uint8Array): void {
    const message = readMembershipMessage(bytes)
    if (message === undefined) return
    const { kind, member } = message
    if (member !== undefined) {
      if (member.id === this.#self?.id && member.incarnation === this.#self.incarnation)
        return
      if (kind === 'bye') {
        this.#addFormer(member.id)
        return this.#roster.left(member)
      }
      if (isParticipant(member)) this.#roster.alive(member, performance.now())
    }
    if (kind === 'hello' && this.#isParticipating) this.#publish('here')
  }

  #publish(kind: MembershipMessage['kind']): void {
    if (!this.#connection.connected) return
    const member = this.#self ?? observer
    this.#connection.nc.publish(this.#subject, encode({ kind, member }))
  }

  #knows(id: string): boolean {
    return this.#roster.members().some(member => member.id === id)
  }

  #addFormer(id: string): void {
    this.#formerMembers.add(id)
    for (const oldest of this.#formerMembers) {
      if (this.#formerMembers.size <= formerMembersMax) break
      this.#formerMembers.delete(oldest)
    }
  }

  get #whoSubject(): string {
    return `cairn.${this.#namespace}.who`
  }

  get #subject(): string {
    return `cairn.${this.#namespace}.members`
  }
}

const noBody = new Uint8Array()
const formerMembersMax = 1_000
/** Milliseconds for a member to answer with its view: a busy one must not keep others from starting. */
const viewTimeout = 1_000

const observer: Member = {
  id: '',
  types: [],
  weight: 0,
  version: '',
  incarnation: 0,
  metadata: {},
}

/** Reads a message of any version; `undefined` for anything else, which is ignored. */
function readMembershipMessage(bytes: Uint8Array): MembershipMessage | undefined {
  try {
    const { kind, member, members } = decode(bytes) as Partial<MembershipMessage>
    if (kind !== 'hello' && kind !== 'here' && kind !== 'bye') return undefined
    const view = Array.isArray(members) ? members.map(readMember) : []
    return {
      kind,
      member: readMember(member),
      members: view.filter(other => other !== undefined),
    }
  } catch {
    return undefined
  }
}
