// A machine as a behavior: how its events are decided, and what they lead to.
//
// M1. A command is an event of the machine. What a transition accepts is stored as it came, and
//     everything else, the new state and the effects, follows from it by the machine's pure step.
// M2. Guards see a committed state, or one that is about to be in a transaction.
// M3. An actor begins with an event of its own, `xstate.init`, which keeps the input. It is stored
//     with the first event that the machine accepts, or alone when it is sent as a command.
// M4. A stored event that the machine does not accept when it is folded again is not passed over:
//     the machine has changed, and its states would no longer be those that were.
//     What an event of an earlier version is now, the definition may say (`migrate`): an event
//     knows by which version it was stored.
// M5. How a child ended is accepted whether a transition takes it or not: the child is over. It is
//     refused when the state has not that very child, so it acts once.

import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate'

import { event } from '../actor/define.js'
import { unknownCommand } from '../actor/effects.js'
import type { ActorAddress } from '../model/address.js'
import type { Behavior, Command, DecideContext, Decision } from '../model/behavior.js'
import type { Child } from '../model/child.js'
import { CairnError } from '../model/errors.js'
import { eventId, type NewEvent, type RecordedEvent } from '../model/event.js'
import { show } from '../model/show.js'
import type { AnyTopic } from '../model/topic.js'
import { acceptedTypes, accepts, isMeant, isOwn } from './accepted.js'
import { childEvent } from './child-events.js'
import { checkLogic, logicOf } from './child-logic.js'
import { payloadOf, toEvent } from './payload.js'
import { isLive, runActions } from './run-actions.js'
import { runChild } from './run-child.js'
import { saidBy } from './said.js'
import { toSnapshot, toState } from './snapshot.js'
import { type Step, Stepper } from './step.js'
import type { MachineOptions, MachineReply, MachineState } from './types.js'

const init = 'xstate.init'
/** The metadata that names the version of the definition; absent in what version 1 stores. */
const definitionMark = 'definition'

/** An event as the machine gets it. */
interface Incoming {
  readonly event: EventObject
  /** The child whose end it is (M5). */
  readonly ended?: string | undefined
}

/** A step that has been taken: the state before, the event, and what it led to. */
interface Taken {
  readonly id: string
  readonly from: MachineState | undefined
  readonly event: NewEvent
  readonly to: MachineState
  readonly actions: Step['actions']
}

export class MachineBehavior implements Behavior<MachineState> {
  readonly version: number
  readonly commandTypes: readonly string[]
  /** Absent for a machine that can have none. */
  readonly children?: (actor: ActorAddress, state: MachineState) => Child[]
  readonly #type: string
  readonly #machine: AnyStateMachine
  readonly #stepper: Stepper
  readonly #options: MachineOptions<AnyStateMachine, unknown>
  readonly #emits: ReadonlyMap<string, AnyTopic>
  /** Snapshots of states that are in memory. */
  readonly #snapshots = new WeakMap<MachineState, AnyMachineSnapshot>()
  /** What was decided last: folding it does not take the same steps again. */
  #taken: readonly Taken[] = []

