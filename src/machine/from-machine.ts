// fromMachine(): an XState machine as an actor type.

import type { AnyStateMachine } from 'xstate'

import { actorOptionNames, actorOptions } from '../actor/actor-options.js'
import { checkBehaviorVersion, checkNotReserved } from '../actor/define-actor.js'
import type { StateReader, StateOptions } from '../actor/definition.js'
import { checkTopics } from '../actor/effects.js'
import { type ActorSchemas, checkSchemas } from '../actor/schemas.js'
import { checkActorType } from '../model/address.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import type { AnyTopic } from '../model/topic.js'
import { accepts } from './accepts.js'
import { MachineBehavior } from './behavior.js'
import { checkDurable, checkMachine } from './check.js'
import type {
  MachineDefinition,
  MachineOptions,
  MachineReply,
  MachineState,
} from './types.js'

const optionNames: OptionNames<MachineOptions<AnyStateMachine, unknown>> = {
  type: true,
  version: true,
  migrate: true,
  migrateState: true,
  late: true,
  lateAfter: true,
  schemas: true,
  emits: true,
  reply: true,
  input: true,
  ...actorOptionNames,
}

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
  options: MachineOptions<Machine, Reply> = {},
): MachineDefinition<Machine, Reply> {
  checkMachine(machine)
  const given: MachineOptions<AnyStateMachine, unknown> = { ...(options as object) }
  checkOptions(`fromMachine(${machine.id})`, given, optionNames, 'invalid-definition')
  const { type = machine.id, version = 1, emits = {} } = given
  checkNamed(machine, given)
  checkActorType(type)
  checkNotReserved(type)
  checkBehaviorVersion(type, version)
  for (const name of ['migrate', 'migrateState'] as const)
    if (given[name] !== undefined && version === 1)
      throw new CairnError(
        'invalid-definition',
        `Machine ${type} has ${name} and version 1: there is no earlier version to migrate from. Raise the version.`,
      )
  checkLate(type, given)
  const runsChildren = checkDurable(machine, type)
  const publishes = Object.values(emits as Record<string, AnyTopic>)
  checkTopics(`emits of machine ${type}`, publishes)
  const behavior = new MachineBehavior(machine, type, version, given, runsChildren)
  const schemas = schemasOf(type, behavior, given as { readonly schemas?: ActorSchemas })
  const definition: MachineDefinition<AnyStateMachine, unknown> = {
    type,
    machine,
    behavior,
    options: actorOptions(given),
    publishes,
    ...(schemas !== undefined && { schemas }),
    refMethods: read => ({
      matches: async (value, bounds) =>
        definition.matches(await stateBy(read, bounds), value),
      can: async (candidate, bounds) =>
        definition.can(await stateBy(read, bounds), candidate),
      hasTag: async (tag, bounds) =>
        definition.hasTag(await stateBy(read, bounds), tag as never),
      output: async bounds => (await stateBy(read, bounds)).output,
      snapshot: async bounds => definition.snapshot(await stateBy(read, bounds)),
    }),
    snapshot: state => behavior.snapshotOf(state),
    matches: (state, value) => behavior.snapshotOf(state).matches(value),
    can: (state, candidate) => accepts(behavior.snapshotOf(state), candidate),
    hasTag: (state, tag) => behavior.snapshotOf(state).hasTag(tag),
  }
  // One implementation serves all machines; only the types differ.
  return definition as unknown as MachineDefinition<Machine, Reply>
}

/** A machine's commands are its events. Throws `invalid-definition`. */
function schemasOf(
  type: string,
  behavior: MachineBehavior,
  { schemas }: { readonly schemas?: ActorSchemas },
): ActorSchemas | undefined {
  if (schemas === undefined) return undefined
  const what = `machine ${type}`
  const { events = {} } = schemas ?? {}
  // A transition on `file.*` takes events of many names.
  const matched = Object.keys(events).filter(name => behavior.knows(name))
  const types = [...new Set([...behavior.commandTypes, ...matched])]
  checkSchemas(what, schemas, types, types)
  const { state } = schemas
  return { commands: events, ...(state !== undefined && { state }) }
}

/** Throws `invalid-actor-type` for a machine without an id, whose actors have no type. */
function checkNamed(
  { config }: AnyStateMachine,
  { type }: Pick<MachineOptions<AnyStateMachine>, 'type'>,
): void {
  const { id } = config as { readonly id?: unknown }
  if (type !== undefined || (id !== undefined && id !== '')) return
  throw new CairnError(
    'invalid-actor-type',
    'The machine has no id, and a machine is an actor type by its id: set it in createMachine({ id }), or give ' +
      'fromMachine the option type.',
  )
}

/** Throws `invalid-definition`. */
function checkLate(
  type: string,
  {
    late = 'fire',
    lateAfter = 0,
  }: Pick<MachineOptions<AnyStateMachine>, 'late' | 'lateAfter'>,
): void {
  const isKnown = typeof late === 'function' || ['fire', 'skip', 'restart'].includes(late)
  if (isKnown && lateAfter >= 0) return
  throw new CairnError(
    'invalid-definition',
    `Machine ${type}: late is ${show(late)}, and lateAfter ${show(lateAfter)}: use 'fire', 'skip', ` +
      "'restart' or a function for late, and milliseconds from 0 for lateAfter.",
  )
}

async function stateBy(
  read: StateReader<MachineState>,
  options: StateOptions | undefined,
): Promise<MachineState> {
  return (await read(options)).state
}
