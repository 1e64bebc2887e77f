// The options of a node, their defaults and their checks.

import type { AnyActorDefinition } from '../actor/definition.js'
import { checkDefinition } from '../actor/check-definition.js'
import { checkTopics } from '../actor/effects.js'
import type { Escalation } from '../actor/actor-host.js'
import type { CommandMiddleware } from '../actor/guarded-command.js'
import { checkMiddleware } from '../actor/middleware.js'
import type { Backend } from '../backend/backend.js'
import { type LagLimits, lagLimitsOf } from '../delivery/health.js'
import { isReactor, type Reactor } from '../delivery/reactor/define-reactor.js'
import { type Clock, systemClock } from '../model/clock.js'
import { checkNamespace } from '../model/address.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import type { WithDefaults } from '../model/defined.js'
import { CairnError } from '../model/errors.js'
import { newId } from '../model/id.js'
import { checkNodeId } from '../model/node-id.js'
import { show } from '../model/show.js'
import type { AnyTopic } from '../model/topic.js'
import { isProjection, type Projection } from '../projection/define-projection.js'
import type { VersionCacheLimits } from '../store/version-cache.js'
import type { Logger, NodeLog } from '../model/log.js'
import { nodeLog } from './log.js'

/** Whether a node's timers fire: see `timers` in {@link NodeOptions}. */
export type TimersOption = 'active' | 'passive'

export interface NodeOptions {
  /** The namespace that this node belongs to: `[a-z0-9][a-z0-9-]{0,62}`. */
  readonly namespace: string
  /** Where the namespace lives: `memory()`, `embedded({ dir })` or `jetstream({ servers })`. */
  readonly store: Backend
  /** Whether a namespace that does not exist is created; otherwise `unknown-namespace` is thrown. Default true. */
  readonly create?: boolean | undefined
  /** The actor types this node hosts. Default: none. */
  readonly actors?: readonly AnyActorDefinition[] | undefined
  /** The reactors that this node runs. Default: none. */
  readonly reactors?: readonly Reactor[] | undefined
  /** Projections that this node helps to build. Default: none. */
  readonly projections?: readonly Projection[] | undefined
  /**
   * Runs in this node before each command that reaches an actor here, or is decided in a transaction; the first is the
   * outermost. It belongs on every node that hosts the actors. Default: none.
   */
  readonly middleware?: readonly CommandMiddleware[] | undefined
  /** The node's id: `[A-Za-z0-9][A-Za-z0-9_-]{0,62}`. Default: a new one. */
  readonly id?: string | undefined
  /**
   * A pino logger, `console`, or an object with the methods debug, info, warn and error; `false` for none. Default:
   * warnings and errors are JSON lines on stderr; the environment variable CAIRN_LOG_LEVEL sets another level.
   */
  readonly log?: Logger | false | undefined
  /** Default: the system clock. */
  readonly clock?: Clock | undefined
  /** Bounds of the version cache. Default: 100,000 entries, 32 MiB. */
  readonly cache?: VersionCacheLimits | undefined
  /** The most actors kept in memory; more only while they are busy. Default 10,000. */
  readonly residentsMax?: number | undefined
  /**
   * The most bytes that actors in memory take; more only while they are busy. Estimated from the
   * size of their states, which may be wrong by a factor of three. Default 256 MiB.
   */
  readonly residentBytesMax?: number | undefined
  /**
   * The most actors that wake at a time, each by a read of the store. It bounds the load when
   * actors move to this node because another joins or leaves. Default 64.
   */
  readonly wakesMax?: number | undefined
  /**
   * Whether this node is a member: it owns a share of the namespace's actors, and routes commands
   * for other actors to their owners. With `false` it handles its own commands itself, and no
   * other node sends it any. Default true; a node without actors, reactors and projections is
   * then only a client, which routes its commands. Such a node that is given `true` is a member
   * that delivers stored commands and fires timers for the others.
   */
  readonly serve?: boolean | undefined
  /**
   * Whether this node fires the namespace's timers. With `passive` it sets the timers of its
   * actors, and active nodes fire them, now or once there is one. Default `active`.
   */
  readonly timers?: TimersOption | undefined
  /** This node's share of the actors, relative to the other nodes'. Default 1. */
  readonly weight?: number | undefined
  /**
   * Seconds of lag from which the health in `backlogs()`, and over HTTP, is `watch` and `critical`. Default: 60 and 600.
   */
  readonly lagLimits?: LagLimits | undefined
  /** Shown to the other nodes and by `cairn nodes`; no secrets. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /**
   * Called when an actor fails whose type's policy is `'escalate'`. Default: the failure is logged
   * at level fatal, and the node drains and closes.
   */
  readonly onEscalation?: ((escalation: Escalation) => void) | undefined
}

type Defaulted =
  | 'id'
  | 'clock'
  | 'actors'
  | 'reactors'
  | 'projections'
  | 'middleware'
  | 'serve'
  | 'timers'
  | 'weight'
  | 'metadata'

