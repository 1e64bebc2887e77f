// One attempt at a transaction: the actors it has met, and what it has decided for them.
//
// Owns the states that the work sees. They are of this attempt only: a work that is done again
// begins with none.
// B1. A state is read once, when the work first meets the actor, and changes by what the work
//     decides for it: everything it sees of one actor is of one version.
// B2. Actors are numbered in the order the work met them, and an actor's commit bears the command
//     id `<transaction>/<number>`. The first is met before the work knows anything: whatever
//     has become of the world in between, a repeat meets the same one first, and finds there
//     that it was carried out.
// B3. Whoever stored nothing read what may be old: `isStale` tells, by one read for each actor.
// B4. Once over, it takes nothing more in, and says what the work did not wait for.

import { type ActorAddress, checkActorId, formatAddress } from '../model/address.js'
import type { Command } from '../model/behavior.js'
import type { Causes, MalformedRecord } from '../model/commit.js'
import { CairnError } from '../model/errors.js'
import type { NewEvent } from '../model/event.js'
import type { AcceptedOutcome } from '../model/command-sender.js'
import type { WriteLog } from '../model/log.js'
import type { OutboxEntry } from '../model/outbox.js'
import { show } from '../model/show.js'
import type { AppendPart, EventStore, Guard } from '../store/event-store/event-store.js'
import { runAfterCommit } from './after-commit.js'
import type { OpenCall } from './call.js'
import { planInlineState } from './inline-state.js'
import { acceptedOutcome, decide, rejectedOutcome } from './decide.js'
import type { AnyActorDefinition } from './definition.js'
import { detach, detachPlain } from './detach.js'
import type { FoldContext, FoldedState } from './fold.js'
import type { DirectiveState } from './directives.js'
import { actorPaused } from './parked.js'
import { recover } from './recovery.js'
import { foldTentatively } from './tentative.js'
import { abort, type Transaction } from './transaction.js'

/** What an attempt needs of those who do it. */
export interface AttemptPorts {
  readonly store: Pick<EventStore, 'head' | 'commits'>
  readonly nodeId: string
  readonly call: OpenCall
  readonly causes: Causes
  /** The moment of every decision. */
  readonly now: number
  /** Reads an actor within the node's bounds. */
  read<T>(work: () => Promise<T>, doing: string): Promise<T>
  /** Reads the first actor, and looks whether the transaction was carried out before. */
  readFirst(participant: FoldContext, definition: AnyActorDefinition): Promise<FirstReading>
  /** Throws for a definition that this node knows otherwise. */
  checkDefinition(definition: AnyActorDefinition): void
  /** What operators have said about an actor. */
  directives(actor: ActorAddress, signal: AbortSignal): Promise<DirectiveState>
  onMalformed(record: MalformedRecord): void
  onUnstorable(type: string, error: unknown): void
}

export interface FirstReading {
  readonly folded: FoldedState
  /** What it came to when it was carried out before; `lagging` when that cannot be told yet. */
  readonly found: AcceptedOutcome | 'none' | 'lagging'
}

/** An actor in a transaction. */
interface Participant {
  readonly address: ActorAddress
  readonly definition: AnyActorDefinition
  readonly folding: FoldContext
  readonly directives: DirectiveState
  readonly commandId: string
  /** As it was read. */
  readonly read: FoldedState
  /** With what was decided. */
  current: FoldedState
  readonly events: NewEvent[]
  readonly outbox: OutboxEntry[]
  /** What is to be done once it is stored. */
  readonly afterCommit: ((log: WriteLog) => void)[]
  /** Whether what the work came to rests on it. */
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

  /** What the first actor's history says of the transaction (B2). */
  get found(): FirstReading['found'] {
    return this.#found
  }

  /** The first actor the work met, if it wrote to it: where a repeat finds it. */
  get anchor(): Participant | undefined {
    const first = this.#participants.find(({ address }) => this.#isFirst(address))
    return first !== undefined && first.events.length > 0 ? first : undefined
  }

  get firstName(): string | undefined {
    return this.#first
  }

