// An actor in memory on this node: its state, and the command loop that changes it.
//
// Owns the actor's lifecycle on this node and its mailbox. Nothing else changes its state.
// ACTOR-1. One command or read at a time, in the order of arrival (MAILBOX-1).
// ACTOR-2. The state in memory is the state at `version`, folded from stored commits only. A
//     tentative fold is adopted when its append is acknowledged, and not before.
// ACTOR-3. After an append without an acknowledgement, for any reason, the state in memory is not
//     trusted, because `evolve` may have changed it in place. The next step reads the history again.
// ACTOR-4. No answer rests on an old state. The store checks the version of whatever is stored. An
//     answer that stores nothing is confirmed by a read or an own append that began after the call
//     arrived. A read that names a sufficient version accepts any state from that version on.
// ACTOR-5. Reports from outside (notices, "unverified") only make the next command read the
//     history. They never change the state, and a wrong report costs one read.
// ACTOR-6. A command that may be a duplicate is decided on a version only after it was searched for
//     in every commit up to that version (DUPLICATES-1).
// ACTOR-7. Before its turn a command waits until the operators' directives are known. It is refused
//     while the actor is paused, and a state is used only if it was folded with the skips that they
//     gave (SKIPS-1). A command that has begun is finished.
// ACTOR-8. After a failure the supervision policy of the type decides. A parked actor answers with
//     the reason. A restarting actor keeps its current command, and the others wait after it.
// ACTOR-9. Commands that wait after a command that stores something may be stored with it as one
//     commit (command-batch.ts). When that commit is refused, each of them gets its turn again.
// ACTOR-10. A command that loses to another writer is decided again until its time is over, with random
//     pauses: the other writer may merely be busy. It ends in `contention` then.
// ACTOR-11. A writer that stores without a pause would win every time. So for a while after a conflict this
//     actor leaves gaps between its commits, in which another owner can read the history and append.

import { type ActorAddress, formatAddress, isReservedType } from '../model/address.js'
import type { AcceptedDecision, Command, Decision } from '../model/behavior.js'
import type { Clock } from '../model/clock.js'
import type { MalformedRecord } from '../model/commit.js'
import { CairnError, isCairnError } from '../model/errors.js'
import type { AskOutcome, AcceptedOutcome } from '../model/command-sender.js'
import type { WriteLog } from '../model/log.js'
import type { Redelivery } from '../model/redelivery.js'
import { show } from '../model/show.js'
import type { TimerFiring } from '../model/timer.js'
import type { Position, Version } from '../model/version.js'
import { pause, raceSignal } from '../model/wait.js'
import type {
  AppendOptions,
  AppendResult,
  EventStore,
} from '../store/event-store/event-store.js'
import { runAfterCommit } from './after-commit.js'
import { type Call, type OpenCall, SharedAppend } from './call.js'
import { type InlineStatePlan, planInlineState } from './inline-state.js'
import { withCauses } from './causes.js'
import { acceptedOutcome, decide, rejectedOutcome } from './decide.js'
import type { AnyActorDefinition, StateReading } from './definition.js'
import { detachPlain } from './detach.js'
import { isTimerSuperseded, supersededDecision } from './superseded-timer.js'
import type { FoldContext, FoldedState } from './fold.js'
import { type ProcessingResult, Mailbox } from './mailbox.js'
import type { DirectiveState, Directives } from './directives.js'
import { CommandBatch, type BatchMember } from './command-batch.js'
import { actorPaused, actorRestarting, actorStillParked } from './parked.js'
import { delayAfter, type SupervisionPolicy, policyOf } from './supervision-policy.js'
import { recover, refresh } from './recovery.js'
import { DuplicateDetector, type DuplicateSearch } from './duplicate-detector.js'
import type { Skips } from './skips.js'
import { supervisorId } from './supervisor.js'
import { stateBytesOfEncoded, estimateStateBytes } from './state-size.js'
import { type TentativeEvents, foldTentatively } from './tentative.js'
import { type NodeVersions, VersionGuard } from './version-guard.js'
import type { Writable } from './writable.js'

/** What an actor uses of its host. */
export interface ActorPorts {
  readonly store: Pick<EventStore, 'head' | 'commits' | 'append'>
  readonly nodeId: string
  readonly clock: Clock
  readonly log: WriteLog
  readonly logicalClock: LogicalClock
  readonly counters: ActorCounters
  /** The operators' directives; absent without supervision. */
  readonly directives?: Pick<Directives, 'of' | 'pending'> | undefined
  /** The behavior versions of the nodes; absent, or undefined, where commands are not routed. */
  readonly versions?: (() => NodeVersions | undefined) | undefined
  /** Called for a failure that the type's policy escalates to the node. */
  escalate(actor: ActorAddress, error: CairnError): void
  /** Runs `work` while it holds one of the host's wake slots. `doing` describes it in errors. */
  withWakeSlot<T>(work: () => Promise<T>, signal: AbortSignal, doing: string): Promise<T>
  /** Called with the reason when states of an actor type cannot be stored. */
  onUnstorableState(type: string, error: unknown): void
  /** Called with each state of an actor, once it is known to be stored. */
  onStoredState?(
    actor: ActorAddress,
    definition: AnyActorDefinition,
    reading: StateReading,
  ): void
  /** Called when no call is waiting or running any more. */
  onIdle(actor: Actor): void
}

