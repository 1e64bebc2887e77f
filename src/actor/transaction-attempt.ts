// One attempt at a transaction: the actors that its work uses, and what it has decided for them.
//
// Owns the states that the work sees. They belong to this attempt only: the next attempt reads again.
// TRANSACTION-6. A state is read once, when the work first uses the actor, and then changes only by what
//                the work decides for it: the work sees each actor at one version.
// TRANSACTION-7. Actors are numbered in the order in which the work first uses them, and an actor's
//                commit has the command id `<transaction>/<number>`. The work has read nothing when it
//                picks the first actor (the anchor), so a repeated transaction picks the same one and
//                finds there that it was committed.
// TRANSACTION-8. If nothing is stored, the states may be old: `isStale` checks them, with one read for
//                each actor.
// TRANSACTION-9. After the end of the work, the attempt accepts no calls, and reports calls that the work
//                did not await.

import { type ActorAddress, checkActorId, formatAddress } from '../model/address.js'
import type { Command, Rejection } from '../model/behavior.js'
import type { Causes, MalformedRecord } from '../model/commit.js'
import { CairnError } from '../model/errors.js'
import type { NewEvent } from '../model/event.js'
import type { AcceptedOutcome } from '../model/command-sender.js'
import type { WriteLog } from '../model/log.js'
import type { OutboxEntry } from '../model/outbox.js'
import { checkPendingWork, pendingAfter } from '../model/pending-work.js'
import { handOut } from '../model/read-only.js'
import { show } from '../model/show.js'
import type { AppendPart, EventStore, Guard } from '../store/event-store/event-store.js'
import { runAfterCommit } from './after-commit.js'
import type { OpenCall } from './call.js'
import { planInlineState } from './inline-state.js'
import { acceptedOutcome, rejectedOutcome } from './decide.js'
import type { AnyActorDefinition } from './definition.js'
import { detach, detachPlain } from './detach.js'
import type { FoldContext, FoldedState } from './fold.js'
import type { DirectiveState } from './directives.js'
import type { Middleware } from './middleware.js'
import { actorPaused } from './parked.js'
import { recover } from './recovery.js'
import { foldTentatively } from './tentative.js'
import { decideTraced } from './traced-decide.js'
import { abort, type Transaction } from './transaction.js'
import type { SnapshotSource } from './snapshot-source.js'
import { isRedirect, type NodeVersions, VersionGuard } from './version-guard.js'

/** The outcome of a command before anything is stored. */
type WorkOutcome =
  | { readonly ok: true; readonly version: number; readonly reply: unknown }
  | { readonly ok: false; readonly version: number; readonly rejection: Rejection }

/** What an attempt needs of the transactor. */
export interface AttemptPorts {
  readonly store: Pick<EventStore, 'head' | 'commits'>
  /** For traces. */
  readonly namespace: string
  readonly nodeId: string
  readonly call: OpenCall
  readonly causes: Causes
  /** Runs before each command that the work decides (MIDDLEWARE-1). */
  readonly middleware: Middleware
  /** The time of every decision. */
  readonly now: number
  /** Reads an actor within the limit of concurrent reads. */
  read<T>(work: () => Promise<T>, doing: string): Promise<T>
  /** Reads the first actor, and searches whether the transaction was committed before. */
  readFirst(
    participant: FoldContext,
    definition: AnyActorDefinition,
  ): Promise<FirstReading>
  /** Throws if the definition is not the one that this node knows for its type. */
  checkDefinition(definition: AnyActorDefinition): void
  /** Returns the directives in force for an actor. */
  directives(actor: ActorAddress, signal: AbortSignal): Promise<DirectiveState>
  /** The behavior versions of the nodes. */
  readonly snapshots: SnapshotSource | undefined
  versions(): NodeVersions | undefined
  onMalformed(record: MalformedRecord): void
  onUnstorable(type: string, error: unknown): void
}

