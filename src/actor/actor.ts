// One living actor: its state, and the commands that change it.
//
// Owns the life of one actor on this node, and its mailbox. Nothing else changes its state.
// A1. One command or reading at a time, in the order of arrival (mailbox M1).
// A2. The state in memory is that of `version`, folded from stored commits only: tentative
//     folds are adopted when their append is acknowledged, and not before.
// A3. After an append that was not acknowledged, whatever the reason, memory is not trusted:
//     evolve may have changed it in place. The next step reads the history again.
// A4. No answer rests on an old state. What stores something is judged by the store; what
//     stores nothing is confirmed by a read, or an own append, begun after it had arrived. A
//     reading that says which version is enough for it is content with that.
// A5. What others say (notices, "unverified") only makes the next command look; it never
//     changes the state, and a wrong word costs one read.
// A6. A command that may be a repeat is decided on a version only after it was looked for in
//     every commit up to that version (repeats D1).
// A7. Before its turn a command waits until what operators have said is known: it is refused
//     while the actor is paused, and no state is used that passes over other versions than
//     they said (SKIPS-1). What has begun is finished.
// A9. What waits behind a command that stores something may be carried out with it and stored as one
//     commit (pack.ts). When that commit is refused, those behind the first have their turns again.
// A8. After a failure the type's policy decides: parked, it answers with the reason; to be
//     restarted, it waits with the command whose turn it is, and the others behind it.

import { type ActorAddress, formatAddress, isReservedType } from '../model/address.js'
import type { AcceptedDecision, Command, Decision } from '../model/behavior.js'
import type { Clock } from '../model/clock.js'
import type { MalformedRecord } from '../model/commit.js'
import { CairnError, isCairnError } from '../model/errors.js'
import type { AskOutcome, AcceptedOutcome } from '../model/command-sender.js'
import type { WriteLog } from '../model/log.js'
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
import { findSuperseded, superseded } from './superseded-timer.js'
import type { FoldContext, FoldedState } from './fold.js'
import { type Settled, Mailbox } from './mailbox.js'
import type { DirectiveState, Directives } from './directives.js'
import { CommandBatch, type BatchMember } from './command-batch.js'
import { actorPaused, actorRestarting, actorStillParked } from './parked.js'
import { delayAfter, type SupervisionPolicy, policyOf } from './supervision-policy.js'
import { recover, refresh } from './recovery.js'
import {
  type Redelivery,
  DuplicateDetector,
  type DuplicateSearch,
} from './duplicate-detector.js'
import type { Skips } from './skips.js'
import { supervisorId } from './supervisor.js'
import { bytesOfEncoded, roughBytes } from './state-size.js'
import { type TentativeEvents, foldTentatively } from './tentative.js'

/** What an actor needs of the host it lives in. */
export interface ActorHome {
  readonly store: Pick<EventStore, 'head' | 'commits' | 'append'>
  readonly nodeId: string
  readonly clock: Clock
  readonly log: WriteLog
  /** Times a command is decided at most before it ends in `contention`. */
  readonly attemptsMax: number
  readonly ticks: Ticks
  readonly counters: ActorCounters
  /** What operators have said; absent where nobody supervises. */
  readonly directives?: Pick<Directives, 'of' | 'pending'> | undefined
  /** Hears of a failure that its type's policy passes on to the node. */
  escalate(actor: ActorAddress, error: CairnError): void
  /** Runs a waking within the host's bounds. */
  wake<T>(work: () => Promise<T>, signal: AbortSignal, doing: string): Promise<T>
  /** Hears once per actor type why its states cannot be stored. */
  unstorable(type: string, error: unknown): void
  /** Hears of the state that an actor has come to, when it is known to be stored. */
  adopted?(
    actor: ActorAddress,
    definition: AnyActorDefinition,
    reading: StateReading,
  ): void
  /** Called when nothing is waiting or running any more. */
  idle(actor: Actor): void
}

/** The host's order of events: it tells a read begun after a command from one begun before. */
export interface Ticks {
  now: number
  /** What was read before this tick is to be confirmed (A5). */
  suspectBefore: number
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
  /** The tick at which the read or append that proved the standing began. */
  readonly provenAt: number
  /** The version from which on measuring the state makes sense again. */
  readonly measureFrom: Version
  /** What was passed over in folding it (A7). */
  readonly skips: Skips | undefined
}