/** The host's logical time, in ticks. It tells whether a read began before or after a command arrived. */
export interface LogicalClock {
  now: number
  /** A state that was read before this tick must be confirmed (ACTOR-5). */
  unverifiedBefore: number
}

export interface ActorCounters {
  conflicts: number
  retries: number
  wakes: number
  duplicates: number
}

interface Running {
  readonly phase: 'running'
  readonly folded: FoldedState
  /** The tick at which the read or append that confirmed the state began. */
  readonly confirmedAt: number
  /** The version from which the state is measured again. */
  readonly measureFrom: Version
  /** The versions that were skipped in the fold (ACTOR-7). */
  readonly skips: Skips | undefined
}

interface Parked {
  readonly phase: 'parked'
  readonly error: CairnError
}

/** Failed. The history is read again at the time `due`, or earlier when `interrupt` fires. */
interface Restarting {
  readonly phase: 'restarting'
  readonly error: CairnError
  readonly delay: number
  readonly due: number
  readonly interrupt: AbortController
}

type Lifecycle =
  | { readonly phase: 'asleep' }
  | { readonly phase: 'recovering' }
  /** An append is pending, or was not acknowledged (ACTOR-3). */
  | { readonly phase: 'untrusted' }
  | Running
  | Parked
  | Restarting
  | { readonly phase: 'stopped' }

/** An item of the mailbox: a call, and the work that answers it. */
interface QueuedCall<T = unknown> {
  readonly call: Call<T>
  readonly work: (queued: QueuedCall<T>) => Promise<T>
  /** Set for a command. */
  readonly pending?: PendingCommand
  /** Set once the call has been processed. */
  result: ProcessingResult | undefined
}

interface PendingCommand {
  readonly command: Command
  readonly isNew: boolean
  readonly redelivery: Redelivery | undefined
  /** The versions in which to search for a duplicate, once they are known. */
  search: DuplicateSearch | undefined
}

type QueuedCommand = QueuedCall<AskOutcome> & { readonly pending: PendingCommand }

/** The result of the duplicate search and the decision. */
type Evaluation =
  | { readonly kind: 'duplicate'; readonly outcome: AcceptedOutcome }
  /** The history that was read ends before the version that is known. */
  | { readonly kind: 'lagging' }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'decided'; readonly decision: Decision }

const idleAfterDefault = 600_000
/** ACTOR-10. Milliseconds of a pause between two attempts, at most. */
const backOffMax = 50
/** ACTOR-11. Milliseconds during which gaps are left, and of a gap, at most. */
const gapsFor = 500
const gapMax = 5
/** Memory of an actor without its state, measured. */
const actorBytes = 1_400

const asleep: Lifecycle = { phase: 'asleep' }
const recovering: Lifecycle = { phase: 'recovering' }
const untrusted: Lifecycle = { phase: 'untrusted' }
const stopped: Lifecycle = { phase: 'stopped' }

export class Actor {
  readonly address: ActorAddress
  readonly name: string
  readonly #definition: AnyActorDefinition
  readonly #ports: ActorPorts
  readonly #mailbox: Mailbox<QueuedCall>
  readonly #policy: SupervisionPolicy
  /** The id of its supervisor; undefined without supervision. */
  readonly #supervisor: string | undefined
  #foldContext: FoldContext
  readonly #duplicates: DuplicateDetector
  readonly #guard: VersionGuard
  #lifecycle: Lifecycle = asleep
  /** The highest version that a notice has reported (ACTOR-5). */
  #reportedVersion: Version = 0
  /** Failures since the last success (ACTOR-8). */
  #failures = 0
  /** How many commands are stored separately before batching resumes (ACTOR-9). */
  #separateCommands = 0
  /** Commands begin with a gap until this time, by `performance.now()`; 0 without a recent conflict (ACTOR-11). */
  #gapsUntil = 0
  /** The append of a batch that is under way. */
  #sharedAppend: SharedAppend | undefined
  /** Estimated memory of the state; undefined while unknown. */
  #stateBytes: number | undefined

