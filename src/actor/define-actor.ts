// defineActor(): defines an actor type by its decider. The types of its state, commands, replies,
// rejections and events are inferred from the decider.

import { checkActorType, isReservedType } from '../model/address.js'
import type { Behavior } from '../model/behavior.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import { CairnError } from '../model/errors.js'
import type { RecordedEvent } from '../model/event.js'
import { didYouMean } from '../model/nearest.js'
import type { DeepReadonly } from '../model/read-only.js'
import type { StandardSchema } from '../model/schema.js'
import { show } from '../model/show.js'
import type { AnyTopic } from '../model/topic.js'
import { actorOptionNames, actorOptions } from './actor-options.js'
import { type AnyContract, isContract } from './contract.js'
import { toDecision } from './decide-result.js'
import type { ActorDefinition, ActorOptions } from './definition.js'
import { checkOutbox, checkTopics, unknownCommand } from './effects.js'
import type {
  AnyDecide,
  AnyEvolve,
  CommandsIn,
  DecidedAs,
  DecideWith,
  EmittedIn,
  EventIn,
  EvolveWith,
  HasNoContract,
  OnlyKnownEvents,
} from './handler-types.js'
import { type ActorSchemas, checkSchemas } from './schemas.js'
import { Upcasters, type UpcastSteps } from './upcast.js'
import { type AnyWork, checkWorks } from './work.js'

/** What {@link defineActor} takes. */
export interface ActorSpec<
  State,
  Evolve,
  Decide,
  Contract extends AnyContract = AnyContract,
  Schemas = ActorSchemas,
  Performs = readonly AnyWork[] | undefined,
> extends ActorOptions {
  /** `[A-Za-z][A-Za-z0-9_-]{0,62}`, not beginning with `cairn-`. Default: the one of the contract. */
  readonly type?: string
  /** The contract whose commands it must decide; it may have more. */
  readonly implements?: Contract
  /** Raise it when `evolve` or the shape of the state changes. Default 1. */
  readonly version?: number
  /** Topics that its actors publish on; a message on another topic is an error. Default: none. */
  readonly publishes?: readonly AnyTopic[]
  /** Work that its actors have done outside, by `perform`; other work is an error. Default: none. */
  readonly performs?: Performs
  /** Schemas of its commands, events, replies and state, of any library: their types are inferred. Default: none. */
  readonly schemas?: Schemas & { readonly state?: StandardSchema<unknown, State> }
  /**
   * Steps for events that earlier versions have stored, by event type: `upcast.deposited[0]` takes an event of schema
   * version 1 to 2. Raise `version` with each. Default: none, and every type is at version 1.
   */
  readonly upcast?: UpcastSteps
  /**
   * The state that an earlier version has stored, as one of this version; `undefined` folds it again from the events, which
   * is the default.
   */
  readonly migrateState?: (state: never, from: number) => State | undefined
  /** The state before the first event, or a function that makes it from the actor's id. */
  readonly initialState: State | ((id: string) => State)
  /** One handler per command: `(state, data, context) => events, a reply, or a rejection`. Pure. */
  readonly decide: Decide &
    OnlyKnownEvents<Decide, EmittedIn<Evolve, Schemas>, Contract, Schemas, Performs> &
    DecidedAs<Contract, State, Schemas> &
    DecideWith<State, Schemas, Contract>
  /** One handler per event: `(state, data, event) => the next state`. Pure, and never throws. */
  readonly evolve: Evolve & EvolveWith<State, Schemas>
}

/**
 * Defines an actor type by its decider.
 *
 * ```ts
 * const account = defineActor({
 *   type: 'account',
 *   initialState: { balance: 0 },
 *   decide: {
 *     deposit: (state, { amount }: { amount: number }) => event('deposited', { amount }),
 *     withdraw: (state, { amount }: { amount: number }) =>
 *       state.balance < amount ? reject('overdraft') : event('withdrawn', { amount }),
 *   },
 *   evolve: {
 *     deposited: (state, { amount }: { amount: number }) => ({ balance: state.balance + amount }),
 *     withdrawn: (state, { amount }: { amount: number }) => ({ balance: state.balance - amount }),
 *   },
 * })
 * ```
 *
 * Throws `invalid-actor-type` or `invalid-definition`.
 */
