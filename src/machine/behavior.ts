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
// M7. What a child machine sends to its parent, and how it ends, is an event of the history, in the
//     commit of the event that led to it: it is decided on the state behind that one, and stored if
//     a transition takes it, or the child is over by it (M5).

import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate'

import { event } from '../actor/event.js'
import { unknownCommand } from '../actor/effects.js'
import type { ActorAddress } from '../model/address.js'
import type { Behavior, Command, DecideContext, Decision } from '../model/behavior.js'
import type { ChildSpec } from '../model/child.js'
import { CairnError } from '../model/errors.js'
import {
  eventId,
  type Metadata,
  type NewEvent,
  type RecordedEvent,
} from '../model/event.js'
import type { OutboxEntry } from '../model/outbox.js'
import { show } from '../model/show.js'
import type { AnyTopic } from '../model/topic.js'
import { acceptedTypes, isMeant, isOwn } from './accepted.js'
import { childEvent } from './child-events.js'
import type {
  PendingAction,
  StepInput,
  Incoming,
  SelfSentEvent,
} from './machine-input.js'
import { Level } from './level.js'
import { payloadOf } from './payload.js'
import { isLive, runActions } from './run-actions.js'
import { childrenToRun } from './run-child.js'
import { outboxOf } from './outbox.js'
import {
  allTimers,
  below,
  eventOf,
  findTimer,
  sentBy,
  timerEvent,
  timerMark,
  type TimerOutcome,
  timerOutbox,
} from './timers.js'
import { advance, checkFollowing, incomingOf } from './tree.js'
import type { MachineOptions, MachineReply, MachineState } from './types.js'

const init = 'xstate.init'
/** The metadata that names the version of the definition; absent in what version 1 stores. */
const definitionMark = 'definition'
const lateAfterDefault = 10_000

/** A step that has been taken: the state before, the event, and what it led to. */
interface Taken {
  readonly id: string
  /** The moment of its decision; of an actor that has not begun there is none. */
  readonly at: number | undefined
  readonly from: MachineState | undefined
  readonly event: NewEvent
  readonly to: MachineState
  readonly effects: readonly PendingAction[]
  readonly mail: readonly SelfSentEvent[]
  readonly fired?: string | undefined
}

export class MachineBehavior implements Behavior<MachineState> {
  readonly version: number
  readonly commandTypes: readonly string[]
  /** Absent for a machine that can have none. */
  readonly children?: (actor: ActorAddress, state: MachineState) => ChildSpec[]
  readonly #type: string
  readonly #level: Level
  readonly #options: MachineOptions<AnyStateMachine, unknown>
  readonly #emits: ReadonlyMap<string, AnyTopic>
  /** What was decided last: folding it does not take the same steps again. */
  #taken: readonly Taken[] = []

