// The command loop: takes a command of one actor from its turn in the mailbox to its outcome.
//
// Owns the commands that are being processed. The state belongs to the actor's life (life.ts).
// COMMAND-LOOP-1. No answer rests on an old state. The store checks the version of whatever is stored. An answer that
//     stores nothing is confirmed by a read or an own append that began after the call arrived.
// COMMAND-LOOP-2. A command that may be a duplicate is decided on a version only after it was searched for in every
//     commit up to that version (DUPLICATES-1).
// COMMAND-LOOP-3. Commands that wait after a command that stores something may be stored with it as one commit
//     (command-batch.ts). When that commit is refused, each of them gets its turn again.
// COMMAND-LOOP-4. Before its turn a command waits until the operators' directives are known, and it is refused while the
//     actor is paused. A command that has begun is finished.
// COMMAND-LOOP-5. A command that loses to another writer is decided again, on the other's state (contention.ts).

import type { AcceptedDecision, Command } from '../model/behavior.js'
import type { AcceptedOutcome, AskOutcome } from '../model/command-sender.js'
import type { CairnError } from '../model/errors.js'
import { checkPendingWork, pendingAfter } from '../model/pending-work.js'
import type { Position, Version } from '../model/version.js'
import type { PendingWork } from '../model/work.js'
import type { OwnAppendOptions } from '../store/event-store/append.js'
import type { ActorSubject } from './actor-ports.js'
import { runAfterCommit } from './after-commit.js'
import {
  appendBatch,
  appendSingle,
  appendWithoutState,
  type BatchResult,
} from './append-commit.js'
import type { OpenCall, SharedAppend } from './call.js'
import { withCauses } from './causes.js'
import { completeClaimed, inboxPositionWith, searchAgain } from './claimed-commands.js'
import type { CommandBatch } from './command-batch.js'
import { backOff, contention, Gaps, ownerChanged } from './contention.js'
import { acceptedOutcome, rejectedOutcome } from './decide.js'
import type { DuplicateDetector, DuplicateSearch } from './duplicate-detector.js'
import {
  type Evaluated,
  type Evaluation,
  evaluate,
  mayHaveChangedState,
  storesNothing,
  storesSomething,
} from './evaluation.js'
import { fillBatch } from './fill-batch.js'
import type { FoldedState } from './fold.js'
import { type InlineStatePlan, planInlineState } from './inline-state.js'
import type { Life, Running } from './life.js'
import type { Mailbox } from './mailbox.js'
import { isAwaited, type QueuedCall, type QueuedCommand } from './queued-call.js'
import { reportRejectedEnds } from './work-end.js'
import type { Writable } from '../model/writable.js'

/** A command in its turn, and what its attempts have shown. */
interface Turn extends Evaluated {
  /** Stored with the command (DUPLICATES-9). */
  readonly digest: string | undefined
  search: DuplicateSearch
  /** Whether commands that wait may be stored with it. */
  mayBatch: boolean
  /** A version that the store has reported; a state before it is old. */
  versionAtLeast: Version
  conflicts: number
}

/** The result of one attempt. */
type Step =
  | { readonly kind: 'answered'; readonly outcome: AskOutcome }
  /** The state was old: read it, and decide again after a pause. */
  | { readonly kind: 'again' }
  /** The batch was given up: decide again, alone. */
  | { readonly kind: 'separate' }

/** A decision on its way into the log, with the state after it. */
interface Tentative {
  readonly decision: AcceptedDecision
  readonly outcome: AcceptedOutcome
  /** Set if other commands are stored with it. */
  readonly batch: CommandBatch | undefined
  /** After the last command of the commit. */
  readonly state: unknown
  readonly version: Version
  /** The time of the decision. */
  readonly at: number
}

const again: Step = { kind: 'again' }
const separate: Step = { kind: 'separate' }

export class CommandLoop {
  readonly subject: ActorSubject
  readonly life: Life
  readonly duplicates: DuplicateDetector
  readonly mailbox: Mailbox<QueuedCall>
  /** How many commands are stored separately before batching resumes (COMMAND-LOOP-3). */
  #separateCommands = 0
  readonly #gaps = new Gaps()
  /** The append of a batch that is under way. */
  #sharedAppend: SharedAppend | undefined

