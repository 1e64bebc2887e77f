// Group commit: commits of different actors that are on their way at the same time ride one
// atomic batch, on a server that waits for its disk before each acknowledgement. It then waits
// once for all of them.
//
// Owns the line of commits that wait to go out. What it hands back for each is what became of one
// attempt to publish it; all that follows from it (src/store/event-store/jetstream.ts, STORE-JS-1 to STORE-JS-5) is that of a commit on its own.
//
// G1. Nothing waits for company: who finds nobody on the way goes out at once, alone. What
//     comes while others are out is what rides together.
// G2. One group at a time: a server does them one after the other. What comes meanwhile waits for
//     its end, which is bounded by the deadline of an attempt.
// G3. A group is no transaction. When the server refuses it, nothing of it is stored, and it is
//     taken apart until each has an answer of its own.
// G4. In a group no subject stands twice: the second would be judged before the first is there.
// G5. A repeat of an unclear attempt goes alone: it may be stored, and would be the end of a group.
// G6. Each commit ends at its own deadline and signal, whatever becomes of the others: as
//     `not-now` before it is out, as `unclear` when it is.
// G7. At most `waitingMax` wait, at most `groupMax` and `groupBytesMax` ride together, and at most
//     as many as make a group are out alone.

import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import type { Position } from '../model/version.js'
import { AckCost } from './ack-cost.js'
import { publishEncodedBatch } from './batch.js'
import type { Connection } from './connection.js'
import { directSome } from './direct-get.js'
import {
  type ExpectingPublish,
  publishExpecting,
  type PublishOutcome,
} from './publish.js'
import { queueFull } from './requests.js'
import { checksOtherSubjects } from './server-version.js'

/** `auto`: where the server waits for its disk before each acknowledgement, one after another. */
export type GroupCommitMode = 'auto' | 'on' | 'off'

const modes: readonly unknown[] = ['auto', 'on', 'off'] satisfies GroupCommitMode[]

/** Throws `invalid-option`. */
export function checkGroupCommitMode(mode: unknown): void {
  if (modes.includes(mode)) return
  throw new CairnError(
    'invalid-option',
    `groupCommit is ${show(mode)}: use 'auto', 'on' or 'off'.`,
  )
}

export interface GroupCommitStats {
  readonly mode: GroupCommitMode
  /** Whether commits ride together now; with `auto` nobody knows before a node is busy. */
  readonly active: boolean
  /** Milliseconds from one commit to the next while several wait, by the server's clock, if measured. */
  readonly ackCost?: number
  /** Groups that were stored. */
  readonly groups: number
  /** Commits that were stored in them. */
  readonly commits: number
  /** Groups that were refused, and taken apart. */
  readonly takenApart: number
}

export interface GroupCommitOptions {
  readonly mode: GroupCommitMode
  /** Copies of the stream. */
  readonly replicas: number
  /** How many commits are a group, at least. Default 32. */
  readonly min?: number
}

/** What waits for an answer here. */
class GroupMember {
  readonly request: ExpectingPublish
  readonly deadline: number
  /** Whether a group with it is on its way. */
  isOut = false
  #settle: ((outcome: PublishOutcome) => void) | undefined
  #reject: (error: unknown) => void
  readonly #gone: (member: GroupMember) => void

