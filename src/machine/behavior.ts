// A machine as a behavior: decides which events it accepts, and folds them.
//
// MACHINE-1. A command is an event of the machine. An accepted event is stored as it came; the new state and the
//     actions follow from it by the machine's pure step.
// MACHINE-2. Guards see a committed state, or a tentative one within a transaction.
// MACHINE-3. An actor's first event is `xstate.init`, which keeps the input. It is stored together with the first
//     event that the machine accepts, or alone when it is sent as a command. Before it, the state is the one that the
//     machine starts in without it; a machine that does not start without input has XState's state of a failed start.
// MACHINE-4. A stored event that the machine does not accept when it is folded again is an error and is never skipped:
//     the machine has changed, and its states would differ from those of before. Each event records the version of the
//     definition that stored it, and `migrate` can map events of earlier versions.
// MACHINE-5. The end of a child is accepted whether a transition takes it or not, because the child has ended. It is
//     rejected when the state does not have that child with that key, so it takes effect once.
// MACHINE-6. A due timer is accepted in the same way (MACHINE-TIMERS-2). It is rejected when the state does not wait for it.
// MACHINE-7. What the actor's machine sends to itself, what a child machine sends to it, and the end of a child machine
//     are events of the history, in the commit of the event that caused them. Each is decided on the state after the
//     events before it, and stored if a transition takes it or a child has ended by it (MACHINE-5). They come before any
//     other command, as in XState.

import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate'

import { hearersIn, unknownCommand } from '../actor/effects.js'
import type { ActorAddress } from '../model/address.js'
import type { Behavior, Command, DecideContext, Decision } from '../model/behavior.js'
import type { ChildSpec } from '../model/child.js'
import { CairnError, isCairnError, messageOf } from '../model/errors.js'
import { eventId, type NewEvent, type RecordedEvent } from '../model/event.js'
import { didYouMean } from '../model/nearest.js'
import type { OutboxEntry } from '../model/outbox.js'
import { show } from '../model/show.js'
import { isIgnoredPromise } from '../model/thenable.js'
import type { AnyTopic } from '../model/topic.js'
import { acceptedTypes, matchesDescriptor, isOwnEvent } from './accepts.js'
import { childEvent, plainError } from './child-events.js'
import type { Incoming } from './step-types.js'
import { MachineNode } from './machine-node.js'
import { payloadOf } from './payload.js'
import { runsLive, runActions } from './run-actions.js'
import { childrenToRun } from './run-child.js'
import { outboxOf } from './outbox.js'
import { definitionOf, type HistoryStep, init, Steps } from './steps.js'
import {
  allTimers,
  eventOf,
  findTimer,
  outboxOfTimer,
  timerEvent,
  timerMetadata,
  type TimerOutcome,
  timerOutbox,
} from './timers.js'
import { EndlessTransitions } from './transition-limit.js'
import { incomingOf } from './fold.js'
import type { MachineOptions, MachineReply, MachineState } from './types.js'

const lateAfterDefault = 10_000

export class MachineBehavior implements Behavior<MachineState> {
  readonly version: number
  readonly commandTypes: readonly string[]
  readonly eventTypes: readonly string[]
  /** Absent for a machine that can have no children. */
  readonly children?: (actor: ActorAddress, state: MachineState) => ChildSpec[]
  readonly migrateState?: (state: unknown, from: number) => MachineState | undefined
  readonly #type: string
  readonly #node: MachineNode
  readonly #steps: Steps
  readonly #options: MachineOptions<AnyStateMachine, unknown>
  readonly #emits: ReadonlyMap<string, AnyTopic>
  /** The steps decided last: `evolve` returns their states without computing them again. */
  #lastSteps: readonly HistoryStep[] = []

  constructor(
    machine: AnyStateMachine,
    type: string,
    version: number,
    options: MachineOptions<AnyStateMachine, unknown>,
    runsChildren: boolean,
  ) {
    this.version = version
    this.#type = type
    this.#node = new MachineNode(machine)
    this.#steps = new Steps(this.#node, version)
    this.#options = options
    this.#emits = new Map(
      Object.entries((options.emits ?? {}) as Record<string, AnyTopic>),
    )
    const own = (machine.root.events as string[]).filter(isOwnEvent)
    this.commandTypes = [...own, init]
    this.eventTypes = this.commandTypes
    const { migrateState } = options
    if (migrateState !== undefined) this.migrateState = migrateState
    if (runsChildren) this.children = (_actor, state) => childrenToRun(this.#node, state)
  }

  initialState(id: string): MachineState {
    this.#node.limit.reset()
    try {
      const steps = this.#begin({ type: this.#type, id }, this.#inputOf(id), undefined)
      return steps.at(-1)!.to
    } catch (error) {
      return failedStart(error)
    }
  }