  constructor(
    machine: AnyStateMachine,
    type: string,
    version: number,
    options: MachineOptions<AnyStateMachine, unknown>,
    canHaveChildren: boolean,
  ) {
    this.version = version
    this.#type = type
    this.#machine = machine
    this.#stepper = new Stepper(machine)
    this.#options = options
    this.#emits = new Map(
      Object.entries((options.emits ?? {}) as Record<string, AnyTopic>),
    )
    const own = (machine.root.events as string[]).filter(isOwn)
    this.commandTypes = [...own, init]
    if (canHaveChildren) this.children = (_actor, state) => this.#childrenOf(state)
  }

  initialState(id: string): MachineState {
    return this.#begin({ type: this.#type, id }, this.#inputOf(id)).to
  }

  decide(
    state: MachineState,
    command: Command,
    { actor, version, now }: DecideContext,
  ): Decision<MachineState> {
    const { type, data } = command
    const isTold = childEvent(type, data, state) !== undefined
    if (!isTold && !this.knows(type))
      throw unknownCommand(this.#type, type, this.commandTypes)
    const hasBegun = version > 0
    if (type === init)
      return hasBegun
        ? this.#refuse(state, init)
        : this.#accept(actor, now, [this.#begin(actor, data)])
    const first = hasBegun ? [] : [this.#begin(actor, this.#inputOf(actor.id))]
    const at = first[0]?.to ?? state
    const incoming = this.#incoming(at, type, data)
    if (incoming === undefined) return this.#refuse(at, type)
    const id = eventId(actor, version + first.length + 1)
    const next = this.#next(actor, id, at, this.#event(type, data), incoming)
    return this.#accept(actor, now, [...first, next])
  }

  evolve(state: MachineState, stored: RecordedEvent): MachineState {
    const { type, data, actor, id } = stored
    const taken = this.#taken.find(
      step =>
        step.id === id &&
        step.event.type === type &&
        step.event.data === data &&
        (step.from === undefined || step.from === state),
    )
    if (taken !== undefined) return taken.to
    const now = this.#migrated(stored)
    if (now === undefined) return state
    if (now.type === init) return this.#begin(actor, inputIn(now.data)).to
    const incoming = this.#incoming(state, now.type, now.data)
    if (incoming !== undefined) return this.#next(actor, id, state, now, incoming).to
    throw new CairnError(
      'invalid-definition',
      `machine ${this.#type} has no transition for it in state ${JSON.stringify(state.value)}, and ` +
        `had one when version ${versionOf(stored)} of it stored it: the machine has changed. Say what ` +
        `such events are in version ${this.version} (migrate), or let them be accepted again`,
    )
  }

  knows(type: string): boolean {
    if (type === init) return true
    return isOwn(type) && this.commandTypes.some(known => isMeant(type, known))
  }

  /** XState's snapshot of a state. */
  snapshotOf(state: MachineState): AnyMachineSnapshot {
    const known = this.#snapshots.get(state)
    if (known !== undefined) return known
    const snapshot = toSnapshot(this.#machine, state, this.#stepper.scope)
    this.#snapshots.set(state, snapshot)
    return snapshot
  }

  /** A stored event as this version has it (M4); `undefined` where it is nothing. */
  #migrated(stored: RecordedEvent): NewEvent | undefined {
    const { migrate } = this.#options
    const from = versionOf(stored)
    if (migrate === undefined || from >= this.version) return stored
    const migrated = migrate({ ...(stored.data as object), type: stored.type }, from)
    if (migrated === undefined) return stored
    if (migrated === null) return undefined
    return { type: migrated.type, data: payloadOf(migrated) }
  }

  #event(type: string, data: unknown): NewEvent {
    if (this.version === 1) return event(type, data)
    return event(type, data, { [definitionMark]: `${this.version}` })
  }

  /** What the machine is to do with an event in a state; `undefined` where it refuses it. */
  #incoming(state: MachineState, type: string, data: unknown): Incoming | undefined {
    const told = childEvent(type, data, state)
    if (told?.isCurrent === false) return undefined
    const incoming = told?.event ?? toEvent(type, data)
    if (told?.isEnd === true)
      return state.status === 'active'
        ? { event: incoming, ended: told.child }
        : undefined
    return accepts(this.snapshotOf(state), incoming) ? { event: incoming } : undefined
  }

  #accept(
    actor: ActorAddress,
    now: number,
    taken: readonly Taken[],
  ): Decision<MachineState> {
    const { self } = this.#stepper.scope
    const actions = taken.flatMap(step => step.actions)
    const says = saidBy(actor, self, actions, this.#emits, now)
    const steps = taken.map((step, index) => ({ actions: step.actions, index }))
    const { reply = replyOf } = this.#options
    this.#taken = taken
    return {
      ok: true,
      events: taken.map(step => step.event),
      ...(says.length > 0 && { says }),
      reply,
      ...(actions.some(isLive) && { afterwards: stored => runActions(steps, stored) }),
    }
  }

  #refuse(state: MachineState, type: string): Decision<MachineState> {
    const { value, status } = state
    const types = acceptedTypes(this.snapshotOf(state))
    const why =
      status !== 'active'
        ? `it ${status === 'done' ? 'is done' : 'has failed'}, and accepts nothing more`
        : types.some(known => isMeant(type, known))
          ? 'no guard of its transitions lets it through'
          : `it accepts ${types.length === 0 ? 'nothing' : types.join(', ')}`
    const message = `Machine ${this.#type} in state ${JSON.stringify(value)} does not accept ${show(type)}: ${why}.`
    const details = { state: value, status, accepts: types }
    return { ok: false, rejection: { code: 'rejected', message, details } }
  }

  /** M3. */
  #begin(actor: ActorAddress, input: unknown): Taken {
    const id = eventId(actor, 1)
    const { snapshot, actions } = this.#stepper.begin(actor.id, input)
    const to = toState(this.#machine, snapshot, { eventId: id })
    const data = input === undefined ? undefined : { input }
    return { id, from: undefined, event: this.#event(init, data), to, actions }
  }

  #next(
    actor: ActorAddress,
    id: string,
    from: MachineState,
    stored: NewEvent,
    { event: incoming, ended }: Incoming,
  ): Taken {
    const before = this.snapshotOf(from)
    const { snapshot, actions } = this.#stepper.next(actor.id, before, incoming)
    const parentage = { eventId: id, before: { snapshot: before, state: from }, ended }
    const to = toState(this.#machine, snapshot, parentage)
    return { id, from, event: stored, to, actions }
  }

  #childrenOf({ children = {} }: MachineState): Child[] {
    return Object.entries(children).map(([id, child]) => ({
      key: child.key,
      start: ports => {
        const logic = logicOf(this.#machine, child.src)
        checkLogic(this.#machine, logic, id)
        return runChild(logic, id, child, ports)
      },
    }))
  }

  #inputOf(id: string): unknown {
    const { input } = this.#options as { readonly input?: unknown }
    return typeof input === 'function' ? (input as (id: string) => unknown)(id) : input
  }
}

function versionOf({ metadata }: RecordedEvent): number {
  return Number(metadata[definitionMark] ?? 1)
}

function inputIn(data: unknown): unknown {
  return (data as { readonly input?: unknown } | undefined)?.input
}

function replyOf({ status, value, output }: MachineState): MachineReply<AnyStateMachine> {
  return { status, value, ...(output !== undefined && { output }) }
}