  constructor(address: ActorAddress, definition: AnyActorDefinition, ports: ActorPorts) {
    this.address = address
    this.name = formatAddress(address)
    this.#definition = definition
    this.#ports = ports
    this.#policy = policyOf(definition.options.supervision)
    const isSupervised = ports.directives !== undefined && !isReservedType(address.type)
    this.#supervisor = isSupervised ? supervisorId(this.name) : undefined
    const limit = definition.options.mailboxLimit ?? 1000
    this.#mailbox = new Mailbox(address, limit, {
      process: queued => this.#process(queued),
      recordResult: (queued, result) => this.#recordResult(queued, result),
      answer,
      onIdle: () => ports.onIdle(this),
    })
    this.#duplicates = new DuplicateDetector(
      address,
      ports,
      definition.options.commandWindow,
    )
    this.#guard = new VersionGuard(address, definition.behavior.version, ports.versions)
    this.#foldContext = {
      actor: address,
      behavior: definition.behavior,
      onMalformed: record => this.#reportMalformed(record),
      onHead: head => {
        this.#guard.onHead(head)
        this.#duplicates.onHead(head, ports.clock.now())
      },
    }
  }

  get phase(): Lifecycle['phase'] {
    return this.#lifecycle.phase
  }

  /** The behavior version that the history needs, as far as it is known. */
  get neededVersion(): number {
    return this.#guard.written
  }

  /** How many milliseconds the actor may stay in memory while idle. */
  get idleAfter(): number {
    return this.#definition.options.idleAfter ?? idleAfterDefault
  }

  /** Estimated memory of the actor. */
  get bytes(): number {
    const lifecycle = this.#lifecycle
    if (lifecycle.phase === 'running')
      this.#stateBytes ??= estimateStateBytes(lifecycle.folded.state)
    return actorBytes + this.#duplicates.bytes + (this.#stateBytes ?? 0)
  }

  get isIdle(): boolean {
    return this.#mailbox.isIdle
  }

  /**
   * Adds a command to the mailbox; throws `mailbox-full`. The call gets the answer.
   * @param isNew the id was created for this call, so the command cannot be a duplicate
   */
  enqueueCommand(
    call: Call<AskOutcome>,
    command: Command,
    isNew: boolean,
    redelivery?: Redelivery,
  ): void {
    const pending: PendingCommand = { command, isNew, redelivery, search: undefined }
    this.#post(call, this.#processCommand, pending)
  }

  /**
   * Adds a read of the newest state to the mailbox; throws `mailbox-full`.
   * @param sufficientVersion a state in memory at this version or a later one is returned without a read
   */
  enqueueRead(call: Call<StateReading>, sufficientVersion: Version = Infinity): void {
    const before = this.#lifecycle
    // It would wait after a command that waits for the restart.
    if (before.phase === 'restarting' && !this.isIdle)
      return call.fail(actorRestarting(this.address, before.delay, before.error))
    this.#post(call, async () => {
      const lifecycle = this.#lifecycle
      const isSufficient =
        lifecycle.phase === 'running' && lifecycle.folded.version >= sufficientVersion
      if (!isSufficient) await this.#awaitDirectives(call)
      const { state, version } = (
        isSufficient ? lifecycle : await this.#ensureNewest(call)
      ).folded
      return { state: detachPlain(state), version }
    })
  }

  /** Handles a notice: some node has stored a commit of this actor (ACTOR-5). */
  onCommit(version: Version): void {
    if (version <= this.#reportedVersion) return
    this.#reportedVersion = version
    // The new commit may end the failure: it may carry the state, folded by another node's behavior.
    this.#retryNow()
  }

  /** Handles a new directive (ACTOR-7). Returns whether the actor had failed and must be read again. */
  onDirective(before: DirectiveState, after: DirectiveState): boolean {
    if (before.skips !== after.skips || before.retries !== after.retries)
      return this.#retryNow()
    // The command that waits for the restart checks the directives.
    if (this.#lifecycle.phase === 'restarting') this.#lifecycle.interrupt.abort()
    return false
  }

  /** Forgets a failure, so that the next call reads the history from the start. Returns whether there was one. */
  #retryNow(): boolean {
    const lifecycle = this.#lifecycle
    if (lifecycle.phase !== 'parked' && lifecycle.phase !== 'restarting') return false
    this.#lifecycle = asleep
    this.#failures = 0
    if (lifecycle.phase === 'restarting') lifecycle.interrupt.abort()
    return true
  }

  /** Gives up every call that has no answer yet, and accepts no more. */
  stop(reason: CairnError): void {
    this.#lifecycle = stopped
    this.#duplicates.stop()
    this.#sharedAppend?.abort(reason)
    for (const { call } of this.#mailbox.items) call.giveUp(reason)
  }

  readonly #processCommand = (queued: QueuedCall<AskOutcome>) =>
    this.#handleCommand(queued as QueuedCommand)

  #post<T>(call: Call<T>, work: QueuedCall<T>['work'], pending?: PendingCommand): void {
    const queued: QueuedCall<T> =
      pending === undefined
        ? { call, work, result: undefined }
        : { call, work, pending, result: undefined }
    this.#mailbox.post(queued as QueuedCall)
    if (!call.hasEnded) call.onEnded(() => this.#mailbox.withdraw(queued as QueuedCall))
  }

  #process(queued: QueuedCall): Promise<unknown> {
    queued.call.check()
    return queued.work(queued)
  }

  #recordResult(queued: QueuedCall, result: ProcessingResult): void {
    queued.result = result
    if (result.ok) this.#failures = 0
    else
      for (const other of this.#mailbox.claimed)
        other.result ??= failureOf(other, result.error)
  }

  /** The steps of every command. */
  async #handleCommand({ call, pending }: QueuedCommand): Promise<AskOutcome> {
    const { command, isNew, redelivery } = pending
    const { clock, counters } = this.#ports
    // 0. Refuse while paused. Here and below, await only what is pending.
    if (this.#pendingDirectives !== undefined) await this.#awaitDirectives(call)
    this.#throwIfPaused()
    let search =
      pending.search ?? this.#duplicates.startSearch(command.id, isNew, redelivery)
    let mayBatch = this.#separateCommands === 0
    if (!mayBatch) this.#separateCommands--
    let versionAtLeast: Version = 0
    let conflicts = 0
    if (this.#gapsUntil > 0) await this.#leaveGap(call)
    for (let attempt = 1; ; attempt++) {
      if (attempt > 1) await backOff(call, attempt)

      // 1. Wake, or catch up when a newer version was reported. A parked actor fails here.
      let running = this.#runningIfCurrent ?? (await this.#ensureRunning(call, true))
      // The read may come from a replica that lags behind the conflict that the store reported.
      if (running.folded.version < versionAtLeast) {
        this.#lifecycle = untrusted
        continue
      }

      // 2. Search for a duplicate (ACTOR-6), and decide.
      const now = clock.now()
      let evaluation =
        redelivery?.firing === undefined &&
        this.#duplicates.isKnownNew(search, running.folded)
          ? this.#decide(command, running.folded, now)
          : await this.#evaluate(call, command, search, running, now, redelivery)

      // 3. Nothing to store: confirm that the state is the newest (ACTOR-4), or decide again.
      if (storesNothing(evaluation)) {
        const mayBeChanged = mayHaveChangedState(evaluation)
        // ACTOR-3: a decide that threw may have changed the state in place.
        if (mayBeChanged) this.#lifecycle = untrusted
        const newest = await this.#ensureNewest(call, true)
        const isSame = mayBeChanged
          ? newest.folded.position === running.folded.position
          : newest.folded === running.folded
        if (!isSame) {
          counters.retries++
          running = newest
          evaluation = await this.#evaluate(
            call,
            command,
            search,
            running,
            now,
            redelivery,
          )
          if (mayHaveChangedState(evaluation)) this.#lifecycle = untrusted
        }
      }
      if (evaluation.kind === 'duplicate') {
        counters.duplicates++
        return evaluation.outcome
      }
      if (evaluation.kind === 'failed')
        throw this.#guard.explain(evaluation.error, command.type)
      if (evaluation.kind === 'lagging') {
        this.#lifecycle = untrusted
        continue
      }
      const { decision } = evaluation
      if (!decision.ok)
        return rejectedOutcome(this.address, command, decision, running.folded)
      if (decision.events.length === 0)
        return this.#acceptWithoutEvents(command, decision, running.folded)

      // 4. Fold tentatively: the commit carries the state, and the reply is computed from it.
      const { folded } = running
      // ACTOR-3: if this ends before step 7, the next step reads the history again.
      this.#lifecycle = untrusted
      const events = { list: decision.events, at: now, nodeId: this.#ports.nodeId }
      let state = this.#foldTentatively(running, command, events)
      let version = folded.version + decision.events.length
      const after = { state, version, position: folded.position }
      const answer = acceptedOutcome(this.address, command, decision, after)
      let batch: CommandBatch | undefined
      if (mayBatch && this.#mailbox.waiting > 0) {
        batch = this.#fillBatch(
          { command, decision, version, outcome: answer },
          running,
          state,
          now,
        )
        if (batch === undefined) {
          mayBatch = false
          attempt--
          continue
        }
        ;({ state, version } = batch)
      }

      // 5. Append with the expected version, the commands, their replies and the state.
      const plan = this.#planInlineState(running, state, version)
      const startedAt = this.#ports.logicalClock.now
      // Filled property by property: object spreads cost more than the rest of a step.
      const options: Writable<AppendOptions> = { expected: folded.version, at: now }
      if (plan.state !== undefined) options.state = plan.state
      const inboxPosition = this.#inboxPositionAfter(redelivery, folded.inboxPosition)
      if (inboxPosition !== undefined) options.inboxPosition = inboxPosition
      options.behaviorVersion = this.#guard.version
      let result: AppendResult | 'separate'
      if (batch !== undefined && batch.storedCommands > 1) {
        result = await this.#appendBatch(call, batch, options)
      } else {
        options.command = { id: command.id, reply: answer.reply }
        if (decision.outbox !== undefined) options.outbox = decision.outbox
        withCauses(options, command)
        try {
          result = await this.#append(call, decision.events, options)
        } catch (error) {
          result = await this.#retryWithoutState(call, decision.events, options, error)
        } finally {
          call.endStoring()
        }
      }

      // 6. A conflict: read the other writer's commits, and decide again.
      if (result === 'separate') {
        mayBatch = false
        attempt--
        continue
      }
      if (!result.ok) {
        for (const [i, { pending: other }] of this.#mailbox.claimed.entries())
          if (
            other?.search !== undefined &&
            storesSomething(batch!.members[i + 1]!.decision)
          )
            other.search = this.#duplicates.continueSearch(
              other.search,
              folded.version,
              result.actual,
            )
        this.#mailbox.requeue(isAwaited)
        counters.conflicts++
        counters.retries++
        this.#onConflict(call, command, ++conflicts)
        versionAtLeast = result.actual > folded.version ? result.actual : 0
        search = this.#duplicates.continueSearch(search, folded.version, result.actual)
        continue
      }

      // 7. Adopt the state (ACTOR-2).
      const inlineStateVersion =
        plan.state === undefined ? folded.inlineStateVersion : version
      this.#lifecycle = {
        phase: 'running',
        folded: {
          state,
          version,
          position: result.position,
          inlineStateVersion,
          inboxPosition,
        },
        confirmedAt: startedAt,
        measureFrom: plan.measureFrom,
        skips: running.skips,
      }
      if (plan.bytes !== undefined) this.#stateBytes = stateBytesOfEncoded(plan.bytes)
      else if (plan.measureFrom !== running.measureFrom) this.#stateBytes = undefined
      // The state was large and is small now.
      else if (plan.state !== undefined && this.#stateBytes! > actorBytes)
        this.#stateBytes = undefined
      this.#guard.onStored()
      const { position } = result
      const first = folded.version + 1
      if (batch === undefined)
        this.#duplicates.onStored({
          first,
          last: version,
          position,
          commandId: command.id,
        })
      else for (const entry of batch.entries(position)) this.#duplicates.onStored(entry)

      // 8. Run the actions after the commit, once, on this node.
      runAfterCommit(decision, this.address, first, this.#ports.log)
      if (batch !== undefined) this.#completeClaimed(batch, position)
      this.#ports.onStoredState?.(this.address, this.#definition, { state, version })

      // 9. Reply.
      return { ...answer, position: result.position }
    }
  }

  /** The position in the inbox that the commit of a command, and of those claimed with it, carries. */
  #inboxPositionAfter(
    redelivery: Redelivery | undefined,
    carried: Position | undefined,
  ): Position | undefined {
    let position = this.#duplicates.inboxPositionAfter(redelivery, carried)
    for (const { pending } of this.#mailbox.claimed)
      position = this.#duplicates.inboxPositionAfter(pending?.redelivery, position)
    return position
  }

  /** ACTOR-10, ACTOR-11. */
  #onConflict(call: OpenCall, command: Command, conflicts: number): void {
    call.onExpiry(() => contention(this.name, command, conflicts))
    this.#gapsUntil = performance.now() + gapsFor
  }

  /** ACTOR-11. Waits for a moment, and reads what was stored in it. */
  async #leaveGap(call: OpenCall): Promise<void> {
    const lifecycle = this.#lifecycle
    if (performance.now() >= this.#gapsUntil) this.#gapsUntil = 0
    else if (lifecycle.phase === 'running') {
      await pause(Math.random() * gapMax, call.signal)
      call.check()
      await this.#readHistory(call, lifecycle, true)
    }
  }

  /**
   * Decides the commands that wait after `first`, as long as they can be stored with it (ACTOR-9). The
   * others stay in the mailbox. Returns `undefined` when a behavior threw and may have changed the
   * tentative state: then each command is processed separately.
   */
  #fillBatch(
    first: BatchMember,
    running: Running,
    tentative: unknown,
    now: number,
  ): CommandBatch | undefined {
    const batch = new CommandBatch(
      first,
      tentative,
      this.#definition.options.commitCommandsMax,
    )
    const firstOutbox = first.decision.ok ? first.decision.outbox : undefined
    while (firstOutbox === undefined && !batch.isFull) {
      const queued = this.#mailbox.next
      // A timer's command needs a search of the log.
      if (
        queued?.pending === undefined ||
        queued.pending.redelivery?.firing !== undefined
      )
        break
      const { pending, call } = queued
      const { command } = pending
      // A call that has ended has left the mailbox. Nothing begins after its deadline.
      call.checkDeadline()
      if (call.hasEnded) continue
      pending.search ??= this.#duplicates.startSearch(
        command.id,
        pending.isNew,
        pending.redelivery,
      )
      if (
        batch.has(command.id) ||
        !this.#duplicates.isKnownNew(pending.search, running.folded)
      )
        break
      const { state, version } = batch
      const evaluation = this.#decide(command, { ...running.folded, state, version }, now)
      if (mayHaveChangedState(evaluation)) return this.#requeueBatch()
      if (
        evaluation.kind !== 'decided' ||
        !batch.hasRoomFor(command, evaluation.decision)
      )
        break
      try {
        this.#addToBatch(batch, running, command, evaluation.decision, now)
      } catch {
        // Processed separately, the command fails with its own error.
        return this.#requeueBatch()
      }
      this.#mailbox.claim()
    }
    return batch
  }

  /** Throws the errors of the fold and of computing the reply. */
  #addToBatch(
    batch: CommandBatch,
    { folded, skips }: Running,
    command: Command,
    decision: Decision,
    now: number,
  ): void {
    const { version: before } = batch
    let { state, version } = batch
    if (!decision.ok) {
      const outcome = rejectedOutcome(this.address, command, decision, { version })
      return batch.add({ command, decision, version, outcome }, state)
    }
    if (decision.events.length > 0) {
      const events = { list: decision.events, at: now, nodeId: this.#ports.nodeId }
      const from = { ...folded, state, version: before }
      state = foldTentatively(this.#foldContextFor(skips), from, command, events)
      version += decision.events.length
    }
    const after = { state, version, position: folded.position }
    const outcome = acceptedOutcome(this.address, command, decision, after)
    batch.add({ command, decision, version, outcome }, state)
  }

  /** Returns the claimed commands to the mailbox, to be processed separately. */
  #requeueBatch(): undefined {
    this.#separateCommands = this.#mailbox.claimed.length + 1
    this.#mailbox.requeue(isAwaited)
  }

  /** Like {@link #append}, for a batch. Returns `separate` when one of its commands kept the batch from being stored. */
  async #appendBatch(
    call: OpenCall,
    batch: CommandBatch,
    options: Writable<AppendOptions>,
  ): Promise<AppendResult | 'separate'> {
    const { claimed } = this.#mailbox
    const calls = batch.members.flatMap((member, i): OpenCall[] => {
      if (!storesSomething(member.decision)) return []
      return [i === 0 ? call : claimed[i - 1]!.call]
    })
    const sharedAppend = new SharedAppend(calls.length)
    try {
      for (const member of calls) member.beginStoring(sharedAppend)
    } catch {
      // One of the calls was just given up: the current command continues without the others.
      for (const member of calls) member.endStoring()
      this.#requeueBatch()
      call.check()
      return 'separate'
    }
    this.#sharedAppend = sharedAppend
    try {
      options.commands = batch.commands
      options.signal = sharedAppend.signal
      options.timeout = Math.max(...calls.map(({ timeLeft }) => timeLeft))
      return await this.#ports.store.append(this.address, batch.events, options)
    } catch (error) {
      if (isCairnError(error) && singleCommandErrors.has(error.code)) {
        this.#requeueBatch()
        return 'separate'
      }
      // Nothing was written: throw the reason for giving up instead.
      if (isCairnError(error, 'aborted')) call.check()
      throw error
    } finally {
      this.#sharedAppend = undefined
      for (const member of calls) member.endStoring()
    }
  }

  /** The batch is stored: sets the results of the claimed calls and runs their actions after the commit. */
  #completeClaimed({ members }: CommandBatch, position: Position): void {
    for (const [i, queued] of this.#mailbox.claimed.entries()) {
      const { decision, version, outcome } = members[i + 1]!
      queued.result = {
        ok: true,
        outcome: outcome.ok ? { ...outcome, position } : outcome,
      }
      if (!decision.ok) continue
      const first = version - decision.events.length + 1
      runAfterCommit(decision, this.address, first, this.#ports.log)
    }
  }

  /** Searches for a duplicate and decides, on the state of `running`. */
  async #evaluate(
    call: OpenCall,
    command: Command,
    search: DuplicateSearch,
    running: Running,
    now: number,
    redelivery: Redelivery | undefined,
  ): Promise<Evaluation> {
    let found: Awaited<ReturnType<DuplicateDetector['find']>>
    let isSuperseded: boolean | 'lagging' = false
    try {
      found = await this.#duplicates.find(search, running.folded, now, call)
      if (found === 'none')
        isSuperseded = await this.#isSuperseded(redelivery, running.folded, call)
    } catch (error) {
      // The signal fires when the call is given up: throw that reason instead of "aborted".
      call.check()
      throw error
    }
    call.check()
    if (found === 'lagging' || isSuperseded === 'lagging') return { kind: 'lagging' }
    if (found !== 'none') return { kind: 'duplicate', outcome: found }
    if (isSuperseded)
      return { kind: 'decided', decision: supersededDecision(redelivery!.firing!) }
    return this.#decide(command, running.folded, now, redelivery?.firing)
  }

  #decide(
    command: Command,
    folded: FoldedState,
    now: number,
    firing?: TimerFiring,
  ): Evaluation {
    try {
      const decision = decide(
        this.#definition,
        this.address,
        folded,
        command,
        now,
        firing,
      )
      return { kind: 'decided', decision }
    } catch (error) {
      return { kind: 'failed', error }
    }
  }

  /** Whether the command comes from a timer that was replaced or cancelled (FIRING-1). */
  async #isSuperseded(
    redelivery: Redelivery | undefined,
    folded: FoldedState,
    { signal }: OpenCall,
  ): Promise<boolean | 'lagging'> {
    if (redelivery?.firing === undefined) return false
    const { firing, sentAfter } = redelivery
    const { store } = this.#ports
    return this.#ports.withWakeSlot(
      () => isTimerSuperseded(store, this.address, firing, folded, sentAfter, signal),
      signal,
      `looking for what became of timer ${show(firing.name)} of ${this.name}`,
    )
  }

  /** The answer of a command without events. Computing the reply may have changed the state if it throws (ACTOR-3). */
  #acceptWithoutEvents(
    command: Command,
    decision: AcceptedDecision,
    folded: FoldedState,
  ): AcceptedOutcome {
    try {
      return acceptedOutcome(this.address, command, decision, folded)
    } catch (error) {
      this.#lifecycle = untrusted
      throw error
    }
  }

  /** ACTOR-7: waits until the operators' directives are known. */
  async #awaitDirectives(call: OpenCall): Promise<void> {
    const wait = this.#pendingDirectives
    if (wait === undefined) return
    await raceSignal(wait, call.signal)
    call.check()
  }

  /** Resolves when directives that this node has not read yet are read; undefined when there are none. */
  get #pendingDirectives(): Promise<void> | undefined {
    return this.#supervisor === undefined
      ? undefined
      : this.#ports.directives?.pending(this.#supervisor)
  }

  get #directives(): DirectiveState | undefined {
    return this.#supervisor === undefined
      ? undefined
      : this.#ports.directives?.of(this.#supervisor)
  }

  #throwIfPaused(): void {
    const { paused } = this.#directives ?? {}
    if (paused !== undefined) throw actorPaused(this.address, paused)
  }

  /** The fold context with these skips. */
  #foldContextFor(skips: Skips | undefined): FoldContext {
    if (this.#foldContext.skips !== skips)
      this.#foldContext = { ...this.#foldContext, skips }
    return this.#foldContext
  }

  /**
   * Wakes the actor, or catches up when a newer version was reported.
   * @param isCommand a command waits for a restart and is refused during a pause; a read does neither
   */
  async #ensureRunning(call: OpenCall, isCommand = false): Promise<Running> {
    const ready = this.#runningIfCurrent
    if (ready !== undefined) return ready
    const lifecycle = this.#lifecycle
    if (lifecycle.phase === 'parked') {
      this.#guard.redirectToLater('its history')
      throw actorStillParked(this.address, lifecycle.error)
    }
    const isFoldedWithSameSkips =
      lifecycle.phase === 'running' && lifecycle.skips === this.#directives?.skips
    return this.#readHistory(
      call,
      isFoldedWithSameSkips ? lifecycle : undefined,
      isCommand,
    )
  }

  /** The running actor, unless something indicates that its state is old. */
  get #runningIfCurrent(): Running | undefined {
    const lifecycle = this.#lifecycle
    if (lifecycle.phase !== 'running' || lifecycle.skips !== this.#directives?.skips)
      return undefined
    const isBehind = this.#reportedVersion > lifecycle.folded.version
    const isUnverified = lifecycle.confirmedAt < this.#ports.logicalClock.unverifiedBefore
    return isBehind || isUnverified ? undefined : lifecycle
  }

  /** The running actor with every commit that was stored before the call arrived (ACTOR-4). */
  async #ensureNewest(call: OpenCall, isCommand = false): Promise<Running> {
    const running = await this.#ensureRunning(call, isCommand)
    return running.confirmedAt >= call.arrivedAt
      ? running
      : this.#readHistory(call, running, isCommand)
  }

  /** Reads the history, again after each failure for which the type's policy is a restart (ACTOR-8). */
  async #readHistory(
    call: OpenCall,
    known: Running | undefined,
    isCommand: boolean,
  ): Promise<Running> {
    for (let from = known; ; from = undefined) {
      const lifecycle = this.#lifecycle
      if (lifecycle.phase === 'restarting')
        await this.#waitForRestart(call, lifecycle, isCommand)
      try {
        return await this.#readHistoryOnce(call, from)
      } catch (error) {
        if (this.#lifecycle.phase !== 'restarting') throw error
      }
    }
  }

  async #waitForRestart(
    call: OpenCall,
    restarting: Restarting,
    isCommand: boolean,
  ): Promise<void> {
    const { delay, due, interrupt, error } = restarting
    if (!isCommand) throw actorRestarting(this.address, delay, error)
    const { clock } = this.#ports
    // A clock that was set back must not prolong the wait.
    const left = Math.min(delay, due - clock.now())
    if (left > 0) {
      const signal = AbortSignal.any([call.signal, interrupt.signal])
      await (clock.wait?.(left, signal) ?? pause(left, signal))
      call.check()
    }
    await this.#awaitDirectives(call)
    this.#throwIfPaused()
    if (this.#lifecycle === restarting) this.#lifecycle = asleep
  }

  /** Reads the history: all that waking needs, or the commits that `known` lacks. */
  async #readHistoryOnce(call: OpenCall, known: Running | undefined): Promise<Running> {
    const { store, logicalClock, counters } = this.#ports
    const { signal } = call
    const reported = this.#reportedVersion
    const startedAt = logicalClock.now
    const skips = this.#directives?.skips
    const context = this.#foldContextFor(skips)
    let folded: FoldedState
    try {
      if (known?.skips === skips && known !== undefined)
        folded = await refresh(store, context, known.folded, signal)
      else {
        if (this.#lifecycle.phase === 'asleep') counters.wakes++
        this.#lifecycle = recovering
        folded = await this.#ports.withWakeSlot(
          () => recover(store, context, signal),
          signal,
          `waking ${this.name}`,
        )
      }
    } catch (failure) {
      this.#lifecycle = asleep
      const error = this.#guard.explain(failure)
      if (isCairnError(error, 'actor-parked')) this.#applyFailurePolicy(error)
      // The signal fires when the call is given up: throw that reason instead of "aborted".
      call.check()
      throw error
    }
    // A wrong report of a version is corrected here, unless a newer one came during the read (ACTOR-5).
    if (this.#reportedVersion === reported && reported > folded.version)
      this.#reportedVersion = folded.version
    const measureFrom = known?.folded === folded ? known.measureFrom : 0
    const running: Running = {
      phase: 'running',
      folded,
      confirmedAt: startedAt,
      measureFrom,
      skips,
    }
    if (known?.folded !== folded) this.#stateBytes = undefined
    this.#lifecycle = running
    this.#ports.onStoredState?.(this.address, this.#definition, folded)
    call.check()
    return running
  }

  #append(
    call: OpenCall,
    events: Parameters<EventStore['append']>[1],
    options: Writable<AppendOptions>,
  ): Promise<AppendResult> {
    call.beginStoring()
    options.signal = call.signal
    options.timeout = call.timeLeft
    return this.#ports.store.append(this.address, events, options)
  }

  /** Appends again without the inline state if the commit was too large: a command must not fail because of it. */
  async #retryWithoutState(
    call: OpenCall,
    events: Parameters<EventStore['append']>[1],
    { state, ...options }: AppendOptions,
    error: unknown,
  ): Promise<AppendResult> {
    try {
      if (state === undefined || !isCairnError(error, 'commit-too-large')) throw error
      const bare = { ...options, timeout: call.timeLeft }
      return await this.#ports.store.append(this.address, events, bare)
    } catch (failure) {
      // Nothing was written: throw the reason for giving up instead.
      if (isCairnError(failure, 'aborted')) call.check()
      throw failure
    }
  }

  #planInlineState(running: Running, state: unknown, version: Version): InlineStatePlan {
    return planInlineState(
      this.#definition,
      state,
      version,
      running.folded.inlineStateVersion,
      running.measureFrom,
      running.skips,
      error => this.#ports.onUnstorableState(this.address.type, error),
    )
  }

  /** The state after events that are not stored yet. The actor fails when they cannot be folded. */
  #foldTentatively(running: Running, command: Command, events: TentativeEvents): unknown {
    try {
      return foldTentatively(
        this.#foldContextFor(running.skips),
        running.folded,
        command,
        events,
      )
    } catch (error) {
      if (!isCairnError(error, 'actor-parked')) throw error
      const next = this.#applyFailurePolicy(error)
      throw next.phase === 'restarting'
        ? actorRestarting(this.address, next.delay, error)
        : error
    }
  }

  /** Parks or restarts the actor, as the policy of its type says (ACTOR-8). */
  #applyFailurePolicy(error: CairnError): Parked | Restarting {
    const { clock, log } = this.#ports
    const { message, details } = error
    const delay = delayAfter(this.#policy, ++this.#failures)
    const next: Parked | Restarting =
      delay === undefined
        ? { phase: 'parked', error }
        : {
            phase: 'restarting',
            error,
            delay,
            due: clock.now() + delay,
            interrupt: new AbortController(),
          }
    this.#lifecycle = next
    if (next.phase === 'restarting')
      log('warn', actorRestarting(this.address, next.delay, error).message, details)
    else log('error', message, details)
    if (this.#policy.onFailure === 'escalate') this.#ports.escalate(this.address, error)
    return next
  }

  #reportMalformed({ position, source, reason }: MalformedRecord): void {
    this.#ports.log('warn', `A record of ${this.name} is not a readable commit`, {
      actor: this.name,
      position,
      source,
      reason,
    })
  }
}