export function defineActor<
  State,
  Evolve extends Record<string, AnyEvolve<State>>,
  Decide extends Record<string, AnyDecide<State>>,
  // Without a default: with one, a state is no longer inferred from the handlers, too.
  Contract extends AnyContract,
  Schemas extends ActorSchemas,
  Performs extends readonly AnyWork[] | undefined,
>(
  spec: ActorSpec<State, Evolve, Decide, Contract, Schemas, Performs> & NamedBy<Contract>,
): ActorDefinition<State, CommandsIn<Decide, Schemas>, EventIn<Evolve, Schemas, Decide>> {
  if (typeof spec !== 'object' || spec === null)
    throw new CairnError(
      'invalid-definition',
      `defineActor got ${show(spec)}: pass { type, initialState, decide, evolve }.`,
    )
  const type = typeOf(spec)
  checkNotReserved(type)
  // The contract is only a check of the compiler: from here on, the definition stands for itself.
  return defineAnyActor<State, Evolve, Decide, Schemas>({ ...spec, type } as never)
}

/** Throws `invalid-actor-type`, and `invalid-definition` for a contract that is none or is of another type. */
function typeOf({
  type,
  implements: contract,
}: Pick<
  ActorSpec<unknown, unknown, unknown, AnyContract>,
  'type' | 'implements'
>): string {
  if (contract === undefined) return checkActorType(type)
  if (!isContract(contract))
    throw new CairnError(
      'invalid-definition',
      `An actor type implements ${show(contract)}: pass what contract<{ … }>('type') returns.`,
    )
  if (type !== undefined && type !== contract.type)
    throw new CairnError(
      'invalid-definition',
      `Actor type ${show(type)} implements the contract of ${contract.type}: leave out type, or give both the same.`,
      { details: { type, contract: contract.type } },
    )
  return contract.type
}

/** A spec without a contract names its type. */
type NamedBy<Contract extends AnyContract> =
  HasNoContract<Contract> extends true ? { readonly type: string } : unknown

const specNames: OptionNames<ActorSpec<unknown, unknown, unknown>> = {
  type: true,
  implements: true,
  version: true,
  publishes: true,
  performs: true,
  schemas: true,
  upcast: true,
  migrateState: true,
  initialState: true,
  decide: true,
  evolve: true,
  ...actorOptionNames,
}

/** Throws `invalid-definition` for a type that is reserved for Cairn. */
export function checkNotReserved(type: string): void {
  if (!isReservedType(type)) return
  throw new CairnError(
    'invalid-definition',
    `Actor type ${show(type)} is reserved: Cairn uses the types that begin with "cairn-". Use another name.`,
    { details: { type } },
  )
}

/** Throws `invalid-definition`. */
export function checkBehaviorVersion(type: string, version: number): void {
  if (Number.isSafeInteger(version) && version >= 1) return
  throw new CairnError(
    'invalid-definition',
    `version of actor type ${type} is ${version}: use a whole number from 1.`,
  )
}

/** Throws `invalid-definition` for an evolution without a new version: earlier nodes would not know of it. */
function checkEvolution(
  type: string,
  version: number,
  {
    upcast,
    migrateState,
  }: { readonly upcast?: unknown; readonly migrateState?: unknown },
): void {
  if (migrateState !== undefined && typeof migrateState !== 'function')
    throw new CairnError(
      'invalid-definition',
      `migrateState of actor type ${type} is ${show(migrateState)}: it must be a function.`,
    )
  if (version > 1 || (upcast === undefined && migrateState === undefined)) return
  throw new CairnError(
    'invalid-definition',
    `Actor type ${type} has ${upcast === undefined ? 'migrateState' : 'upcast'} and version 1: there is no earlier ` +
      'version. Raise the version.',
  )
}

/** Like {@link defineActor}, but allows reserved types. */
export function defineAnyActor<
  State,
  Evolve extends Record<string, AnyEvolve<State>>,
  Decide extends Record<string, AnyDecide<State>>,
  Schemas extends ActorSchemas,