interface Parked {
  readonly phase: 'parked'
  readonly error: CairnError
}

/** Failed, and to be read anew when the clock says `due`, or sooner on news. */
interface Restarting {
  readonly phase: 'restarting'
  readonly error: CairnError
  readonly delay: number
  readonly due: number
  readonly news: AbortController
}

type Life =
  | { readonly phase: 'asleep' }
  | { readonly phase: 'recovering' }
  /** An append is under way, or was not acknowledged (A3). */
  | { readonly phase: 'unsure' }
  | Running
  | Parked
  | Restarting
  | { readonly phase: 'stopped' }

/** What waits in the mailbox: a call, and what answers it. */
interface QueuedCall<T = unknown> {
  readonly call: Call<T>
  readonly work: (letter: QueuedCall<T>) => Promise<T>
  /** Present for a command. */
  readonly pending?: PendingCommand
  /** What came of it, once it has been dealt with. */
  settled: Settled | undefined
}

interface PendingCommand {
  readonly command: Command
  readonly isNew: boolean
  readonly redelivery: Redelivery | undefined
  /** Where it is to be looked for, once that is known. */
  search: DuplicateSearch | undefined
}

type QueuedCommand = QueuedCall<AskOutcome> & { readonly pending: PendingCommand }

/** What looking back and deciding came to. */
type Consideration =
  | { readonly kind: 'repeat'; readonly outcome: AcceptedOutcome }
  /** The history was shorter than what is known of it. */
  | { readonly kind: 'lagging' }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'decided'; readonly decision: Decision }

/** Filled in step by step: making it by spreading others costs more than the rest of a step. */
type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

const idleAfterDefault = 600_000
/** What an actor takes beside its state, measured. */
const actorBytes = 1_400

const asleep: Life = { phase: 'asleep' }
const recovering: Life = { phase: 'recovering' }
const appendPending: Life = { phase: 'unsure' }
const stopped: Life = { phase: 'stopped' }

export class Actor {
  readonly address: ActorAddress
  readonly name: string
  readonly #definition: AnyActorDefinition
  readonly #home: ActorHome
  readonly #mailbox: Mailbox<QueuedCall>
  readonly #policy: SupervisionPolicy
  /** Of its supervisor; undefined for one that is not supervised. */
  readonly #supervisor: string | undefined
  #folding: FoldContext
  readonly #duplicates: DuplicateDetector
  #life: Life = asleep
  /** The highest version that others spoke of (A5). */
  #heard: Version = 0
  /** Failures since something last went well (A8). */
  #failures = 0
  /** Commands to be stored one by one before any are packed again (A9). */
  #separateCommands = 0
  /** Those whose commands are being stored as one commit. */
  #sharedAppend: SharedAppend | undefined
  /** Of the state, estimated; undefined while it is not known. */
  #stateBytes: number | undefined

