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
// M6. So is a timer that is due: it is over, whatever comes of it (timers Z2). It is refused when
//     the state does not wait for it.

import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate'

import { event } from '../actor/define.js'
import { unknownCommand } from '../actor/effects.js'
import type { ActorAddress } from '../model/address.js'
import type { Behavior, Command, DecideContext, Decision } from '../model/behavior.js'
import type { Child } from '../model/child.js'
import { CairnError } from '../model/errors.js'
import {
  eventId,
  type Metadata,
  type NewEvent,
  type RecordedEvent,
} from '../model/event.js'
import type { Said } from '../model/said.js'
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
import {
  eventOf,
  sentBy,
  timerEvent,
  timerMark,
  type TimerOutcome,
  timersAfter,
  timersSaid,
  timersWithout,
} from './timers.js'
import type {
  MachineOptions,
  MachineReply,
  MachineState,
  MachineTimers,
} from './types.js'

const init = 'xstate.init'
/** The metadata that names the version of the definition; absent in what version 1 stores. */
const definitionMark = 'definition'
const lateAfterDefault = 10_000

/** An event as the machine gets it. */
interface Incoming {
  readonly event: EventObject
  /** The child whose end it is (M5). */
  readonly ended?: string | undefined
  /** The timer that it comes from (M6). */
  readonly fired?: string | undefined
}

