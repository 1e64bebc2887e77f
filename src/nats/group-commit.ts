// Group commit: commits of different actors that are published at the same time share one atomic batch, on a server that
// waits for its disk before each acknowledgement. The server then waits once for all of them.
//
// Owns the queue of commits that wait to be sent. Its result for each commit is the outcome of one attempt to publish it;
// all that follows (src/store/event-store/jetstream-commits.ts, STORE-JS-1 to STORE-JS-3) is the same as for a commit sent alone.
//
// GROUP-COMMIT-1. No commit waits for others: a commit that finds none in flight is sent at once, alone. The commits
//     that arrive while others are in flight form the next group.
// GROUP-COMMIT-2. One group at a time: the server stores groups one after the other. Commits that arrive meanwhile wait
//     for its end, which is bounded by the deadline of an attempt.
// GROUP-COMMIT-3. A group is not a transaction. When the server refuses it, none of its commits is stored, and it is
//     split until each commit has its own answer.
// GROUP-COMMIT-4. No subject occurs twice in a group: the server would compare the second expectation before the first
//     commit is stored.
// GROUP-COMMIT-5. A retry of an unclear attempt is sent alone: it may already be stored, and would make the group fail.
// GROUP-COMMIT-6. Each commit ends at its own deadline and signal, independently of the others: as
//     `not-now` before it is sent, as `unclear` afterwards.
// GROUP-COMMIT-7. At most `queuedMax` commits wait, at most `groupMax` commits and `groupBytesMax` bytes form a group, and
//     at most as many commits as the smallest group are in flight alone.

import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import {
  AckCostSampler,
  busyRequests,
  samplesPerMeasurement,
} from './ack-cost-sampler.js'
import { publishEncodedBatch } from './batch.js'
import type { Connection } from './connection.js'
import { GroupMember } from './group-member.js'
import {
  type ExpectingPublish,
  publishExpecting,
  type PublishOutcome,
} from './publish.js'
import { queueFull } from './requests.js'
import { checksOtherSubjects } from './server-version.js'

/** `auto`: on if the server waits for its disk before each acknowledgement, one after the other. */
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
  /** Whether commits are grouped now. With `auto` this is measured once a node is busy. */
  readonly active: boolean
  /** Milliseconds from one commit to the next while several wait, by the server's clock; absent if not measured. */
  readonly ackCost?: number
  /** Groups stored. */
  readonly groups: number
  /** Commits stored in groups. */
  readonly commits: number
  /** Groups that were refused and split. */
  readonly takenApart: number
}

export interface GroupCommitOptions {
  readonly mode: GroupCommitMode
  /** Replicas of the stream. */
  readonly replicas: number
  /** Smallest group, in commits. Default 32. */
  readonly min?: number
}

/** Measured: a smaller batch takes the server longer than the same commits one by one. */
const groupMinDefault = 32
/** The server's limit is 1,000. */
const groupMax = 500
const groupBytesMax = 4 * 1024 * 1024
/** A larger commit is sent alone: transferring it takes longer than the wait for the disk. */
const memberBytesMax = 64 * 1024
/** Bytes that the headers of a batch add to a message, at most. */
const batchHeaderBytesMax = 200
const queuedMax = 65_536
/** Commits in flight alone during the first measurement, at most; the first ones have no commit ahead and do not count. */
const sampledSinglesMax = samplesPerMeasurement + busyRequests
/** Milliseconds. */
const sweepInterval = 50

export class GroupCommit {
  readonly #connection: Connection
  readonly #mode: GroupCommitMode
  readonly #min: number
  readonly #sampler: AckCostSampler
  /** Queued, or in a group. */
  readonly #open = new Set<GroupMember>()
  /** Whether `auto` may turn group commit on. */
  #isCandidate: boolean
  #queue: GroupMember[] = []
  /** Whether the queue contains settled members. */
  #hasSettled = false
  /** Commits in flight that were sent alone. */
  #singles = 0
  #isGrouping = false
  #isSendScheduled = false
  #sweeper: NodeJS.Timeout | undefined
  #groups = 0
  #commits = 0
  #splitGroups = 0

  constructor(connection: Connection, options: GroupCommitOptions) {
    this.#connection = connection
    this.#sampler = new AckCostSampler(connection, () => this.#sendNextSoon())
    this.#mode = options.mode
    this.#isCandidate = this.#mayHelp(options.replicas)
    this.#min = options.min ?? groupMinDefault
  }