  /** What the work gets. */
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
          const { state, version } = participant.current
          return { state: detachPlain(state), version }
        }),
      ask: (definition: AnyActorDefinition, id: string, type: string, data?: unknown) =>
        this.#track(`ask ${definition.type}/${id} to ${type}`, async () =>
          this.#decide(await this.#participant(definition, id), type, data),
        ),
      abort,
    }
    // The implementation is the same for all definitions; only its types differ.
    return untyped as unknown as Transaction
  }

  end(): void {
    this.#isEnded = true
  }

  /** B4. Throws when the work has ended before what it began. */
  checkAwaited(): void {
    const [first] = this.#pending
    if (first === undefined) return
    throw new CairnError(
      'invalid-option',
      `The work of transaction ${show(this.id)} ended before its "${first.what}" did: await every call of it. ` +
        'Nothing was stored.',
      { details: { transactionId: this.id } },
    )
  }

  /** The commits to be stored; empty when the work has decided nothing. */
  parts(reply: unknown, withStates: boolean): AppendPart[] {
    const written = this.#participants.filter(({ events }) => events.length > 0)
    return written.map((participant, i): AppendPart => {
      const { address, read, current: at, events, outbox, commandId } = participant
      const state = withStates ? this.#stateOf(participant) : undefined
      return {
        actor: address,
        events,
        outbox,
        expected: read.version,
        command:
          i === 0 && reply !== undefined ? { id: commandId, reply } : { id: commandId },
        ...(state !== undefined && at.version > read.version && { state }),
      }
    })
  }

  /** What follows from the commits, when they are stored. */
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

  /** B3. */
  async isStale(): Promise<boolean> {
    const { store, call } = this.#ports
    const { signal } = call
    const read = this.#participants.filter(({ isGuarded }) => isGuarded)
    const moved = await Promise.all(
      read.map(async ({ address, read: { version } }) => {
        const reading = () => store.head(address, { signal })
        const head = await this.#ports.read(reading, `reading ${formatAddress(address)}`)
        return head.version !== version
      }),
    )
    return moved.includes(true)
  }

  async #track<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#isEnded)
      throw new CairnError(
        'invalid-option',
        `Transaction ${show(this.id)} is over, and was used to ${what}: use it only within its work.`,
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

  /** B1. */
  async #participant(definition: AnyActorDefinition, id: string): Promise<Participant> {
    this.#ports.checkDefinition(definition)
    const address = Object.freeze({ type: definition.type, id: checkActorId(id) })
    const name = formatAddress(address)
    let meeting = this.#byName.get(name)
    if (meeting === undefined) {
      meeting = this.#join(address, name, definition, this.#byName.size + 1)
      this.#byName.set(name, meeting)
    }
    const participant = await meeting
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
    const onMalformed = (record: MalformedRecord) => this.#ports.onMalformed(record)
    if (number === 1) this.#first = name
    const order = await this.#ports.directives(address, this.#ports.call.signal)
    const { skips } = order
    const folding: FoldContext = { actor: address, behavior, onMalformed, skips }
    const read =
      number === 1
        ? await this.#readFirst(folding, definition)
        : await this.#read(folding)
    const participant: Participant = {
      address,
      definition,
      folding,
      directives: order,
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
    const { folded: at, found } = await this.#ports.readFirst(folding, definition)
    this.#found = found
    if (found === 'none') return at
    // Nobody but a work that goes on nevertheless hears this: the caller gets the first answer.
    throw new CairnError(
      'aborted',
      `Transaction ${show(this.id)} goes no further: it was carried out before, or begins again.`,
    )
  }

  #read(folding: FoldContext): Promise<FoldedState> {
    const { store, call, read } = this.#ports
    const doing = `reading ${formatAddress(folding.actor)}`
    return read(() => recover(store, folding, call.signal), doing)
  }

  #decide(participant: Participant, type: string, data: unknown): unknown {
    const { address, definition, folding, current: at, commandId, directives: order } = participant
    if (order.paused !== undefined) throw actorPaused(address, order.paused)
    const { causes, now, nodeId } = this.#ports
    participant.isGuarded = true
    const what = `data of command ${show(type)} to ${formatAddress(address)}`
    const command: Command = { id: commandId, type, data: detach(data, what), ...causes }
    const decision = decide(definition, address, at, command, now)
    if (!decision.ok) return rejectedOutcome(address, command, decision, at)
    const events = { list: decision.events, at: now, nodeId }
    const state = foldTentatively(folding, at, command, events)
    const version = at.version + decision.events.length
    const after = { ...at, state, version }
    const { reply } = acceptedOutcome(address, command, decision, after)
    participant.current = after
    participant.events.push(...decision.events)
    if (decision.events.length > 0) {
      participant.outbox.push(...(decision.outbox ?? []))
      participant.afterCommit.push(log =>
        runAfterCommit(decision, address, at.version + 1, log),
      )
    }
    return { ok: true, version, reply }
  }

  #stateOf({ definition, current: at, read, directives: order }: Participant) {
    const { type } = definition
    return planInlineState(
      definition,
      at.state,
      at.version,
      read.inlineState,
      0,
      order.skips,
      error => this.#ports.onUnstorable(type, error),
    ).state
  }

  #isFirst(address: ActorAddress): boolean {
    return formatAddress(address) === this.#first
  }
}

/** B2. */
export function commandIdOf(transactionId: string, number: number): string {
  return `${transactionId}/${number}`
}

function numberOf({ commandId }: Participant): number {
  return Number(commandId.slice(commandId.lastIndexOf('/') + 1))
}