>(
  spec: ActorSpec<State, Evolve, Decide, AnyContract, Schemas> & NamedBy<AnyContract>,
): ActorDefinition<State, CommandsIn<Decide, Schemas>, EventIn<Evolve, Schemas, Decide>> {
  const {
    type,
    version = 1,
    initialState,
    decide,
    evolve,
    publishes = [],
    performs = [],
    schemas,
  } = spec
  checkOptions(`Actor type ${type}`, spec, specNames, 'invalid-definition')
  checkBehaviorVersion(type, version)
  if (initialState === undefined)
    throw new CairnError(
      'invalid-definition',
      `Actor type ${type} has no initialState: pass the state before the first event, or a function that makes it.`,
    )
  checkHandlers(type, 'decide', decide)
  checkHandlers(type, 'evolve', evolve)
  checkTopics(`publishes of actor type ${type}`, publishes)
  checkWorks(`performs of actor type ${type}`, performs)
  const deciders = new Map<string, AnyDecide<State>>(Object.entries(decide))
  const evolvers = new Map<string, AnyEvolve<State>>(Object.entries(evolve))
  const commandTypes = [...deciders.keys()]
  if (schemas !== undefined)
    checkSchemas(`actor type ${type}`, schemas, commandTypes, [...evolvers.keys()])
  const { upcast, migrateState } = spec
  const upcasters = upcast === undefined ? undefined : new Upcasters(type, upcast)
  checkEvolution(type, version, { upcast, migrateState })
  const behavior: Behavior<State> = {
    ...(upcasters !== undefined && {
      upcastTypes: upcasters.types,
      schemaVersionOf: (eventType: string) => upcasters.versionOf(eventType),
      upcast: (stored: RecordedEvent) => upcasters.apply(stored),
    }),
    ...(migrateState !== undefined && { migrateState }),
    version,
    commandTypes,
    eventTypes: [...evolvers.keys()],
    initialState: id =>
      typeof initialState === 'function'
        ? (initialState as (id: string) => State)(id)
        : structuredClone(initialState),
    decide(state, command, context) {
      const handler = deciders.get(command.type)
      if (handler === undefined) throw unknownCommand(type, command.type, commandTypes)
      const decision = toDecision(
        handler(state as DeepReadonly<State>, command.data as never, context),
        context.now,
      )
      if (decision.ok) {
        checkEvents(type, command.type, decision.events, evolvers)
        checkOutbox(type, decision.outbox, publishes, commandTypes, performs)
      }
      return decision
    },
    evolve(state, stored) {
      const handler = evolvers.get(stored.type)
      if (handler === undefined)
        throw new CairnError(
          'invalid-definition',
          `Actor type ${type} has no evolve for event ${show(stored.type)}; ` +
            `it folds ${[...evolvers.keys()].join(', ')}.`,
        )
      return handler(state as DeepReadonly<State>, stored.data as never, stored) as State
    },
  }
  return {
    type,
    behavior,
    options: actorOptions(spec),
    publishes,
    ...(performs.length > 0 && { performs }),
    ...(schemas !== undefined && { schemas }),
  }
}

/** An event without an `evolve` would park the actor: its command fails instead. */
function checkEvents(
  type: string,
  command: string,
  events: readonly { readonly type: string }[],
  evolvers: ReadonlyMap<string, unknown>,
): void {
  const unknown = events.find(
    one => typeof one?.type === 'string' && !evolvers.has(one.type),
  )
  if (unknown === undefined) return
  const known = [...evolvers.keys()]
  throw new CairnError(
    'invalid-definition',
    `decide.${command} of actor type ${type} returned event ${show(unknown.type)}, which evolve does not ` +
      `fold.${didYouMean(unknown.type, known)} It folds ${known.join(', ')}.`,
    { details: { type, command, event: unknown.type, known } },
  )
}

function checkHandlers(type: string, name: string, handlers: unknown): void {
  if (typeof handlers !== 'object' || handlers === null)
    throw new CairnError(
      'invalid-definition',
      `Actor type ${type} needs ${name}: { name: function, … }; it has ${show(handlers)}.`,
    )
  for (const [key, handler] of Object.entries(handlers))
    if (typeof handler !== 'function')
      throw new CairnError(
        'invalid-definition',
        `${name}.${key} of actor type ${type} is ${show(handler)}: it must be a function.`,
      )
}