  constructor(
    subject: ActorSubject,
    life: Life,
    duplicates: DuplicateDetector,
    mailbox: Mailbox<QueuedCall>,
  ) {
    this.subject = subject
    this.life = life
    this.duplicates = duplicates
    this.mailbox = mailbox
  }

  /** Tells the store to stop waiting for the append of a batch. */
  stop(reason: CairnError): void {
    this.#sharedAppend?.abort(reason)
  }

  /** Decides a command, stores what it decides, and returns its outcome. */
  async handle({ call, pending }: QueuedCommand): Promise<AskOutcome> {
    const { command, isNew, redelivery, digest } = pending
    const { directives } = this.life
    // Here and below, await only what is pending (COMMAND-LOOP-4).
    if (directives.pending !== undefined) await directives.known(call)
    directives.throwIfPaused()
    const turn: Turn = {
      call,
      command,
      redelivery,
      search:
        pending.search ??
        this.duplicates.startSearch(command.id, isNew, redelivery, digest),
      digest,
      mayBatch: this.#separateCommands === 0,
      versionAtLeast: 0,
      conflicts: 0,
    }
    if (!turn.mayBatch) this.#separateCommands--
    const { running } = this.life
    if (this.#gaps.isDue && running !== undefined) {
      await this.#gaps.leave(call)
      await this.life.readHistory(call, running, true)
    }
    for (let retries = 0; ;) {
      const attempt = this.#attempt(turn)
      const step = attempt instanceof Promise ? await attempt : attempt
      if (step.kind === 'answered') return step.outcome
      if (step.kind === 'separate') turn.mayBatch = false
      else await backOff(call, ++retries)
    }
  }