  constructor(
    machine: AnyStateMachine,
    type: string,
    version: number,
    options: MachineOptions<AnyStateMachine, unknown>,
    runsChildren: boolean,
  ) {
    this.version = version
    this.#type = type
    this.#level = new Level(machine)
    this.#options = options
    this.#emits = new Map(
      Object.entries((options.emits ?? {}) as Record<string, AnyTopic>),
    )
    const own = (machine.root.events as string[]).filter(isOwn)
    this.commandTypes = [...own, init]
    if (runsChildren) this.children = (_actor, state) => childrenToRun(this.#level, state)
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
    const told = childEvent(type, data, state)
    if (told === undefined && !this.knows(type))
      throw unknownCommand(this.#type, type, this.commandTypes)
    const hasBegun = version > 0
    if (type === init)
      return hasBegun
        ? this.#refuse(state, init)
        : this.#accept(actor, now, [this.#begin(actor, data, now)])
    const first = hasBegun ? [] : [this.#begin(actor, this.#inputOf(actor.id), now)]
    const at = first[0]?.to ?? state
    const incoming =
      told?.isWithin === true ? undefined : incomingOf(this.#level, at, type, data)
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
    if (now.type === timerEvent)
      return this.#settle(actor, id, state, now, now.data as TimerOutcome, at).to
    const fired = stored.metadata[timerMark]
    const incoming =
      fired === undefined
        ? incomingOf(this.#level, state, now.type, now.data)
        : this.#dueIn(state, fired, now)
    if (incoming !== undefined) return this.#next(actor, id, state, now, incoming, at).to
    throw new CairnError(
      'invalid-definition',
      `machine ${this.#type} has no transition for it in state ${JSON.stringify(state.value)}, and ` +
        `had one when version ${versionOf(stored)} of it stored it: the machine has changed. Say what ` +
        `such events are in version ${this.version} (migrate), or let them be accepted again`,
    )
  }

  timers(state: MachineState, set: readonly string[]): Map<string, number> {
    const wanted = new Map(
      Object.entries(allTimers(state)).map(([name, { at }]) => [name, at]),
    )
    for (const name of set) {
      const now = this.#waitingFor(state, name)
      const at = wanted.get(now)
      if (now === name || at === undefined) continue
      wanted.delete(now)
      wanted.set(name, at)
    }
    return wanted
  }

  knows(type: string): boolean {
    if (type === init) return true
    return isOwn(type) && this.commandTypes.some(known => isMeant(type, known))
  }

  /** XState's snapshot of a state. */
  snapshotOf(state: MachineState): AnyMachineSnapshot {
    return this.#level.snapshotOf(state)
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
    const found = findTimer(state, name)
    if (found === undefined) return this.#refuse(state, firing)
    const { timer } = found
    const id = eventId(actor, version + 1)
    const settle = (does: TimerOutcome['does'], says: readonly OutboxEntry[] = []) => {
      const outcome: TimerOutcome = { name, does }
      const stored = this.#event(timerEvent, outcome)
      const step = this.#settle(actor, id, state, stored, outcome, now)
      return this.#accept(actor, now, [step], says)
    }
    const { late = 'fire', lateAfter = lateAfterDefault } = this.#options
    const does = typeof late === 'function' ? late(name) : late
    if (does !== 'fire' && now - timer.at > lateAfter) return settle(does)
    if (timer.to !== undefined) return settle('send', sentBy(timer, now))
    if (timer.child !== undefined || timer.parent === true) return settle('send')
    const due = eventOf(found.name, timer)
    const stored = this.#event(due.type, payloadOf(due), { [timerMark]: name })
    const incoming = this.#dueIn(state, name, stored)
    if (incoming === undefined) return settle('pass')
    return this.#accept(actor, now, [this.#next(actor, id, state, stored, incoming, now)])
  }

  /** An event of a timer, if the machine takes it whose timer that is. */
  #dueIn(state: MachineState, fired: string, due: NewEvent): Incoming | undefined {
    const { path, name } = findTimer(state, fired) ?? { path: [], name: fired }
    const standing = this.#level.at(state, path)
    const incoming =
      standing && incomingOf(standing.level, standing.state, due.type, due.data)
    return incoming && { ...incoming, path, fired: name }
  }

  /** The name of a timer that an earlier version may have set. */
  #waitingFor(state: MachineState, name: string): string {
    if (findTimer(state, name) !== undefined) return name
    return this.#options.migrate?.({ type: name }, this.version - 1)?.type ?? name
  }

  #accept(
    actor: ActorAddress,
    now: number,
    first: readonly Taken[],
    more: readonly OutboxEntry[] = [],
  ): Decision<MachineState> {
    const taken = this.#followed(actor, now, first)
    const effects = taken.flatMap(step => step.effects)
    const fired = taken.find(step => step.fired !== undefined)?.fired
    const says = [
      ...more,
      ...outboxOf(actor, effects, this.#emits, now),
      ...timerOutbox(allTimers(taken[0]?.from), allTimers(taken.at(-1)?.to), fired),
    ]
    const steps = taken.map((step, index) => ({ effects: step.effects, index }))
    const { reply = replyOf } = this.#options
    this.#taken = taken
    return {
      ok: true,
      events: taken.map(step => step.event),
      ...(says.length > 0 && { outbox: says }),
      reply,
      ...(effects.some(isLive) && { afterCommit: stored => runActions(steps, stored) }),
    }
  }

  /** M7. */
  #followed(actor: ActorAddress, now: number, first: readonly Taken[]): Taken[] {
    const taken = [...first]
    const mail = taken.flatMap(step => step.mail)
    for (let next = mail.shift(); next !== undefined; next = mail.shift()) {
      const { id: lastId, to } = taken.at(-1)!
      const incoming = incomingOf(this.#level, to, next.type, next.data)
      if (incoming === undefined) continue
      checkFollowing(taken.length, { actor })
      const id = eventId(actor, versionIn(lastId) + 1)
      const stored = this.#event(next.type, next.data)
      const step = this.#next(actor, id, to, stored, incoming, now)
      taken.push(step)
      mail.push(...step.mail)
    }
    return taken
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
    const data = input === undefined ? undefined : { input }
    const stored = this.#event(init, data)
    return this.#take(actor, id, undefined, stored, { kind: 'begin', input }, at)
  }

  #next(
    actor: ActorAddress,
    id: string,
    from: MachineState,
    stored: NewEvent,
    incoming: Incoming,
    at: number,
  ): Taken {
    return this.#take(actor, id, from, stored, { kind: 'event', ...incoming }, at)
  }

  /** The state when a timer is over without an event of the machine's own (timers Z2). */
  #settle(
    actor: ActorAddress,
    id: string,
    from: MachineState,
    stored: NewEvent,
    { name: full, does }: TimerOutcome,
    at: number,
  ): Taken {
    const { path, name } = findTimer(from, full) ?? { path: [], name: full }
    return this.#take(actor, id, from, stored, { kind: 'due', path, name, does }, at)
  }

  #take(
    actor: ActorAddress,
    id: string,
    from: MachineState | undefined,
    stored: NewEvent,
    happening: StepInput,
    at: number | undefined,
  ): Taken {
    const moment = { actor, eventId: id, at }
    const { state: to, effects, mail } = advance(this.#level, from, happening, moment)
    return {
      id,
      at,
      from,
      event: stored,
      to,
      effects,
      mail,
      fired: fullNameOf(happening),
    }
  }

  #inputOf(id: string): unknown {
    const { input } = this.#options as { readonly input?: unknown }
    return typeof input === 'function' ? (input as (id: string) => unknown)(id) : input
  }
}

/** The timer that an event comes from, by its name among the actor's. */
function fullNameOf(happening: StepInput): string | undefined {
  if (happening.kind === 'begin') return undefined
  const name = happening.kind === 'due' ? happening.name : happening.fired
  return name && [...happening.path, name].join(below)
}

function versionIn(id: string): number {
  return Number(id.slice(id.lastIndexOf('/') + 1))
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