  decide(
    state: MachineState,
    command: Command,
    context: DecideContext,
  ): Decision<MachineState> {
    const { actor, version, now, firing } = context
    const { type, data } = command
    this.#node.limit.reset()
    if (firing !== undefined) return this.#decideTimer(state, firing.name, context)
    const report = childEvent(type, data, state)
    if (report === undefined && !this.knows(type))
      throw unknownCommand(this.#type, type, this.commandTypes)
    const hasBegun = version > 0
    if (type === init)
      return hasBegun
        ? this.#reject(state, init)
        : this.#accept(actor, now, this.#begin(actor, data, now))
    let begun: readonly HistoryStep[] = []
    if (!hasBegun)
      try {
        begun = this.#begin(actor, this.#inputOf(actor.id), now)
      } catch (error) {
        return this.#rejectWithoutInput(error)
      }
    const at = begun.at(-1)?.to ?? state
    const incoming =
      report?.isFromChildMachine === true
        ? undefined
        : incomingOf(this.#node, at, type, data)
    if (incoming === undefined) return this.#reject(at, type)
    const id = eventId(actor, version + begun.length + 1)
    const stored = this.#steps.newEvent(type, data)
    const next = this.#steps.next(actor, id, at, stored, incoming, now)
    return this.#accept(actor, now, [...begun, ...this.#steps.withSelfSent(actor, next)])
  }

  evolve(state: MachineState, stored: RecordedEvent): MachineState {
    const { type, data, actor, id, at } = stored
    const known = this.#lastSteps.find(
      step =>
        step.id === id &&
        step.event.type === type &&
        step.event.data === data &&
        step.at === at &&
        (step.from === undefined || step.from === state),
    )
    if (known !== undefined) return known.to
    this.#node.limit.reset()
    const now = this.#migrated(stored)
    if (now === undefined) return state
    if (now.type === init) return this.#steps.first(actor, inputIn(now.data), at).to
    if (now.type === timerEvent)
      return this.#steps.timer(actor, id, state, now, now.data as TimerOutcome, at).to
    const fired = stored.metadata[timerMetadata]
    const incoming =
      fired === undefined
        ? incomingOf(this.#node, state, now.type, now.data)
        : this.#incomingOfTimer(state, fired, now)
    if (incoming !== undefined)
      return this.#steps.next(actor, id, state, now, incoming, at).to
    throw new CairnError(
      'invalid-definition',
      `machine ${this.#type} does not accept it in state ${JSON.stringify(state.value)}, and accepted it when ` +
        `version ${definitionOf(stored)} stored it: the machine has changed. Map such events to version ` +
        `${this.version} with migrate, or accept them again`,
    )
  }

  timers(state: MachineState, set: readonly string[]): Map<string, number> {
    const wanted = new Map(
      Object.entries(allTimers(state)).map(([name, { at }]) => [name, at]),
    )
    for (const name of set) {
      const now = this.#currentTimerName(state, name)
      const at = wanted.get(now)
      if (now === name || at === undefined) continue
      wanted.delete(now)
      wanted.set(name, at)
    }
    return wanted
  }

  knows(type: string): boolean {
    if (type === init) return true
    return (
      isOwnEvent(type) && this.commandTypes.some(known => matchesDescriptor(type, known))
    )
  }

  /** XState's snapshot of a state. */
  snapshotOf(state: MachineState): AnyMachineSnapshot {
    return this.#node.snapshotOf(state)
  }

  /** A stored event as migrated to this version (MACHINE-4); `undefined` when it maps to no event. */
  #migrated(stored: RecordedEvent): NewEvent | undefined {
    const { migrate } = this.#options
    const from = definitionOf(stored)
    if (migrate === undefined || from >= this.version) return stored
    const migrated = migrate({ ...(stored.data as object), type: stored.type }, from)
    if (migrated === undefined) return stored
    if (migrated === null) return undefined
    const { type } = migrated as { readonly type?: unknown }
    if (typeof type !== 'string')
      throw new CairnError(
        'invalid-definition',
        isIgnoredPromise(migrated)
          ? 'migrate returned a promise; it must be synchronous'
          : `migrate returned ${show(migrated)}: return an event, { type, … }, undefined to keep it, or null to drop it`,
      )
    return { type: migrated.type, data: payloadOf(migrated) }
  }

  /** Decides on a due timer (MACHINE-6). */
  #decideTimer(
    state: MachineState,
    firing: string,
    { actor, version, now }: DecideContext,
  ): Decision<MachineState> {
    const name = this.#currentTimerName(state, firing)
    const found = findTimer(state, name)
    if (found === undefined) return this.#reject(state, firing)
    const { timer } = found
    const id = eventId(actor, version + 1)
    const settle = (does: TimerOutcome['does'], outbox: readonly OutboxEntry[] = []) => {
      const outcome: TimerOutcome = { name, does }
      const stored = this.#steps.newEvent(timerEvent, outcome)
      const step = this.#steps.timer(actor, id, state, stored, outcome, now)
      return this.#accept(actor, now, this.#steps.withSelfSent(actor, step), outbox)
    }
    const { late = 'fire', lateAfter = lateAfterDefault } = this.#options
    const does = typeof late === 'function' ? late(name) : late
    if (does !== 'fire' && now - timer.at > lateAfter) return settle(does)
    if (timer.to !== undefined) return settle('send', outboxOfTimer(timer))
    if (timer.child !== undefined || timer.parent === true) return settle('send')
    const due = eventOf(found.name, timer)
    const stored = this.#steps.newEvent(due.type, payloadOf(due), {
      [timerMetadata]: name,
    })
    const incoming = this.#incomingOfTimer(state, name, stored)
    if (incoming === undefined) return settle('pass')
    const step = this.#steps.next(actor, id, state, stored, incoming, now)
    return this.#accept(actor, now, this.#steps.withSelfSent(actor, step))
  }

  /** The event of a due timer, if the machine that set the timer accepts it. */
  #incomingOfTimer(
    state: MachineState,
    fired: string,
    due: NewEvent,
  ): Incoming | undefined {
    const { path, name } = findTimer(state, fired) ?? { path: [], name: fired }
    const located = this.#node.at(state, path)
    const incoming =
      located && incomingOf(located.node, located.state, due.type, due.data)
    return incoming && { ...incoming, path, fired: name }
  }

  /** The present name of a timer, which an earlier version may have set under another name. */
  #currentTimerName(state: MachineState, name: string): string {
    if (findTimer(state, name) !== undefined) return name
    return this.#options.migrate?.({ type: name }, this.version - 1)?.type ?? name
  }

  #accept(
    actor: ActorAddress,
    now: number,
    steps: readonly HistoryStep[],
    more: readonly OutboxEntry[] = [],
  ): Decision<MachineState> {
    const actions = steps.flatMap(step => step.actions)
    const fired = steps.find(step => step.firedTimer !== undefined)?.firedTimer
    const outbox = [
      ...more,
      ...outboxOf(actor, actions, this.#emits, now),
      ...timerOutbox(allTimers(steps[0]?.from), allTimers(steps.at(-1)?.to), fired),
    ]
    for (const hearer of outbox.flatMap(hearersIn))
      if (!this.knows(hearer)) throw this.#unknownAnswer(hearer)
    const toRun = steps.map((step, index) => ({ actions: step.actions, index }))
    const { reply = replyOf } = this.#options
    this.#lastSteps = steps
    return {
      ok: true,
      events: steps.map(step => step.event),
      ...(outbox.length > 0 && { outbox }),
      reply,
      ...(actions.some(runsLive) && { afterCommit: stored => runActions(toRun, stored) }),
    }
  }

  #unknownAnswer(answer: string): CairnError {
    const known = this.commandTypes
    return new CairnError(
      'invalid-definition',
      `An action of machine ${this.#type} wants ${show(answer)} as the answer to what it sends, and the machine knows no such ` +
        `event.${didYouMean(answer, known)} It knows ${known.join(', ')}: correct replied or refused of actorAt.`,
      { details: { type: this.#type, command: answer, known } },
    )
  }

  #reject(state: MachineState, type: string): Decision<MachineState> {
    const { value, status } = state
    const types = acceptedTypes(this.snapshotOf(state))
    const why =
      status !== 'active'
        ? `it ${status === 'done' ? 'is done' : 'has failed'}, and accepts no more events`
        : types.some(known => matchesDescriptor(type, known))
          ? 'the guards of its transitions reject it'
          : `it accepts ${types.length === 0 ? 'nothing' : types.join(', ')}`
    const message = `Machine ${this.#type} in state ${JSON.stringify(value)} does not accept ${show(type)}: ${why}.`
    const details = { state: value, status, accepts: types }
    return { ok: false, rejection: { code: 'rejected', message, details } }
  }

  /** An event for a machine that does not start without input (MACHINE-3); rethrows any other error. */
  #rejectWithoutInput(error: unknown): Decision<MachineState> {
    const { input } = this.#options as { readonly input?: unknown }
    const isOther = isCairnError(error) || error instanceof EndlessTransitions
    if (input !== undefined || isOther) throw error
    const message =
      `Machine ${this.#type} has not started, and does not start without input (${messageOf(error)}): ` +
      "ask('xstate.init', input) first, or give fromMachine the option input."
    const { value, status } = failedStart(error)
    const details = { state: value, status, accepts: [init] }
    return { ok: false, rejection: { code: 'rejected', message, details } }
  }

  /** The steps up to the first rest (MACHINE-3, MACHINE-7). */
  #begin(actor: ActorAddress, input: unknown, at: number | undefined): HistoryStep[] {
    return this.#steps.withSelfSent(actor, this.#steps.first(actor, input, at))
  }

  #inputOf(id: string): unknown {
    const { input } = this.#options as { readonly input?: unknown }
    return typeof input === 'function' ? (input as (id: string) => unknown)(id) : input
  }
}

/** XState's state of a machine whose start failed. */
function failedStart(error: unknown): MachineState {
  return { status: 'error', value: {}, context: {}, tags: [], error: plainError(error) }
}

function inputIn(data: unknown): unknown {
  return (data as { readonly input?: unknown } | undefined)?.input
}

function replyOf({ status, value, output }: MachineState): MachineReply<AnyStateMachine> {
  return { status, value, ...(output !== undefined && { output }) }
}