export interface FirstReading {
  readonly folded: FoldedState
  /** The outcome if the transaction was committed before; `lagging` if that cannot be known yet. */
  readonly found: AcceptedOutcome | 'none' | 'lagging'
}

/** An actor in a transaction. */
interface Participant {
  readonly address: ActorAddress
  readonly definition: AnyActorDefinition
  readonly folding: FoldContext
  readonly directives: DirectiveState
  readonly guard: VersionGuard
  readonly commandId: string
  /** The state that was read. */
  readonly read: FoldedState
  /** The state after what was decided. */
  current: FoldedState
  readonly events: NewEvent[]
  readonly outbox: OutboxEntry[]
  /** Functions to run after the commit is stored. */
  readonly afterCommit: ((log: WriteLog) => void)[]
  /** Whether the work's outcome depends on it. */
  isGuarded: boolean
}

export class TransactionAttempt {
  readonly id: string
  readonly #ports: AttemptPorts
  readonly #byName = new Map<string, Promise<Participant>>()
  readonly #participants: Participant[] = []
  #first: string | undefined
  #found: FirstReading['found'] = 'none'
  #isEnded = false
  readonly #pending = new Set<{ readonly what: string }>()

  constructor(id: string, ports: AttemptPorts) {
    this.id = id
    this.#ports = ports
  }

  /** Whether the first actor's history has the transaction (TRANSACTION-7). */
  get found(): FirstReading['found'] {
    return this.#found
  }

  /** The first actor that the work used, if it wrote to it: a repeated transaction is found there. */
  get anchor(): Participant | undefined {
    const first = this.#participants.find(({ address }) => this.#isFirst(address))
    return first !== undefined && first.events.length > 0 ? first : undefined
  }

  /** The name of the first actor that the work used. */
  get firstName(): string | undefined {
    return this.#first
  }