  constructor(
    request: ExpectingPublish,
    settle: (outcome: PublishOutcome) => void,
    reject: (error: unknown) => void,
    gone: (member: GroupMember) => void,
  ) {
    this.request = request
    this.deadline = performance.now() + request.timeout
    this.#settle = settle
    this.#reject = reject
    this.#gone = gone
    request.signal?.addEventListener('abort', this.#abort, { once: true })
  }

  get isSettled(): boolean {
    return this.#settle === undefined
  }

  settle(outcome: PublishOutcome): void {
    const settle = this.#settle
    if (settle === undefined) return
    this.#leave()
    settle(outcome)
  }

  fail(error: unknown): void {
    if (this.#settle === undefined) return
    this.#leave()
    this.#reject(error)
  }

  /** G6. */
  end(why: string): void {
    this.settle({ kind: this.isOut ? 'unclear' : 'not-now', why })
  }

  late(): void {
    const { timeout } = this.request
    this.end(this.isOut ? `no answer within ${timeout} ms` : 'too many commits wait')
  }

  #leave(): void {
    this.#settle = undefined
    this.request.signal?.removeEventListener('abort', this.#abort)
    this.#gone(this)
  }

  readonly #abort = () => this.end("the caller's signal was aborted")
}

/** Measured here: below, a batch takes the server longer than as many commits one by one. */
const groupMinDefault = 32
/** A server takes 1,000. */
const groupMax = 500
const groupBytesMax = 4 * 1024 * 1024
/** A commit of more bytes goes alone: its bytes take the time, not the wait for the disk. */
const memberBytesMax = 64 * 1024
/** What the lines of a batch add to a message, at most. */
const batchLinesMax = 200
const waitingMax = 65_536
/** Requests on their way from which on it is worth knowing what an acknowledgement costs. */
const busyFrom = 16
/** Commits that are measured, and how far their positions may lie apart. */
const samples = 64
const samplesSpan = 400
/** As many are out then, at most: those that nobody is ahead of do not count. */
const sampledOut = samples + busyFrom
const judgeTimeout = 500
const sweepEvery = 50

export class GroupCommit {
  readonly #connection: Connection
  readonly #mode: GroupCommitMode
  readonly #min: number
  readonly #cost = new AckCost()
  /** In the line, or in a group. */
  readonly #open = new Set<GroupMember>()
  /** Whether `auto` considers it at all. */
  #isCandidate: boolean
  #queue: GroupMember[] = []
  /** Whether somebody in the line has left it. */
  #hasLeft = false
  #singles = 0
  #isGrouping = false
  /** Positions of commits that were sent each by itself to be measured, while they are. */
  #sampled: Position[] | undefined
  #isJudging = false
  #turn = 0
  #isSendScheduled = false
  #sweeper: NodeJS.Timeout | undefined
  #groups = 0
  #commits = 0
  #takenApart = 0

  constructor(connection: Connection, options: GroupCommitOptions) {
    this.#connection = connection
    this.#mode = options.mode
    this.#isCandidate = this.#mayHelp(options.replicas)
    this.#min = options.min ?? groupMinDefault
  }

  /**
   * Publishes and waits for the answer, as {@link publishExpecting} does.
   *
   * @param isRepeat of an attempt whose outcome was unclear
   */
  publish(request: ExpectingPublish, isRepeat: boolean): Promise<PublishOutcome> {
    if (isRepeat) return publishExpecting(this.#connection, request) // G5
    const isSampled = this.#mode === 'auto' && this.#isSampling()
    const isHolding = isSampled && this.#isHolding()
    if (isSampled && !isHolding && !this.#isJudging) return this.#publishSampled(request)
    if (!(this.#isActive() || isHolding) || !this.#mayRide(request))
      return publishExpecting(this.#connection, request)
    const isFirst = this.#open.size === 0 && this.#singles === 0 && !isHolding
    if (isFirst && this.#min > 1) return this.#publishAlone(request) // G1
    if (this.#queue.length >= waitingMax) return Promise.reject(queueFull(waitingMax))
    return new Promise((settle, reject) => {
      const member = new GroupMember(request, settle, reject, this.#onSettled)
      this.#open.add(member)
      this.#queue.push(member)
      this.#sweeper ??= setInterval(this.#sweep, sweepEvery)
      this.#sendNextSoon()
    })
  }

  /** The server or the stream may be another one: what was measured means nothing. */
  reconfigure(replicas: number): void {
    this.#isCandidate = this.#mayHelp(replicas)
    this.#cost.reset()
    this.#sampled = undefined
  }

  stats(): GroupCommitStats {
    const { cost } = this.#cost
    return {
      mode: this.#mode,
      active: this.#isActive(),
      ...(cost !== undefined && { ackCost: cost }),
      groups: this.#groups,
      commits: this.#commits,
      takenApart: this.#takenApart,
    }
  }

  #isActive(): boolean {
    if (this.#mode !== 'auto') return this.#mode === 'on'
    return this.#isCandidate && this.#cost.waitsForDisk === true
  }

  /** With several copies a server groups what it writes by itself; old ones had trouble with batches. */
  #mayHelp(replicas: number): boolean {
    return replicas === 1 && checksOtherSubjects(this.#connection.serverVersion)
  }

  /** Whether it is being found out what commits cost that are sent each by itself. */
  #isSampling(): boolean {
    if (this.#sampled !== undefined || this.#isJudging) return true
    // The clock is not looked at for each.
    if ((++this.#turn & 15) !== 0 || !this.#isCandidate) return false
    const { inFlight } = this.#connection.requests
    const isBusy = inFlight >= busyFrom || this.#queue.length >= busyFrom
    if (!isBusy || !this.#cost.isDue(performance.now())) return false
    this.#sampled = []
    return true
  }

  /** The first time, no more go out by themselves than have to: it may be a slow disk. */
  #isHolding(): boolean {
    if (this.#cost.waitsForDisk !== undefined) return false
    return this.#isJudging || (this.#sampled !== undefined && this.#singles >= sampledOut)
  }

  #mayRide({ headers, body }: ExpectingPublish): boolean {
    const bytes = headers.length + body.length
    return bytes <= memberBytesMax && bytes + batchLinesMax <= this.#connection.maxPayload
  }

  /** Once this turn of the event loop has brought all that it brings. */
  #sendNextSoon(): void {
    if (this.#isSendScheduled) return
    this.#isSendScheduled = true
    setImmediate(() => {
      this.#isSendScheduled = false
      this.#sendNext()
    })
  }

  #sendNext(): void {
    if (this.#isGrouping) return // G2
    this.#removeSettled()
    if (this.#queue.length === 0 || this.#isHolding()) return
    const isActive = this.#isActive()
    if (isActive && this.#queue.length >= this.#min)
      return void this.#sendGroup(this.#nextGroup())
    // Too few, or they are not to ride any more: alone, as many as may be out.
    const isFirstTime =
      this.#sampled !== undefined && this.#cost.waitsForDisk === undefined
    const out = isActive ? this.#min : isFirstTime ? sampledOut : Infinity
    const room = Math.max(0, out - this.#singles)
    for (const member of this.#queue.splice(0, room)) void this.#sendAlone(member)
  }

  /** G4, G7: takes them out of the line. */
  #nextGroup(): GroupMember[] {
    const group: GroupMember[] = []
    const left: GroupMember[] = []
    const subjects = new Set<string>()
    let bytes = 0
    for (const member of this.#queue) {
      const { subject, headers, body } = member.request
      const size = headers.length + body.length
      const isFull = group.length === groupMax || bytes + size > groupBytesMax
      if (isFull || subjects.has(subject)) left.push(member)
      else {
        subjects.add(subject)
        group.push(member)
        bytes += size
      }
    }
    this.#queue = left
    return group
  }

  async #sendGroup(group: readonly GroupMember[]): Promise<void> {
    this.#isGrouping = true
    try {
      await this.#sendBatch(group)
    } catch (error) {
      for (const member of group) member.fail(error)
    }
    this.#isGrouping = false
    this.#sendNextSoon()
  }

  /** Finds an answer for each, in one batch or in several. */
  async #sendBatch(members: readonly GroupMember[]): Promise<void> {
    const group = members.filter(member => !member.isSettled)
    if (group.length < this.#min) return this.#oneByOne(group)
    const now = performance.now()
    const timeout = Math.max(1, ...group.map(({ deadline }) => deadline - now))
    const requests = group.map(({ request }) => request)
    for (const member of group) member.isOut = true
    const { stream } = requests[0]!
    const outcome = await publishEncodedBatch(this.#connection, stream, requests, timeout)
    switch (outcome.kind) {
      case 'stored': {
        const { positions } = outcome
        this.#groups++
        this.#commits += group.length
        for (const [i, member] of group.entries())
          member.settle({ kind: 'stored', position: positions[i]!, duplicate: false })
        return
      }
      case 'unclear':
        for (const member of group) member.settle(outcome)
        return
      default: {
        // G3. Nothing of it is stored.
        this.#takenApart++
        for (const member of group) member.isOut = false
        const half = group.length >> 1
        if (outcome.kind !== 'wrong-sequence' || half < this.#min)
          return this.#oneByOne(group)
        await this.#sendBatch(group.slice(0, half))
        return this.#sendBatch(group.slice(half))
      }
    }
  }

  async #oneByOne(members: readonly GroupMember[]): Promise<void> {
    await Promise.all(members.map(member => this.#sendAlone(member)))
  }

  /** Resolves when it has its answer; never rejects. */
  async #sendAlone(member: GroupMember): Promise<void> {
    if (member.isSettled) return
    member.isOut = true
    const { deadline, request } = member
    const timeout = Math.max(1, deadline - performance.now())
    try {
      const timed = { ...request, timeout }
      const isSampled = this.#sampled !== undefined
      member.settle(
        await (isSampled ? this.#publishSampled(timed) : this.#publishAlone(timed)),
      )
    } catch (error) {
      member.fail(error)
    }
  }

  async #publishAlone(request: ExpectingPublish): Promise<PublishOutcome> {
    this.#singles++
    try {
      return await publishExpecting(this.#connection, request)
    } finally {
      this.#singles--
      if (this.#queue.length > 0) this.#sendNextSoon()
    }
  }

  async #publishSampled(request: ExpectingPublish): Promise<PublishOutcome> {
    const isInLine = this.#singles >= busyFrom
    const outcome = await this.#publishAlone(request)
    const sampled = this.#sampled
    if (outcome.kind !== 'stored' || !isInLine || sampled === undefined) return outcome
    sampled.push(outcome.position)
    if (sampled.length >= samples) void this.#judge(request.stream, sampled)
    return outcome
  }

  /** Reads when the server stored them. */
  async #judge(stream: string, sampled: readonly Position[]): Promise<void> {
    this.#sampled = undefined
    this.#isJudging = true
    const known = new Set(sampled)
    const last = Math.max(...sampled)
    const from = Math.max(1, last - samplesSpan)
    try {
      const count = last - from + 1
      const bounds = AbortSignal.timeout(judgeTimeout)
      const connection = this.#connection
      const messages = await directSome(connection, stream, '>', from, count, bounds)
      const stamps = messages
        .filter(({ position }) => known.has(position))
        .map(({ position, headers }) => ({
          position,
          time: headers.get('Nats-Time-Stamp') ?? '',
        }))
      this.#cost.update(stamps, performance.now())
    } catch {
      // Nobody waits for it. Who reads or writes next meets the same trouble, and reports it.
      this.#cost.update([], performance.now())
    }
    this.#isJudging = false
    this.#sendNextSoon()
  }

  #removeSettled(): void {
    if (!this.#hasLeft) return
    this.#hasLeft = false
    this.#queue = this.#queue.filter(member => !member.isSettled)
  }

  readonly #onSettled = (member: GroupMember) => {
    this.#open.delete(member)
    if (!member.isOut) this.#hasLeft = true
  }

  /** G6. Ends itself when nothing has been left to look after. */
  readonly #sweep = () => {
    const now = performance.now()
    for (const member of this.#open) if (member.deadline <= now) member.late()
    if (this.#open.size > 0) return
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }
}
