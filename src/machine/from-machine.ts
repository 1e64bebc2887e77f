// fromMachine(): an XState machine as a durable actor.
//
// M1. A command is an event of the machine. What a transition accepts is stored as it came, and
//     everything else, the new state and the effects, follows from it by the machine's pure step.
// M2. Guards see a committed state, or one that is about to be in a transaction.
// M3. An actor begins with an event of its own, `xstate.init`, which keeps the input. It is stored
//     with the first event that the machine accepts, or alone when it is sent as a command.
// M4. A stored event that the machine does not accept when it is folded again is not passed over:
//     the machine has changed, and its states would no longer be those that were.

import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate'

import {
  actorOptions,
  checkBehaviorVersion,
  checkNotReserved,
  event,
} from '../actor/define.js'
import { checkTopics, unknownCommand } from '../actor/effects.js'
import { checkActorType } from '../model/address.js'
import type { Behavior, Command, DecideContext, Decision } from '../model/behavior.js'
import { CairnError } from '../model/errors.js'
import type { NewEvent, RecordedEvent } from '../model/event.js'
import { show } from '../model/show.js'
import type { AnyTopic } from '../model/topic.js'
import { acceptedTypes, accepts, isMeant, isOwn } from './accepted.js'
import { checkDurable, checkMachine } from './check.js'
import { toEvent } from './payload.js'
import { isLive, runActions } from './run-actions.js'
import { saidBy } from './said.js'
import { toSnapshot, toState } from './snapshot.js'
import { type Step, Stepper } from './step.js'
import type {
  MachineDefinition,
  MachineOptions,
  MachineReply,
  MachineState,
  OptionsOf,
} from './types.js'

const init = 'xstate.init'

/**
 * Makes an XState machine an actor type. Its events are the commands, their fields the data:
 *
 * ```ts
 * const door = fromMachine(
 *   setup({ types: { events: {} as { type: 'open' } | { type: 'lock'; code: string } } }).createMachine({
 *     id: 'door',
 *     initial: 'closed',
 *     states: {
 *       closed: { on: { open: 'opened', lock: 'locked' } },
 *       opened: {},
 *       locked: {},
 *     },
 *   }),
 * )
 * await node.spawn(door, 'front').ask('lock', { code: '1234' })
 * ```
 *
 * Throws `invalid-definition` for a machine that cannot be made durable, and `invalid-actor-type`.
 */
export function fromMachine<
  Machine extends AnyStateMachine,
  Reply = MachineReply<Machine>,
>(
  machine: Machine,
  ...[options]: OptionsOf<Machine, Reply>
): MachineDefinition<Machine, Reply> {
  checkMachine(machine)
  const given: MachineOptions<AnyStateMachine, unknown> = { ...(options as object) }
  const { type = machine.id, version = 1, emits = {} } = given
  checkActorType(type)
  checkNotReserved(type)
  checkBehaviorVersion(type, version)
  checkDurable(machine, type)
  const publishes = Object.values(emits as Record<string, AnyTopic>)
  checkTopics(`emits of machine ${type}`, publishes)
  const behavior = new MachineBehavior(machine, type, version, given)
  const definition: MachineDefinition<AnyStateMachine, unknown> = {
    type,
    machine,
    behavior,
    options: actorOptions(given),
    publishes,
    snapshot: state => behavior.snapshotOf(state),
    matches: (state, value) => behavior.snapshotOf(state).matches(value),
    can: (state, candidate) => accepts(behavior.snapshotOf(state), candidate),
    hasTag: (state, tag) => behavior.snapshotOf(state).hasTag(tag),
  }
  // The implementation is the same for all machines; only their types differ.
  return definition as unknown as MachineDefinition<Machine, Reply>
}

/** A step that has been taken: the state before, the event, and what it led to. */
interface Taken {
  readonly from: MachineState
  readonly event: NewEvent
  readonly to: MachineState
  readonly actions: Step['actions']
}