  /**
   * Publishes and waits for the answer, as {@link publishExpecting} does.
   *
   * @param isRetry whether it repeats an attempt whose outcome was unclear
   */
  publish(request: ExpectingPublish, isRetry: boolean): Promise<PublishOutcome> {
    if (isRetry) return publishExpecting(this.#connection, request) // GROUP-COMMIT-5
    const isSampled = this.#mode === 'auto' && this.#isSampling()
    const isHolding = isSampled && this.#isHolding()
    if (isSampled && !isHolding && !this.#sampler.isReading)
      return this.#publishSampled(request)
    if (!(this.#isActive() || isHolding) || !this.#fitsGroup(request))
      return publishExpecting(this.#connection, request)
    const isFirst = this.#open.size === 0 && this.#singles === 0 && !isHolding
    if (isFirst && this.#min > 1) return this.#publishAlone(request) // GROUP-COMMIT-1
    if (this.#queue.length >= queuedMax) return Promise.reject(queueFull(queuedMax))
    return new Promise((settle, reject) => {
      const member = new GroupMember(request, settle, reject, this.#onSettled)
      this.#open.add(member)
      this.#queue.push(member)
      this.#sweeper ??= setInterval(this.#sweep, sweepInterval)
      this.#sendNextSoon()
    })
  }

  /** The server or the stream may have changed: the measured cost is discarded. */
  reconfigure(replicas: number): void {
    this.#isCandidate = this.#mayHelp(replicas)
    this.#sampler.reset()
  }

  stats(): GroupCommitStats {
    const { cost } = this.#sampler
    return {
      mode: this.#mode,
      active: this.#isActive(),
      ...(cost !== undefined && { ackCost: cost }),
      groups: this.#groups,
      commits: this.#commits,
      takenApart: this.#splitGroups,
    }
  }

  #isActive(): boolean {
    if (this.#mode !== 'auto') return this.#mode === 'on'
    return this.#isCandidate && this.#sampler.waitsForDisk === true
  }

  /** With several replicas the server groups its writes itself; old servers mishandle such batches. */
  #mayHelp(replicas: number): boolean {
    return replicas === 1 && checksOtherSubjects(this.#connection.serverVersion)
  }

  /** Whether the cost of single commits is being measured. Starts a measurement when one is due. */
  #isSampling(): boolean {
    const sampler = this.#sampler
    return (
      sampler.isCollecting ||
      sampler.isReading ||
      (this.#isCandidate && sampler.startIfDue(this.#queue.length))
    )
  }

  /**
   * Whether commits are held back during the first measurement: no more are sent alone than needed, as the disk may
   * be slow.
   */
  #isHolding(): boolean {
    const sampler = this.#sampler
    if (sampler.waitsForDisk !== undefined) return false
    return (
      sampler.isReading || (sampler.isCollecting && this.#singles >= sampledSinglesMax)
    )
  }

  #fitsGroup({ headers, body }: ExpectingPublish): boolean {
    const bytes = headers.length + body.length
    return (
      bytes <= memberBytesMax &&
      bytes + batchHeaderBytesMax <= this.#connection.maxPayload
    )
  }

  /** Sends after this turn of the event loop, so that all commits of the turn are queued. */
  #sendNextSoon(): void {
    if (this.#isSendScheduled) return
    this.#isSendScheduled = true
    setImmediate(() => {
      this.#isSendScheduled = false
      this.#sendNext()
    })
  }

  #sendNext(): void {
    if (this.#isGrouping) return // GROUP-COMMIT-2
    this.#removeSettled()
    if (this.#queue.length === 0 || this.#isHolding()) return
    const isActive = this.#isActive()
    if (isActive && this.#queue.length >= this.#min)
      return void this.#sendGroup(this.#nextGroup())
    // Too few for a group, or grouping is off: send as many alone as may be in flight.
    const isFirstMeasurement =
      this.#sampler.isCollecting && this.#sampler.waitsForDisk === undefined
    const singlesMax = isActive
      ? this.#min
      : isFirstMeasurement
        ? sampledSinglesMax
        : Infinity
    const room = Math.max(0, singlesMax - this.#singles)
    for (const member of this.#queue.splice(0, room)) void this.#sendAlone(member)
  }

  /** Takes the next group from the queue: GROUP-COMMIT-4, GROUP-COMMIT-7. */
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

  /** Gets an answer for each member, in one batch or in several. */
  async #sendBatch(members: readonly GroupMember[]): Promise<void> {
    const group = members.filter(member => !member.isSettled)
    if (group.length < this.#min) return this.#sendEachAlone(group)
    const now = performance.now()
    const timeout = Math.max(1, ...group.map(({ deadline }) => deadline - now))
    const requests = group.map(({ request }) => request)
    for (const member of group) member.isSent = true
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
      case 'write-failed':
        for (const member of group) member.settle(outcome)
        return
      default: {
        // GROUP-COMMIT-3: nothing is stored.
        this.#splitGroups++
        for (const member of group) member.isSent = false
        const half = group.length >> 1
        if (outcome.kind !== 'wrong-sequence' || half < this.#min)
          return this.#sendEachAlone(group)
        await this.#sendBatch(group.slice(0, half))
        return this.#sendBatch(group.slice(half))
      }
    }
  }

  async #sendEachAlone(members: readonly GroupMember[]): Promise<void> {
    await Promise.all(members.map(member => this.#sendAlone(member)))
  }

  /** Resolves once the member has its answer; never rejects. */
  async #sendAlone(member: GroupMember): Promise<void> {
    if (member.isSettled) return
    member.isSent = true
    const { deadline, request } = member
    const timeout = Math.max(1, deadline - performance.now())
    try {
      const timed = { ...request, timeout }
      const isSampled = this.#sampler.isCollecting
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
    const hasCommitsAhead = this.#singles >= busyRequests
    const outcome = await this.#publishAlone(request)
    if (outcome.kind === 'stored' && hasCommitsAhead)
      this.#sampler.add(request.stream, outcome.position)
    return outcome
  }

  #removeSettled(): void {
    if (!this.#hasSettled) return
    this.#hasSettled = false
    this.#queue = this.#queue.filter(member => !member.isSettled)
  }

  readonly #onSettled = (member: GroupMember) => {
    this.#open.delete(member)
    if (!member.isSent) this.#hasSettled = true
  }

  /** GROUP-COMMIT-6. Stops itself once no member is open. */
  readonly #sweep = () => {
    const now = performance.now()
    for (const member of this.#open) if (member.deadline <= now) member.expire()
    if (this.#open.size > 0) return
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }
}