  constructor(address: ActorAddress, definition: AnyActorDefinition, home: ActorHome) {
    this.address = address
    this.name = formatAddress(address)
    this.#definition = definition
    this.#home = home
    this.#policy = policyOf(definition.options.supervision)
    const isSupervised = home.directives !== undefined && !isReservedType(address.type)
    this.#supervisor = isSupervised ? supervisorId(this.name) : undefined
    const limit = definition.options.mailboxLimit ?? 1000
    this.#mailbox = new Mailbox(address, limit, {
      process: letter => this.#process(letter),
      processed: (letter, came) => this.#processed(letter, came),
      answer,
      idle: () => home.idle(this),
    })
    this.#duplicates = new DuplicateDetector(
      address,
      home,
      definition.options.commandWindow,
    )
    this.#folding = {
      actor: address,
      behavior: definition.behavior,
      onMalformed: record => this.#reportMalformed(record),
      onHead: head => this.#duplicates.onHead(head, home.clock.now()),
    }
  }

  get phase(): Life['phase'] {
    return this.#life.phase
  }

  /** Milliseconds that it may be idle in memory. */
  get idleAfter(): number {
    return this.#definition.options.idleAfter ?? idleAfterDefault
  }

  /** The memory it takes, estimated. */
  get bytes(): number {
    const life = this.#life
    if (life.phase === 'running') this.#stateBytes ??= roughBytes(life.folded.state)
    return actorBytes + this.#duplicates.bytes + (this.#stateBytes ?? 0)
  }

  get isIdle(): boolean {
    return this.#mailbox.isIdle
  }

  /**
   * Queues a command; throws `mailbox-full`. The call gets the answer.
   * @param isNew its id was made for this call, so it cannot be a repeat
   * @param kept see RedeliveryOptions
   */
  command(
    call: Call<AskOutcome>,
    command: Command,
    isNew: boolean,
    kept?: Redelivery,
  ): void {
    const wish: PendingCommand = { command, isNew, redelivery: kept, search: undefined }
    this.#post(call, this.#processCommand, wish)
  }

  /**
   * Queues a reading of the newest state; throws `mailbox-full`.
   * @param enough a version that needs no read where it is in memory
   */
  reading(call: Call<StateReading>, enough: Version = Infinity): void {
    const before = this.#life
    // Behind a command that waits for the restart it would wait, too.
    if (before.phase === 'restarting' && !this.isIdle)
      return call.fail(actorRestarting(this.address, before.delay, before.error))
    this.#post(call, async () => {
      const life = this.#life
      const isEnough = life.phase === 'running' && life.folded.version >= enough
      if (!isEnough) await this.#loadDirectives(call)
      const { state, version } = (isEnough ? life : await this.#newest(call)).folded
      return { state: detachPlain(state), version }
    })
  }

  /** A commit of this actor was stored somewhere (A5). */
  noticed(version: Version): void {
    if (version <= this.#heard) return
    this.#heard = version
    // The news may be what it takes: a commit by a node whose behavior can fold it.
    this.#retryNow()
  }

  /** An operator has spoken (A7); returns whether it had failed and is to be read anew. */
  ordered(before: DirectiveState, after: DirectiveState): boolean {
    if (before.skips !== after.skips || before.retries !== after.retries)
      return this.#retryNow()
    // Whoever waits for a restart looks whether it may.
    if (this.#life.phase === 'restarting') this.#life.news.abort()
    return false
  }

  /** What is known of a failure may be out of date: the next reading is a first one. */
  #retryNow(): boolean {
    const life = this.#life
    if (life.phase !== 'parked' && life.phase !== 'restarting') return false
    this.#life = asleep
    this.#failures = 0
    if (life.phase === 'restarting') life.news.abort()
    return true
  }

  /** Ends every call that has not been answered; the actor takes no more. */
  stop(why: CairnError): void {
    this.#life = stopped
    this.#duplicates.stop()
    this.#sharedAppend?.end(why)
    for (const { call } of this.#mailbox.items) call.giveUp(why)
  }

  readonly #processCommand = (letter: QueuedCall<AskOutcome>) =>
    this.#handleCommand(letter as QueuedCommand)

  #post<T>(call: Call<T>, work: QueuedCall<T>['work'], wish?: PendingCommand): void {
    const letter: QueuedCall<T> =
      wish === undefined
        ? { call, work, settled: undefined }
        : { call, work, pending: wish, settled: undefined }
    this.#mailbox.post(letter as QueuedCall)
    if (!call.isOver) call.onOver(() => this.#mailbox.withdraw(letter as QueuedCall))
  }

  #process(letter: QueuedCall): Promise<unknown> {
    letter.call.check()
    return letter.work(letter)
  }

  #processed(letter: QueuedCall, came: Settled): void {
    letter.settled = came
    if (came.ok) this.#failures = 0
    else
      for (const other of this.#mailbox.claimed)
        other.settled ??= failedWith(other, came.error)
  }

  /** The one way of every command. */
  async #handleCommand({ call, pending }: QueuedCommand): Promise<AskOutcome> {
    const { command, isNew, redelivery } = pending
    const { attemptsMax, clock, counters } = this.#home
    // 0. Is it to take commands at all? Here and below, what needs no wait is not waited for.
    if (this.#loadDirectivesAsync !== undefined) await this.#loadDirectives(call)
    this.#refuseWhilePaused()
    let search = pending.search ?? this.#duplicates.begin(command.id, isNew, redelivery)
    let mayPack = this.#separateCommands === 0
    if (!mayPack) this.#separateCommands--
    let atLeast: Version = 0
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      if (attempt > 1) await this.#backOff(call, attempt)

      // 1. Wake, or catch up when others are said to have written. A parked actor ends here.
      let life = this.#ready ?? (await this.#awake(call, true))
      // A store may answer a read from a replica that lags behind its own judgement.
      if (life.folded.version < atLeast) {
        this.#life = appendPending
        continue
      }

      // 2. Look whether it was carried out before (A6), and decide.
      const now = clock.now()
      let step =
        redelivery?.firing === undefined &&
        this.#duplicates.isNew(search, life.folded.version)
          ? this.#decide(command, life.folded, now)
          : await this.#consider(call, command, search, life, now, redelivery)

      // 3. Nothing to store: the answer must rest on the newest state (A4), or be decided anew.
      if (storesNothing(step)) {
        const hasThrown = mayHaveChangedState(step)
        // A3: what threw on the way may have changed the state in place.
        if (hasThrown) this.#life = appendPending
        const newest = await this.#newest(call, true)
        const isSame = hasThrown
          ? newest.folded.position === life.folded.position
          : newest.folded === life.folded
        if (!isSame) {
          counters.retries++
          life = newest
          step = await this.#consider(call, command, search, life, now, redelivery)
          if (mayHaveChangedState(step)) this.#life = appendPending
        }
      }
      if (step.kind === 'repeat') {
        counters.duplicates++
        return step.outcome
      }
      if (step.kind === 'failed') throw step.error
      if (step.kind === 'lagging') {
        this.#life = appendPending
        continue
      }
      const { decision } = step
      if (!decision.ok)
        return rejectedOutcome(this.address, command, decision, life.folded)
      if (decision.events.length === 0)
        return this.#answer(command, decision, life.folded)

      // 4. Fold tentatively: the state is to ride in the commit, and the reply drawn from it.
      const { folded } = life
      // A3: whatever ends this before 7, the next step reads again.
      this.#life = appendPending
      const events = { list: decision.events, at: now, nodeId: this.#home.nodeId }
      let state = this.#foldTentatively(life, command, events)
      let version = folded.version + decision.events.length
      const after = { state, version, position: folded.position }
      const answer = acceptedOutcome(this.address, command, decision, after)
      let pack: CommandBatch | undefined
      if (mayPack && this.#mailbox.waiting > 0) {
        pack = this.#fillBatch(
          { command, decision, version, outcome: answer },
          life,
          state,
          now,
        )
        if (pack === undefined) {
          mayPack = false
          attempt--
          continue
        }
        ;({ state, version } = pack)
      }

      // 5. Append, with the expected version, the commands, their replies and the state.
      const plan = this.#planInlineState(life, state, version)
      const begun = this.#home.ticks.now
      const options: Writable<AppendOptions> = { expected: folded.version, at: now }
      if (plan.state !== undefined) options.state = plan.state
      let result: AppendResult | 'apart'
      if (pack !== undefined && pack.stored > 1) {
        result = await this.#appendBatch(call, pack, options)
      } else {
        options.command = { id: command.id, reply: answer.reply }
        if (decision.outbox !== undefined) options.outbox = decision.outbox
        withCauses(options, command)
        try {
          result = await this.#append(call, decision.events, options)
        } catch (error) {
          result = await this.#appendBare(call, decision.events, options, error)
        } finally {
          call.endStoring()
        }
      }

      // 6. Another writer was first: read what it wrote, and decide again.
      if (result === 'apart') {
        mayPack = false
        attempt--
        continue
      }
      if (!result.ok) {
        for (const [i, { pending: other }] of this.#mailbox.claimed.entries())
          if (
            other?.search !== undefined &&
            storesSomething(pack!.members[i + 1]!.decision)
          )
            other.search = this.#duplicates.continueSearch(
              other.search,
              folded.version,
              result.actual,
            )
        this.#mailbox.requeue(isAwaited)
        counters.conflicts++
        counters.retries++
        atLeast = result.actual > folded.version ? result.actual : 0
        search = this.#duplicates.continueSearch(search, folded.version, result.actual)
        continue
      }

      // 7. Adopt the state (A2).
      const lastCarried = plan.state === undefined ? folded.inlineState : version
      this.#life = {
        phase: 'running',
        folded: { state, version, position: result.position, inlineState: lastCarried },
        provenAt: begun,
        measureFrom: plan.measureFrom,
        skips: life.skips,
      }
      if (plan.bytes !== undefined) this.#stateBytes = bytesOfEncoded(plan.bytes)
      else if (plan.measureFrom !== life.measureFrom) this.#stateBytes = undefined
      // A small state that was large before.
      else if (plan.state !== undefined && this.#stateBytes! > actorBytes)
        this.#stateBytes = undefined
      const { position } = result
      const first = folded.version + 1
      if (pack === undefined)
        this.#duplicates.onStored({
          first,
          last: version,
          position,
          commandId: command.id,
        })
      else
        for (const passed of pack.pastCommits(position)) this.#duplicates.onStored(passed)

      // 8. What follows from it in the world: done here, and now, or not at all.
      runAfterCommit(decision, this.address, first, this.#home.log)
      if (pack !== undefined) this.#followUp(pack, position)
      this.#home.adopted?.(this.address, this.#definition, { state, version })

      // 9. Reply.
      return { ...answer, position: result.position }
    }
    throw contention(this.name, command, attemptsMax)
  }

  /**
   * Carries out what waits behind a command, as far as it can be stored with it (A9); what cannot
   * is left where it is. Returns `undefined` when a behavior has thrown, and has spoiled the
   * tentative state with that: then each is to have its turn alone.
   */
  #fillBatch(
    first: BatchMember,
    life: Running,
    tentative: unknown,
    now: number,
  ): CommandBatch | undefined {
    const pack = new CommandBatch(
      first,
      tentative,
      this.#definition.options.commitCommandsMax,
    )
    const says = first.decision.ok ? first.decision.outbox : undefined
    while (says === undefined && !pack.isFull) {
      const letter = this.#mailbox.next
      // Whether a firing counts is looked for in the log.
      if (
        letter?.pending === undefined ||
        letter.pending.redelivery?.firing !== undefined
      )
        break
      const { pending, call } = letter
      const { command } = pending
      // One that is over has left the mailbox: nothing begins behind a deadline.
      call.checkDeadline()
      if (call.isOver) continue
      pending.search ??= this.#duplicates.begin(
        command.id,
        pending.isNew,
        pending.redelivery,
      )
      if (
        pack.has(command.id) ||
        !this.#duplicates.isNew(pending.search, life.folded.version)
      )
        break
      const { state, version } = pack
      const step = this.#decide(command, { ...life.folded, state, version }, now)
      if (mayHaveChangedState(step)) return this.#requeueBatch()
      if (step.kind !== 'decided' || !pack.hasRoomFor(command, step.decision)) break
      try {
        this.#addToBatch(pack, life, command, step.decision, now)
      } catch {
        // Carried out alone, it tells its sender why.
        return this.#requeueBatch()
      }
      this.#mailbox.claim()
    }
    return pack
  }

  /** Throws what folding and drawing the reply do. */
  #addToBatch(
    pack: CommandBatch,
    { folded, skips }: Running,
    command: Command,
    decision: Decision,
    now: number,
  ): void {
    const { version: before } = pack
    let { state, version } = pack
    if (!decision.ok) {
      const outcome = rejectedOutcome(this.address, command, decision, { version })
      return pack.add({ command, decision, version, outcome }, state)
    }
    if (decision.events.length > 0) {
      const events = { list: decision.events, at: now, nodeId: this.#home.nodeId }
      const from = { ...folded, state, version: before }
      state = foldTentatively(this.#foldingWith(skips), from, command, events)
      version += decision.events.length
    }
    const after = { state, version, position: folded.position }
    const outcome = acceptedOutcome(this.address, command, decision, after)
    pack.add({ command, decision, version, outcome }, state)
  }

  /** Whoever was taken in has a turn of its own again, and is not packed then. */
  #requeueBatch(): undefined {
    this.#separateCommands = this.#mailbox.claimed.length + 1
    this.#mailbox.requeue(isAwaited)
  }

  /** As {@link #append}, for all of a pack; `apart` when one of them is to blame that nothing could be stored. */
  async #appendBatch(
    call: OpenCall,
    pack: CommandBatch,
    options: Writable<AppendOptions>,
  ): Promise<AppendResult | 'apart'> {
    const { claimed } = this.#mailbox
    const calls = pack.members.flatMap((member, i): OpenCall[] => {
      if (!storesSomething(member.decision)) return []
      return [i === 0 ? call : claimed[i - 1]!.call]
    })
    const together = new SharedAppend(calls.length)
    try {
      for (const one of calls) one.beginStoring(together)
    } catch {
      // One was given up at the last moment: whose turn it is goes on without the others.
      for (const one of calls) one.endStoring()
      this.#requeueBatch()
      call.check()
      return 'apart'
    }
    this.#sharedAppend = together
    try {
      options.commands = pack.commands
      options.signal = together.signal
      options.timeout = Math.max(...calls.map(({ timeLeft }) => timeLeft))
      return await this.#home.store.append(this.address, pack.events, options)
    } catch (error) {
      if (isCairnError(error) && ofOne.has(error.code)) {
        this.#requeueBatch()
        return 'apart'
      }
      // Nothing was written: why the call was given up says more.
      if (isCairnError(error, 'aborted')) call.check()
      throw error
    } finally {
      this.#sharedAppend = undefined
      for (const one of calls) one.endStoring()
    }
  }

  /** What was taken in is stored: its answers, and what follows from it. */
  #followUp({ members }: CommandBatch, position: Position): void {
    for (const [i, letter] of this.#mailbox.claimed.entries()) {
      const { decision, version, outcome } = members[i + 1]!
      letter.settled = {
        ok: true,
        outcome: outcome.ok ? { ...outcome, position } : outcome,
      }
      if (!decision.ok) continue
      const first = version - decision.events.length + 1
      runAfterCommit(decision, this.address, first, this.#home.log)
    }
  }

  /** Looks back and decides, on the state of a life. */
  async #consider(
    call: OpenCall,
    command: Command,
    search: DuplicateSearch,
    life: Running,
    now: number,
    kept: Redelivery | undefined,
  ): Promise<Consideration> {
    let found: Awaited<ReturnType<DuplicateDetector['find']>>
    let isSuperseded: boolean | 'lagging' = false
    try {
      found = await this.#duplicates.find(search, life.folded.version, now, call)
      if (found === 'none')
        isSuperseded = await this.#isSuperseded(kept, life.folded, call)
    } catch (error) {
      // The signal fires when the call is given up: its reason says more than "aborted".
      call.check()
      throw error
    }
    call.check()
    if (found === 'lagging' || isSuperseded === 'lagging') return { kind: 'lagging' }
    if (found !== 'none') return { kind: 'repeat', outcome: found }
    if (isSuperseded) return { kind: 'decided', decision: superseded(kept!.firing!) }
    return this.#decide(command, life.folded, now, kept?.firing)
  }

  #decide(
    command: Command,
    at: FoldedState,
    now: number,
    firing?: TimerFiring,
  ): Consideration {
    try {
      const decision = decide(this.#definition, this.address, at, command, now, firing)
      return { kind: 'decided', decision }
    } catch (error) {
      return { kind: 'failed', error }
    }
  }

  /** Whether the command is of a timer that counts no more (firing F1). */
  async #isSuperseded(
    kept: Redelivery | undefined,
    at: FoldedState,
    { signal }: OpenCall,
  ): Promise<boolean | 'lagging'> {
    const { firing, commitPosition = 0 } = kept ?? {}
    if (firing === undefined) return false
    const { store } = this.#home
    return this.#home.wake(
      () => findSuperseded(store, this.address, firing, at, commitPosition, signal),
      signal,
      `looking for what became of timer ${show(firing.name)} of ${this.name}`,
    )
  }

  /** An answer drawn from the state in memory, which drawing it must not have changed (A3). */
  #answer(
    command: Command,
    decision: AcceptedDecision,
    at: FoldedState,
  ): AcceptedOutcome {
    try {
      return acceptedOutcome(this.address, command, decision, at)
    } catch (error) {
      this.#life = appendPending
      throw error
    }
  }

  /** A7: waits until what operators have said is known. */
  async #loadDirectives(call: OpenCall): Promise<void> {
    const wait = this.#loadDirectivesAsync
    if (wait === undefined) return
    await raceSignal(wait, call.signal)
    call.check()
  }

  /** The wait for what operators have said and this node has not read, if there is such. */
  get #loadDirectivesAsync(): Promise<void> | undefined {
    return this.#supervisor === undefined
      ? undefined
      : this.#home.directives?.pending(this.#supervisor)
  }

  get #directives(): DirectiveState | undefined {
    return this.#supervisor === undefined
      ? undefined
      : this.#home.directives?.of(this.#supervisor)
  }

  #refuseWhilePaused(): void {
    const { paused } = this.#directives ?? {}
    if (paused !== undefined) throw actorPaused(this.address, paused)
  }

  /** How its history is folded now, for as long as operators say nothing else. */
  #foldingWith(skips: Skips | undefined): FoldContext {
    if (this.#folding.skips !== skips) this.#folding = { ...this.#folding, skips }
    return this.#folding
  }

  /**
   * The running life: woken, or caught up when it is said to be behind.
   * @param isCommand it waits for a restart, and is refused during a pause; a reading does neither
   */
  async #awake(call: OpenCall, isCommand = false): Promise<Running> {
    const ready = this.#ready
    if (ready !== undefined) return ready
    const life = this.#life
    if (life.phase === 'parked') throw actorStillParked(this.address, life.error)
    const isFoldedRight =
      life.phase === 'running' && life.skips === this.#directives?.skips
    return this.#read(call, isFoldedRight ? life : undefined, isCommand)
  }

  /** The running life, where nothing says that it is behind. */
  get #ready(): Running | undefined {
    const life = this.#life
    if (life.phase !== 'running' || life.skips !== this.#directives?.skips)
      return undefined
    const isBehind = this.#heard > life.folded.version
    const isSuspect = life.provenAt < this.#home.ticks.suspectBefore
    return isBehind || isSuspect ? undefined : life
  }

  /** A running life that no commit stored before the call's arrival is missing from (A4). */
  async #newest(call: OpenCall, isCommand = false): Promise<Running> {
    const life = await this.#awake(call, isCommand)
    return life.provenAt >= call.arrived ? life : this.#read(call, life, isCommand)
  }

  /** Reads the history, again after each failure that its type's policy restarts it after (A8). */
  async #read(
    call: OpenCall,
    known: Running | undefined,
    isCommand: boolean,
  ): Promise<Running> {
    for (let from = known; ; from = undefined) {
      const life = this.#life
      if (life.phase === 'restarting') await this.#waitForRestart(call, life, isCommand)
      try {
        return await this.#readOnce(call, from)
      } catch (error) {
        if (this.#life.phase !== 'restarting') throw error
      }
    }
  }

  async #waitForRestart(
    call: OpenCall,
    life: Restarting,
    isCommand: boolean,
  ): Promise<void> {
    const { delay, due, news, error } = life
    if (!isCommand) throw actorRestarting(this.address, delay, error)
    const { clock } = this.#home
    // A clock that was set back must not make it longer.
    const left = Math.min(delay, due - clock.now())
    if (left > 0) {
      const signal = AbortSignal.any([call.signal, news.signal])
      await (clock.wait?.(left, signal) ?? pause(left, signal))
      call.check()
    }
    await this.#loadDirectives(call)
    this.#refuseWhilePaused()
    if (this.#life === life) this.#life = asleep
  }

  /** Reads the history: all that is needed to wake, or what is missing from `known`. */
  async #readOnce(call: OpenCall, known: Running | undefined): Promise<Running> {
    const { store, ticks, counters } = this.#home
    const { signal } = call
    const heard = this.#heard
    const begun = ticks.now
    const skips = this.#directives?.skips
    const folding = this.#foldingWith(skips)
    let at: FoldedState
    try {
      if (known?.skips === skips && known !== undefined)
        at = await refresh(store, folding, known.folded, signal)
      else {
        if (this.#life.phase === 'asleep') counters.wakes++
        this.#life = recovering
        at = await this.#home.wake(
          () => recover(store, folding, signal),
          signal,
          `waking ${this.name}`,
        )
      }
    } catch (error) {
      this.#life = asleep
      if (isCairnError(error, 'actor-parked')) this.#fail(error)
      // The signal fires when the call is given up: its reason says more than "aborted".
      call.check()
      throw error
    }
    // A wrong word about a version heals here, unless a newer one came in between (A5).
    if (this.#heard === heard && heard > at.version) this.#heard = at.version
    const measureFrom = known?.folded === at ? known.measureFrom : 0
    const life: Running = {
      phase: 'running',
      folded: at,
      provenAt: begun,
      measureFrom,
      skips,
    }
    if (known?.folded !== at) this.#stateBytes = undefined
    this.#life = life
    this.#home.adopted?.(this.address, this.#definition, at)
    call.check()
    return life
  }

  #append(
    call: OpenCall,
    events: Parameters<EventStore['append']>[1],
    options: Writable<AppendOptions>,
  ): Promise<AppendResult> {
    call.beginStoring()
    options.signal = call.signal
    options.timeout = call.timeLeft
    return this.#home.store.append(this.address, events, options)
  }

  /** The state is a convenience: a command must not fail because it makes a commit too large. */
  async #appendBare(
    call: OpenCall,
    events: Parameters<EventStore['append']>[1],
    { state, ...options }: AppendOptions,
    error: unknown,
  ): Promise<AppendResult> {
    try {
      if (state === undefined || !isCairnError(error, 'commit-too-large')) throw error
      const bare = { ...options, timeout: call.timeLeft }
      return await this.#home.store.append(this.address, events, bare)
    } catch (failure) {
      // Nothing was written: why the call was given up says more.
      if (isCairnError(failure, 'aborted')) call.check()
      throw failure
    }
  }

  #planInlineState(life: Running, state: unknown, version: Version): InlineStatePlan {
    return planInlineState(
      this.#definition,
      state,
      version,
      life.folded.inlineState,
      life.measureFrom,
      life.skips,
      error => this.#home.unstorable(this.address.type, error),
    )
  }

  /** The state after events that are not stored yet; where they cannot be folded, it has failed. */
  #foldTentatively(life: Running, command: Command, events: TentativeEvents): unknown {
    try {
      return foldTentatively(this.#foldingWith(life.skips), life.folded, command, events)
    } catch (error) {
      if (!isCairnError(error, 'actor-parked')) throw error
      const next = this.#fail(error)
      throw next.phase === 'restarting'
        ? actorRestarting(this.address, next.delay, error)
        : error
    }
  }

  /** What its type's policy says (A8). */
  #fail(error: CairnError): Parked | Restarting {
    const { clock, log } = this.#home
    const { message, details } = error
    const delay = delayAfter(this.#policy, ++this.#failures)
    const life: Parked | Restarting =
      delay === undefined
        ? { phase: 'parked', error }
        : {
            phase: 'restarting',
            error,
            delay,
            due: clock.now() + delay,
            news: new AbortController(),
          }
    this.#life = life
    if (life.phase === 'restarting')
      log('warn', actorRestarting(this.address, life.delay, error).message, details)
    else log('error', message, details)
    if (this.#policy.onFailure === 'escalate') this.#home.escalate(this.address, error)
    return life
  }

  async #backOff(call: OpenCall, attempt: number): Promise<void> {
    await pause(Math.random() * Math.min(2 ** attempt, 50), call.signal)
    call.check()
  }

  #reportMalformed({ position, source, reason }: MalformedRecord): void {
    this.#home.log(
      'warn',
      `A record in the place of ${this.name} is no readable commit`,
      {
        actor: this.name,
        position,
        source,
        reason,
      },
    )
  }
}