class MachineBehavior implements Behavior<MachineState> {
  readonly version: number
  readonly commandTypes: readonly string[]
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
  }

  initialState(id: string): MachineState {
    return this.#begin(id, this.#inputOf(id)).to
  }

  decide(
    state: MachineState,
    command: Command,
    { actor, version }: DecideContext,
  ): Decision<MachineState> {
    const { type, data } = command
    if (!this.knows(type)) throw unknownCommand(this.#type, type, this.commandTypes)
    const hasBegun = version > 0
    if (type === init)
      return hasBegun
        ? this.#refuse(state, init)
        : this.#accept(actor, [this.#begin(actor.id, data)])
    const first = hasBegun ? [] : [this.#begin(actor.id, this.#inputOf(actor.id))]
    const at = first[0]?.to ?? state
    const incoming = toEvent(type, data)
    if (!accepts(this.snapshotOf(at), incoming)) return this.#refuse(at, type)
    return this.#accept(actor, [
      ...first,
      this.#next(actor.id, at, event(type, data), incoming),
    ])
  }

  evolve(state: MachineState, stored: RecordedEvent): MachineState {
    const { type, data, actor } = stored
    const taken = this.#taken.find(
      step =>
        step.event.type === type &&
        step.event.data === data &&
        (type === init || step.from === state),
    )
    if (taken !== undefined) return taken.to
    if (type === init) return this.#begin(actor.id, inputIn(data)).to
    const incoming = toEvent(type, data)
    if (accepts(this.snapshotOf(state), incoming))
      return this.#next(actor.id, state, stored, incoming).to
    throw new CairnError(
      'invalid-definition',
      `machine ${this.#type} has no transition for it in state ${JSON.stringify(state.value)}, and ` +
        'had one when it was stored: the machine has changed',
    )
  }

  /** XState's snapshot of a state. */
  snapshotOf(state: MachineState): AnyMachineSnapshot {
    const known = this.#snapshots.get(state)
    if (known !== undefined) return known
    const snapshot = toSnapshot(this.#machine, state, this.#stepper.scope)
    this.#snapshots.set(state, snapshot)
    return snapshot
  }

  #accept(
    actor: DecideContext['actor'],
    taken: readonly Taken[],
  ): Decision<MachineState> {
    const { self } = this.#stepper.scope
    const actions = taken.flatMap(step => step.actions)
    const says = saidBy(actor, self, actions, this.#emits)
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
      status === 'done'
        ? 'it is done, and accepts nothing more'
        : types.some(known => isMeant(type, known))
          ? 'no guard of its transitions lets it through'
          : `it accepts ${types.length === 0 ? 'nothing' : types.join(', ')}`
    const message = `Machine ${this.#type} in state ${JSON.stringify(value)} does not accept ${show(type)}: ${why}.`
    const details = { state: value, status, accepts: types }
    return { ok: false, rejection: { code: 'rejected', message, details } }
  }

  /** M3. */
  #begin(id: string, input: unknown): Taken {
    const { snapshot, actions } = this.#stepper.begin(id, input)
    const to = toState(this.#machine, snapshot)
    const data = input === undefined ? undefined : { input }
    return { from: to, event: event(init, data), to, actions }
  }

  #next(id: string, from: MachineState, stored: NewEvent, incoming: EventObject): Taken {
    const { snapshot, actions } = this.#stepper.next(id, this.snapshotOf(from), incoming)
    return { from, event: stored, to: toState(this.#machine, snapshot), actions }
  }

  #inputOf(id: string): unknown {
    const { input } = this.#options as { readonly input?: unknown }
    return typeof input === 'function' ? (input as (id: string) => unknown)(id) : input
  }

  knows(type: string): boolean {
    if (type === init) return true
    if (!isOwn(type)) return false
    return this.commandTypes.some(known => isMeant(type, known))
  }
}

function inputIn(data: unknown): unknown {
  return (data as { readonly input?: unknown } | undefined)?.input
}

function replyOf({ status, value, output }: MachineState): MachineReply<AnyStateMachine> {
  return { status, value, ...(output !== undefined && { output }) }
}