/** ACTOR-10. */
async function backOff(call: OpenCall, attempt: number): Promise<void> {
  await pause(Math.random() * Math.min(2 ** attempt, backOffMax), call.signal)
  call.check()
}

/** Errors that one command of a batch can cause. Nothing was written. */
const singleCommandErrors: ReadonlySet<string> = new Set([
  'invalid-event',
  'invalid-data',
  'invalid-option',
  'commit-too-large',
])

function storesSomething(decision: Decision): boolean {
  return decision.ok && decision.events.length > 0
}

function isAwaited({ call }: QueuedCall): boolean {
  return !call.hasEnded
}

/** The result of a claimed call when the batch has failed with `error`. */
function failureOf({ call }: QueuedCall, error: unknown): QueuedCall['result'] {
  try {
    // Nothing was written: report the reason for giving up instead.
    if (!isCairnError(error, 'outcome-unknown')) call.check()
    return { ok: false, error }
  } catch (reason) {
    return { ok: false, error: reason }
  }
}

function answer({ call, result: settled }: QueuedCall): void {
  if (settled?.ok === true) call.resolve(settled.outcome)
  else call.fail(settled?.error)
}

/** Whether the answer would rest on the state in memory alone. */
function storesNothing(evaluation: Evaluation): boolean {
  if (evaluation.kind !== 'decided') return evaluation.kind === 'failed'
  return !evaluation.decision.ok || evaluation.decision.events.length === 0
}

/** Whether a behavior ran on the state in memory and threw. */
function mayHaveChangedState(evaluation: Evaluation): boolean {
  return (
    evaluation.kind === 'failed' && !isCairnError(evaluation.error, 'unknown-command')
  )
}

function contention(name: string, { type }: Command, conflicts: number): CairnError {
  return new CairnError(
    'contention',
    `Command ${show(type)} to ${name} had ${conflicts} version conflicts in a row until its time was over; ` +
      'nothing was stored. Send it again, and route the commands of one actor to one node.',
    { details: { actor: name, command: type, conflicts } },
  )
}