/** Refused for what one command of several came to; nothing was written. */
const ofOne: ReadonlySet<string> = new Set([
  'invalid-event',
  'invalid-data',
  'invalid-option',
  'commit-too-large',
])

function storesSomething(decision: Decision): boolean {
  return decision.ok && decision.events.length > 0
}

function isAwaited({ call }: QueuedCall): boolean {
  return !call.isOver
}

/** What became of a letter that was taken in with one that failed. */
function failedWith({ call }: QueuedCall, error: unknown): QueuedCall['settled'] {
  try {
    // Where nothing was written, why it was given up says more.
    if (!isCairnError(error, 'outcome-unknown')) call.check()
    return { ok: false, error }
  } catch (why) {
    return { ok: false, error: why }
  }
}

function answer({ call, settled }: QueuedCall): void {
  if (settled?.ok === true) call.resolve(settled.outcome)
  else call.fail(settled?.error)
}

/** Whether the answer would rest on nothing but the state in memory. */
function storesNothing(step: Consideration): boolean {
  if (step.kind !== 'decided') return step.kind === 'failed'
  return !step.decision.ok || step.decision.events.length === 0
}

/** Whether a behavior has run and thrown, on the state in memory. */
function mayHaveChangedState(step: Consideration): boolean {
  return step.kind === 'failed' && !isCairnError(step.error, 'unknown-command')
}

function contention(name: string, { type }: Command, attempts: number): CairnError {
  return new CairnError(
    'contention',
    `Command ${show(type)} to ${name} lost against other writers ${attempts} times in a row; nothing ` +
      'was stored. Send it again, and route the commands of one actor to one node.',
    { details: { actor: name, command: type, attempts } },
  )
}