/** A step that has been taken: the state before, the event, and what it led to. */
interface Taken {
  readonly id: string
  /** The moment of its decision; of an actor that has not begun there is none. */
  readonly at: number | undefined
  readonly from: MachineState | undefined
  readonly event: NewEvent
  readonly to: MachineState
  readonly actions: Step['actions']
  readonly fired?: string | undefined
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
    return this.#begin({ type: this.#type, id }, this.#inputOf(id), undefined).to
  }

  decide(
    state: MachineState,
    command: Command,
    context: DecideContext,
  ): Decision<MachineState> {
    const { actor, version, now, firing } = context
    const { type, data } = command
    if (firing !== undefined) return this.#fire(state, firing.name, context)
    const isTold = childEvent(type, data, state) !== undefined
    if (!isTold && !this.knows(type))
      throw unknownCommand(this.#type, type, this.commandTypes)
    const hasBegun = version > 0
    if (type === init)
      return hasBegun
        ? this.#refuse(state, init)
        : this.#accept(actor, now, [this.#begin(actor, data, now)])
    const first = hasBegun ? [] : [this.#begin(actor, this.#inputOf(actor.id), now)]
    const at = first[0]?.to ?? state
    const incoming = this.#incoming(at, type, data)
    if (incoming === undefined) return this.#refuse(at, type)
    const id = eventId(actor, version + first.length + 1)
    const next = this.#next(actor, id, at, this.#event(type, data), incoming, now)
    return this.#accept(actor, now, [...first, next])
  }

  evolve(state: MachineState, stored: RecordedEvent): MachineState {
    const { type, data, actor, id, at } = stored
    const taken = this.#taken.find(
      step =>
        step.id === id &&
        step.event.type === type &&
        step.event.data === data &&
        step.at === at &&
        (step.from === undefined || step.from === state),
    )
    if (taken !== undefined) return taken.to
    const now = this.#migrated(stored)
    if (now === undefined) return state
    if (now.type === init) return this.#begin(actor, inputIn(now.data), at).to
    if (now.type === timerEvent) return settled(state, now.data as TimerOutcome, at)
    const fired = stored.metadata[timerMark]
    const incoming = this.#incoming(state, now.type, now.data)
    if (incoming !== undefined)
      return this.#next(actor, id, state, now, { ...incoming, fired }, at).to
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

  #event(type: string, data: unknown, marks?: Metadata): NewEvent {
    if (this.version === 1) return event(type, data, marks)
    return event(type, data, { ...marks, [definitionMark]: `${this.version}` })
  }

  /** M6. */
  #fire(
    state: MachineState,
    firing: string,
    { actor, version, now }: DecideContext,
  ): Decision<MachineState> {
    const name = this.#waitingFor(state, firing)
    const timer = state.timers?.[name]
    if (timer === undefined) return this.#refuse(state, firing)
    const id = eventId(actor, version + 1)
    const settle = (does: TimerOutcome['does'], says: readonly Said[] = []) => {
      const outcome: TimerOutcome = { name, does }
      const to = settled(state, outcome, now)
      const stored = this.#event(timerEvent, outcome)
      const step = {
        id,
        at: now,
        from: state,
        event: stored,
        to,
        actions: [],
        fired: name,
      }
      return this.#accept(actor, now, [step], says)
    }
    const { late = 'fire', lateAfter = lateAfterDefault } = this.#options
    const does = typeof late === 'function' ? late(name) : late
    if (does !== 'fire' && now - timer.at > lateAfter) return settle(does)
    if (timer.to !== undefined) return settle('send', sentBy(timer, now))
    const due = eventOf(name, timer)
    const data = payloadOf(due)
    const incoming = this.#incoming(state, due.type, data)
    if (incoming === undefined) return settle('pass')
    const stored = this.#event(due.type, data, { [timerMark]: name })
    const step = this.#next(actor, id, state, stored, { ...incoming, fired: name }, now)
    return this.#accept(actor, now, [step])
  }

  /** The name of a timer that an earlier version may have set. */
  #waitingFor({ timers = {} }: MachineState, name: string): string {
    if (Object.hasOwn(timers, name)) return name
    return this.#options.migrate?.({ type: name }, this.version - 1)?.type ?? name
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
    more: readonly Said[] = [],
  ): Decision<MachineState> {
    const { self } = this.#stepper.scope
    const actions = taken.flatMap(step => step.actions)
    const last = taken.at(-1)
    const says = [
      ...more,
      ...saidBy(actor, self, actions, this.#emits, now),
      ...timersSaid(taken[0]?.from?.timers, last?.to.timers, last?.fired),
    ]
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
  #begin(actor: ActorAddress, input: unknown, at: number | undefined): Taken {
    const id = eventId(actor, 1)
    const step = this.#stepper.begin(actor.id, input)
    const { snapshot, actions } = step
    const timers = at === undefined ? undefined : this.#timersAfter(step, actor, id, at)
    const to = toState(this.#machine, snapshot, { eventId: id }, timers)
    const data = input === undefined ? undefined : { input }
    return { id, at, from: undefined, event: this.#event(init, data), to, actions }
  }

  #next(
    actor: ActorAddress,
    id: string,
    from: MachineState,
    stored: NewEvent,
    { event: incoming, ended, fired }: Incoming,
    at: number,
  ): Taken {
    const before = this.snapshotOf(from)
    const step = this.#stepper.next(actor.id, before, incoming)
    const { snapshot, actions } = step
    const timers = this.#timersAfter(step, actor, id, at, from.timers, fired)
    const parentage = { eventId: id, before: { snapshot: before, state: from }, ended }
    const to = toState(this.#machine, snapshot, parentage, timers)
    return { id, at, from, event: stored, to, actions, fired }
  }

  #timersAfter(
    { snapshot, actions }: Step,
    actor: ActorAddress,
    eventId: string,
    at: number,
    before?: MachineTimers,
    fired?: string,
  ): MachineTimers | undefined {
    const { self } = this.#stepper.scope
    const isOver = snapshot.status !== 'active'
    return timersAfter({ actor, eventId, at, self, before, actions, fired, isOver })
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

/** The state when a timer is over without an event of the machine's own (timers Z2). */
function settled(state: MachineState, outcome: TimerOutcome, at: number): MachineState {
  const { timers: before, history, ...rest } = state
  const timers = timersWithout(before, outcome, at)
  return {
    ...rest,
    ...(timers !== undefined && { timers }),
    ...(history !== undefined && { history }),
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