  // An attempt waits only for what is not there yet: a promise for each step costs as much as the step.
  #attempt(turn: Turn): Step | Promise<Step> {
    const { current } = this.life
    return current === undefined
      ? this.#readAndAttempt(turn)
      : this.#attemptOn(turn, current)
  }

  /** Wakes, or catches up when a newer version was reported. A parked actor fails here. */
  async #readAndAttempt(turn: Turn): Promise<Step> {
    const running = await this.life.ensureRunning(turn.call, true)
    return this.#attemptOn(turn, running)
  }

  #attemptOn(turn: Turn, running: Running): Step | Promise<Step> {
    const { duplicates, subject } = this
    // The read may come from a replica that lags behind the conflict that the store reported.
    if (running.folded.version < turn.versionAtLeast) return this.#readAgain()
    // Search for a duplicate (COMMAND-LOOP-2), and decide.
    const now = subject.ports.clock.now()
    const evaluation = evaluate(subject, duplicates, turn, running.folded, now)
    return evaluation instanceof Promise
      ? evaluation.then(found => this.#proceed(turn, running, found, now))
      : this.#proceed(turn, running, evaluation, now)
  }

  #proceed(
    turn: Turn,
    running: Running,
    evaluation: Evaluation,
    now: number,
  ): Step | Promise<Step> {
    return storesNothing(evaluation)
      ? this.#confirmAndConclude(turn, running, evaluation, now)
      : this.#conclude(turn, running, evaluation, now)
  }

  /** Nothing to store: confirms that the state is the newest (COMMAND-LOOP-1), or decides again. */
  async #confirmAndConclude(
    turn: Turn,
    running: Running,
    evaluation: Evaluation,
    now: number,
  ): Promise<Step> {
    const { life, duplicates, subject } = this
    const newest = await this.#confirm(turn.call, running, evaluation)
    if (newest === undefined) return this.#conclude(turn, running, evaluation, now)
    subject.ports.counters.retries++
    const again = await evaluate(subject, duplicates, turn, newest.folded, now)
    if (mayHaveChangedState(again)) life.distrust()
    return this.#conclude(turn, newest, again, now)
  }

  #conclude(
    turn: Turn,
    running: Running,
    evaluation: Evaluation,
    now: number,
  ): Step | Promise<Step> {
    const { command } = turn
    const { address, ports } = this.subject
    switch (evaluation.kind) {
      case 'duplicate':
        ports.counters.duplicates++
        return { kind: 'answered', outcome: evaluation.outcome }
      case 'failed':
        throw this.life.guard.explain(evaluation.error, command.type)
      case 'lagging':
        return this.#readAgain()
      case 'decided': {
        const { decision } = evaluation
        if (storesSomething(decision)) return this.#commit(turn, running, decision, now)
        const outcome = decision.ok
          ? this.#acceptWithoutEvents(command, decision, running.folded)
          : rejectedOutcome(address, command, decision, running.folded)
        return { kind: 'answered', outcome }
      }
    }
  }

  /** The newest state, if it is another one than `running` (COMMAND-LOOP-1). */
  async #confirm(
    call: OpenCall,
    { folded }: Running,
    evaluation: Evaluation,
  ): Promise<Running | undefined> {
    const { life } = this
    const mayBeChanged = mayHaveChangedState(evaluation)
    // LIFE-2.
    if (mayBeChanged) life.distrust()
    const newest = await life.ensureNewest(call, true)
    const isSame = mayBeChanged
      ? newest.folded.position === folded.position
      : newest.folded === folded
    return isSame ? undefined : newest
  }

  #readAgain(): Step {
    this.life.distrust()
    return again
  }

  /** The answer of a command without events. Computing the reply may have changed the state if it throws (LIFE-2). */
  #acceptWithoutEvents(
    command: Command,
    decision: AcceptedDecision,
    folded: FoldedState,
  ): AcceptedOutcome {
    try {
      return acceptedOutcome(this.subject.address, command, decision, folded)
    } catch (error) {
      this.life.distrust()
      throw error
    }
  }

  /** Stores what was decided, alone or with commands that wait. */
  async #commit(
    turn: Turn,
    running: Running,
    decision: AcceptedDecision,
    at: number,
  ): Promise<Step> {
    const { folded } = running
    // LIFE-2: unless the append is acknowledged, the next step reads the history again.
    this.life.distrust()
    const tentative = this.#prepare(turn, running, decision, at)
    if (tentative === undefined) return separate
    const { state, version, batch } = tentative
    const works = this.#worksAfter(turn, folded, tentative)

    const plan = this.#planInlineState(running, state, version, works)
    const startedAt = this.subject.ports.logicalClock.now
    // Filled property by property: object spreads cost more than the rest of a step.
    const options: Writable<OwnAppendOptions> = {
      expected: folded.version,
      at,
      isAdmitted: true,
    }
    if (plan.state !== undefined) options.state = plan.state
    const { duplicates, mailbox } = this
    const own = duplicates.inboxPositionAfter(turn.redelivery, folded.inboxPosition)
    const inboxPosition = inboxPositionWith(mailbox.claimed, duplicates, own)
    if (inboxPosition !== undefined) options.inboxPosition = inboxPosition
    options.behaviorVersion = this.life.guard.version
    let result: BatchResult
    try {
      result = await this.#append(turn, tentative, options)
    } catch (error) {
      const { call } = turn
      const { events } = decision
      if (options.commands !== undefined) throw error
      result = await appendWithoutState(this.subject, call, events, options, error)
    } finally {
      turn.call.endStoring()
    }
    if (result === 'separate') {
      this.#requeueBatch()
      turn.call.check()
      return separate
    }
    if (!result.ok) return this.#onConflict(turn, batch, folded.version, result.actual)

    // The state is adopted (LIFE-1), then actions after the commit run, once, on this node.
    const { position } = result
    const inlineStateVersion =
      plan.state === undefined ? folded.inlineStateVersion : version
    const stored = { state, version, position, inlineStateVersion, inboxPosition, works }
    this.life.adopt(stored, startedAt, running, plan)
    this.life.guard.onStored()
    if (folded.works !== undefined)
      reportRejectedEnds(this.subject, batch?.events ?? decision.events)
    this.#recordCommands(turn.command, folded.version + 1, tentative, position)
    const { address, definition, ports } = this.subject
    const { encoded: value } = plan
    if (value !== undefined && ports.snapshots !== undefined) {
      const { commitId } = result
      ports.snapshots.offer(address, definition, stored, running.skips, {
        value,
        commitId,
      })
    }
    runAfterCommit(decision, address, folded.version + 1, ports.log)
    if (batch !== undefined)
      completeClaimed(mailbox.claimed, batch, position, address, ports.log)
    ports.onStoredState?.(address, definition, stored)
    return { kind: 'answered', outcome: { ...tentative.outcome, position } }
  }

  /**
   * Folds tentatively: the commit carries the state, and the reply is computed from it. Returns `undefined` when the
   * command must be stored alone.
   */
  #prepare(
    { command, digest, mayBatch }: Turn,
    running: Running,
    decision: AcceptedDecision,
    at: number,
  ): Tentative | undefined {
    const { folded } = running
    const { address, ports } = this.subject
    const events = { list: decision.events, at, nodeId: ports.nodeId }
    const { after: known } = decision
    const state =
      known === undefined
        ? this.life.foldTentatively(running, command, events)
        : known.state
    const version = folded.version + decision.events.length
    const after = { state, version, position: folded.position }
    const outcome = acceptedOutcome(address, command, decision, after)
    // Another process decides on a state that it was sent: none of what waits can be decided meanwhile.
    if (!mayBatch || this.mailbox.waiting === 0 || known !== undefined)
      return { decision, outcome, batch: undefined, state, version, at }
    const first = { command, digest, decision, version, outcome }
    const batch = fillBatch(this, first, running, state, at)
    if (batch !== undefined)
      return { decision, outcome, batch, state: batch.state, version: batch.version, at }
    this.#requeueBatch()
    return undefined
  }

  #append(
    { call, command, digest }: Turn,
    { batch, decision, outcome }: Tentative,
    options: Writable<OwnAppendOptions>,
  ): Promise<BatchResult> {
    if (batch !== undefined && batch.storedCommands > 1) {
      const { claimed } = this.mailbox
      const calls = batch.members.flatMap((member, i): OpenCall[] => {
        if (!storesSomething(member.decision)) return []
        return [i === 0 ? call : claimed[i - 1]!.call]
      })
      return appendBatch(
        this.subject,
        calls,
        batch,
        options,
        shared => (this.#sharedAppend = shared),
      )
    }
    const { id } = command
    const { reply } = outcome
    options.command = digest === undefined ? { id, reply } : { id, reply, digest }
    if (decision.outbox !== undefined) options.outbox = decision.outbox
    withCauses(options, command)
    return appendSingle(this.subject, call, decision.events, options)
  }

  /** Another writer was faster: its commits are read, and the commands are decided again (COMMAND-LOOP-5). */
  #onConflict(
    turn: Turn,
    batch: CommandBatch | undefined,
    expected: Version,
    actual: Version,
  ): Step {
    const { duplicates, mailbox, subject } = this
    const { address, name, ports } = subject
    if (batch !== undefined)
      searchAgain(mailbox.claimed, batch, duplicates, expected, actual)
    mailbox.requeue(isAwaited)
    ports.counters.conflicts++
    ports.counters.retries++
    const owner = ports.versions?.()?.otherOwner(address)
    if (owner !== undefined) throw ownerChanged(name, owner)
    const conflicts = ++turn.conflicts
    turn.call.onExpiry(() => contention(name, turn.command, conflicts))
    this.#gaps.onConflict()
    turn.versionAtLeast = actual > expected ? actual : 0
    turn.search = duplicates.continueSearch(turn.search, expected, actual)
    return again
  }

  /** Returns the claimed commands to the mailbox, to be processed separately. */
  #requeueBatch(): void {
    this.#separateCommands = this.mailbox.claimed.length + 1
    this.mailbox.requeue(isAwaited)
  }

  /** Adds the stored commands to the command window. */
  #recordCommands(
    { id }: Command,
    first: Version,
    { batch, version }: Tentative,
    position: Position,
  ): void {
    if (batch !== undefined)
      for (const entry of batch.entries(position)) this.duplicates.onStored(entry)
    else this.duplicates.onStored({ first, last: version, position, commandId: id })
  }

  /** The work that has not ended after the commit. Throws `queue-full` if that is too much. */
  #worksAfter(
    { command }: Turn,
    { works, version }: FoldedState,
    { decision, batch }: Tentative,
  ): readonly PendingWork[] | undefined {
    const { outbox } = decision
    if (works === undefined && outbox === undefined) return undefined
    const actor = this.subject.address
    const ids = batch?.commands.map(({ id }) => id) ?? [command.id]
    const pending = pendingAfter(works, { actor, firstVersion: version + 1, outbox }, ids)
    checkPendingWork(actor, pending)
    return pending
  }

  #planInlineState(
    running: Running,
    state: unknown,
    version: Version,
    works: readonly PendingWork[] | undefined,
  ): InlineStatePlan {
    const { address, definition, ports } = this.subject
    return planInlineState(
      definition,
      state,
      version,
      running.folded.inlineStateVersion,
      running.measureFrom,
      running.skips,
      works,
      error => ports.onUnstorableState(address.type, error),
    )
  }
}