/** The options of a node, checked and with their defaults. */
export type NodeSettings = Omit<WithDefaults<NodeOptions, Defaulted>, 'log'> & {
  readonly log: NodeLog
  /** Whether other nodes send it work: it is to serve, and has something to serve, or was told to. */
  readonly isMember: boolean
}

export const nodeOptionNames: OptionNames<NodeOptions> = {
  namespace: true,
  store: true,
  create: true,
  actors: true,
  reactors: true,
  projections: true,
  middleware: true,
  id: true,
  log: true,
  clock: true,
  cache: true,
  residentsMax: true,
  residentBytesMax: true,
  wakesMax: true,
  serve: true,
  timers: true,
  weight: true,
  lagLimits: true,
  metadata: true,
  onEscalation: true,
}

/** Throws `invalid-option`, `invalid-namespace` or `invalid-definition`. */
export async function checkNodeOptions(options: NodeOptions): Promise<NodeSettings> {
  checkOptions('startNode', options, nodeOptionNames)
  checkNamespace(options.namespace)
  checkStore(options.store)
  for (const name of ['actors', 'reactors', 'projections', 'middleware'] as const)
    checkList(name, options[name])
  const settings: NodeSettings = {
    ...options,
    id: options.id ?? newNodeId(),
    log: await nodeLog(options.log),
    clock: options.clock ?? systemClock,
    actors: options.actors ?? [],
    reactors: options.reactors ?? [],
    projections: options.projections ?? [],
    middleware: options.middleware ?? [],
    serve: options.serve ?? true,
    isMember: options.serve ?? hasWork(options),
    timers: options.timers ?? 'active',
    weight: options.weight ?? 1,
    metadata: options.metadata ?? {},
  }
  const { id, actors, reactors, projections, timers } = settings
  checkNodeId(id)
  if (timers !== 'active' && timers !== 'passive')
    throw new CairnError(
      'invalid-option',
      `timers is ${show(timers)}: use 'active' or 'passive'.`,
    )
  for (const one of actors) checkDefinition('actors of startNode', one)
  for (const one of reactors)
    if (!isReactor(one)) throw notDefined('reactors', one, 'defineReactor')
  for (const one of projections)
    if (!isProjection(one)) throw notDefined('projections', one, 'defineProjection')
  checkMiddleware(settings.middleware)
  lagLimitsOf(settings.lagLimits)
  checkReactors(reactors)
  checkTopics('What this node publishes and reads', topicsOf(actors, reactors))
  checkProjections(projections)
  if (settings.isMember) checkWeight(settings.weight)
  return settings
}

function hasWork({ actors = [], reactors = [], projections = [] }: NodeOptions): boolean {
  return actors.length + reactors.length + projections.length > 0
}

function checkStore(store: unknown): void {
  if (typeof (store as Backend | undefined)?.open === 'function') return
  const given =
    typeof store === 'function' ? 'a function that is not called' : show(store)
  throw new CairnError(
    'invalid-option',
    `store of startNode is ${given}: pass memory(), embedded({ dir }) or jetstream({ servers }).`,
  )
}

function checkList(name: string, list: unknown): void {
  if (list === undefined || Array.isArray(list)) return
  throw new CairnError(
    'invalid-option',
    `${name} of startNode is ${show(list)}: pass a list, ${name}: […].`,
  )
}

/** Two reactors of one name would share the messages instead of getting all of them. */
function checkReactors(reactors: readonly Reactor[]): void {
  const name = firstDuplicate(reactors)
  if (name !== undefined)
    throw new CairnError(
      'invalid-definition',
      `Two reactors are named ${name}: they would be one group, and each message would reach only one of ` +
        'the two. Give one of them another name, or handle both in one.',
      { details: { name } },
    )
}

function notDefined(list: string, value: unknown, maker: string): CairnError {
  return new CairnError(
    'invalid-definition',
    `${list} of startNode has ${show(value)}: pass what ${maker} returns.`,
  )
}

function topicsOf(
  actors: readonly AnyActorDefinition[],
  reactors: readonly Reactor[],
): AnyTopic[] {
  return [
    ...actors.flatMap(({ publishes = [] }) => publishes),
    ...reactors.flatMap(({ topics }) => topics),
  ]
}

/** Two projections of one name would write the same rows. */
function checkProjections(projections: readonly Projection[]): void {
  const name = firstDuplicate(projections)
  if (name !== undefined)
    throw new CairnError(
      'invalid-definition',
      `Two projections are named ${name}: they would write the same rows. Give one of them another name.`,
      { details: { name } },
    )
}

function firstDuplicate(named: readonly { readonly name: string }[]): string | undefined {
  const names = new Set<string>()
  for (const { name } of named) {
    if (names.has(name)) return name
    names.add(name)
  }
  return undefined
}

function checkWeight(weight: number): void {
  if (weight > 0 && Number.isFinite(weight)) return
  throw new CairnError(
    'invalid-option',
    `weight is ${weight}: use a number greater than 0.`,
  )
}

function newNodeId(): string {
  return `n-${newId().slice(0, 8)}`
}