  /** The argument of the work. */
  get transaction(): Transaction {
    const untyped = {
      id: this.id,
      signal: this.#ports.call.signal,
      load: (
        definition: AnyActorDefinition,
        id: string,
        { guard = true }: { readonly guard?: boolean } = {},
      ) =>
        this.#track(`load ${definition.type}/${id}`, async () => {
          const participant = await this.#participant(definition, id)
          if (guard) participant.isGuarded = true
          const { state, version, position } = participant.current
          const plain = detachPlain(handOut(state))
          return { state: plain, version, position, exists: version > 0 }
        }),
      ask: (definition: AnyActorDefinition, id: string, type: string, data?: unknown) =>
        this.#track(`ask ${definition.type}/${id} to ${type}`, async () =>
          this.#ask(await this.#participant(definition, id), type, data),
        ),
      abort,
    }
    // The implementation is the same for all definitions; only its types differ.
    return untyped as unknown as Transaction
  }

  /** The work has ended (TRANSACTION-9). */
  end(): void {
    this.#isEnded = true
  }

  /** TRANSACTION-9. Throws if the work ended before one of its calls did. */
  checkAwaited(): void {
    const [first] = this.#pending
    if (first === undefined) return
    throw new CairnError(
      'invalid-option',
      `The work of transaction ${show(this.id)} ended before its "${first.what}" did: await every call. ` +
        'Nothing was stored.',
      { details: { transactionId: this.id } },
    )
  }

  /** The commits to store; empty if the work has decided no events. */
  parts(reply: unknown, withStates: boolean): AppendPart[] {
    const written = this.#participants.filter(({ events }) => events.length > 0)
    return written.map((participant, i): AppendPart => {
      const { address, read, current, events, outbox, commandId, guard } = participant
      checkPendingWork(address, worksOf(participant))
      const state = withStates ? this.#stateOf(participant) : undefined
      return {
        actor: address,
        events,
        outbox,
        expected: read.version,
        behaviorVersion: guard.version,
        command:
          i === 0 && reply !== undefined ? { id: commandId, reply } : { id: commandId },
        ...(state !== undefined && current.version > read.version && { state }),
        ...(read.inboxPosition !== undefined && { inboxPosition: read.inboxPosition }),
      }
    })
  }

  /** Runs the `afterCommit` functions; call it after the commits are stored. */
  runAfterCommit(log: WriteLog): void {
    for (const { afterCommit } of this.#participants)
      for (const run of afterCommit) run(log)
  }

  /** The actors that the work only read. */
  guards(): Guard[] {
    return this.#participants
      .filter(({ events, isGuarded }) => events.length === 0 && isGuarded)
      .map(({ address, read }) => ({ actor: address, version: read.version }))
  }

  /** TRANSACTION-8. */
  async isStale(): Promise<boolean> {
    const { store, call } = this.#ports
    const { signal } = call
    const read = this.#participants.filter(({ isGuarded }) => isGuarded)
    const changed = await Promise.all(
      read.map(async ({ address, read: { version } }) => {
        const reading = () => store.head(address, { signal })
        const head = await this.#ports.read(reading, `reading ${formatAddress(address)}`)
        return head.version !== version
      }),
    )
    return changed.includes(true)
  }

  async #track<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#isEnded)
      throw new CairnError(
        'invalid-option',
        `Transaction ${show(this.id)} has ended and was used to ${what}: use it only within its work.`,
        { details: { transactionId: this.id } },
      )
    const key = { what }
    this.#pending.add(key)
    try {
      return await work()
    } finally {
      this.#pending.delete(key)
    }
  }

  /** TRANSACTION-6. */
  async #participant(definition: AnyActorDefinition, id: string): Promise<Participant> {
    this.#ports.checkDefinition(definition)
    const address = Object.freeze({ type: definition.type, id: checkActorId(id) })
    const name = formatAddress(address)
    let joining = this.#byName.get(name)
    if (joining === undefined) {
      joining = this.#join(address, name, definition, this.#byName.size + 1)
      this.#byName.set(name, joining)
    }
    const participant = await joining
    this.#ports.call.check()
    if (participant.definition === definition) return participant
    throw new CairnError(
      'unknown-actor-type',
      `Transaction ${show(this.id)} uses two definitions of actor type ${show(definition.type)}: use one.`,
    )
  }

  async #join(
    address: ActorAddress,
    name: string,
    definition: AnyActorDefinition,
    number: number,
  ): Promise<Participant> {
    const { behavior } = definition
    if (behavior.remote !== undefined) throw decidedElsewhere(address)
    const onMalformed = (record: MalformedRecord) => this.#ports.onMalformed(record)
    if (number === 1) this.#first = name
    const directives = await this.#ports.directives(address, this.#ports.call.signal)
    const { skips } = directives
    const guard = new VersionGuard(address, behavior.version, this.#ports.versions)
    const onHead: FoldContext['onHead'] = head => guard.onHead(head)
    const { snapshots } = this.#ports
    const own = { actor: address, behavior, snapshots }
    const folding: FoldContext = { ...own, onMalformed, skips, onHead }
    let read: FoldedState
    try {
      read =
        number === 1
          ? await this.#readFirst(folding, definition)
          : await this.#read(folding)
    } catch (error) {
      throw transactionBehind(guard.explain(error))
    }
    const participant: Participant = {
      address,
      definition,
      folding,
      directives,
      guard,
      commandId: commandIdOf(this.id, number),
      read,
      current: read,
      events: [],
      outbox: [],
      afterCommit: [],
      isGuarded: false,
    }
    this.#participants.push(participant)
    this.#participants.sort((a, b) => numberOf(a) - numberOf(b))
    return participant
  }

  async #readFirst(
    folding: FoldContext,
    definition: AnyActorDefinition,
  ): Promise<FoldedState> {
    const { folded, found } = await this.#ports.readFirst(folding, definition)
    this.#found = found
    if (found === 'none') return folded
    // Only the work sees this error: the caller gets the first answer, or the work runs again.
    throw new CairnError(
      'aborted',
      `This attempt at transaction ${show(this.id)} ends: it was committed before, or starts again.`,
    )
  }

  #read(folding: FoldContext): Promise<FoldedState> {
    const { store, call, read } = this.#ports
    const doing = `reading ${formatAddress(folding.actor)}`
    return read(() => recover(store, folding, call.signal), doing)
  }

  #ask(
    participant: Participant,
    type: string,
    data: unknown,
  ): WorkOutcome | Promise<WorkOutcome> {
    const { address, definition, commandId, directives } = participant
    if (directives.paused !== undefined) throw actorPaused(address, directives.paused)
    const { causes, middleware, call } = this.#ports
    const what = `data of command ${show(type)} to ${formatAddress(address)}`
    const command: Command = { id: commandId, type, data: detach(data, what), ...causes }
    if (!middleware.appliesTo(definition)) return this.#decide(participant, command)
    const { signal, timeLeft: timeout } = call
    const passage = { source: 'transaction', timeout, signal } as const
    return middleware.run(definition, address, command, passage, async passed => {
      call.check()
      return this.#decide(participant, passed)
    })
  }

  #decide(participant: Participant, command: Command): WorkOutcome {
    const { address, definition, folding, current } = participant
    const { now, nodeId } = this.#ports
    participant.isGuarded = true
    const decision = decideTraced(this.#ports, definition, address, current, command, now)
    if (!decision.ok) {
      const { version, rejection } = rejectedOutcome(address, command, decision, current)
      return { ok: false, version, rejection }
    }
    const events = { list: decision.events, at: now, nodeId }
    const state = foldTentatively(folding, current, command, events)
    const version = current.version + decision.events.length
    const after = { ...current, state, version }
    const { reply } = acceptedOutcome(address, command, decision, after)
    participant.current = after
    participant.events.push(...decision.events)
    if (decision.events.length > 0) {
      participant.outbox.push(...(decision.outbox ?? []))
      participant.afterCommit.push(log =>
        runAfterCommit(decision, address, current.version + 1, log),
      )
    }
    return { ok: true, version, reply }
  }

  #stateOf(participant: Participant) {
    const { definition, current, read, directives } = participant
    const { type } = definition
    return planInlineState(
      definition,
      current.state,
      current.version,
      read.inlineStateVersion,
      0,
      directives.skips,
      worksOf(participant),
      error => this.#ports.onUnstorable(type, error),
    ).state
  }

  #isFirst(address: ActorAddress): boolean {
    return formatAddress(address) === this.#first
  }
}

/** The work that has not ended after the commit of the transaction. */
function worksOf({ address, read, outbox, commandId }: Participant) {
  const commit = { actor: address, firstVersion: read.version + 1, outbox }
  return pendingAfter(read.works, commit, [commandId])
}

function decidedElsewhere(actor: ActorAddress): CairnError {
  return new CairnError(
    'invalid-option',
    `A transaction uses ${formatAddress(actor)}, which another process decides: send it a command instead, ` +
      'or ask it before or after the transaction.',
    { details: { actor: formatAddress(actor) } },
  )
}

/** The work of a transaction cannot move to another node: its caller has to ask there. */
function transactionBehind(error: unknown): unknown {
  if (!isRedirect(error)) return error
  const { message, details } = error
  const { owner, behaviorVersion: needs } = details
  return new CairnError(
    'version-behind',
    `This node cannot use it in a transaction: ${message} Or upgrade this node.`,
    { cause: error, details: { owner, needs } },
  )
}

/** TRANSACTION-7. */
export function commandIdOf(transactionId: string, number: number): string {
  return `${transactionId}/${number}`
}

function numberOf({ commandId }: Participant): number {
  return Number(commandId.slice(commandId.lastIndexOf('/') + 1))
}
