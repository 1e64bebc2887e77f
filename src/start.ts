// startNode(): the one composition root. It introduces the parts to each other, starts them
// in order and closes them in reverse.

import { type ActorHost, type ActorHostStats, createActorHost } from './actor/host.js'
import type { ActorDefinition, AnyActorDefinition } from './actor/define.js'
import { type ActorRef, actorRef } from './actor/ref.js'
import { DefinitionRegistry } from './actor/registry.js'
import type { StateReading } from './actor/actor.js'
import type { Backend, OpenNamespace } from './backend/backend.js'
import type {
  NoticeBus,
  SubscribeOptions,
  Subscription,
  SubscriptionStats,
} from './bus/bus.js'
import type { EventStored } from './bus/notice.js'
import type { NodeRequest, Serving } from './cluster/transport.js'
import { type Logger, silentLog } from './log.js'
import { type ActorAddress, checkAddress } from './model/address.js'
import { type Clock, systemClock } from './model/clock.js'
import { CairnError } from './model/errors.js'
import { newId } from './model/id.js'
import type { AskOutcome, SendOptions } from './model/sender.js'
import { show } from './model/show.js'
import { pause } from './model/wait.js'
import type { EventStore } from './store/store.js'
import type { VersionCacheLimits, VersionCacheStats } from './store/version-cache.js'

export interface NodeOptions {
  /** The tenant this node belongs to: `[a-z0-9][a-z0-9-]{0,62}`. */
  readonly namespace: string
  /** Where the namespace lives: `memory()`, `embedded({ dir })` or `jetstream({ servers })`. */
  readonly store: Backend
  /** The actor types this node hosts. Default: none. */
  readonly actors?: readonly AnyActorDefinition[]
  /** The node's id: `[A-Za-z0-9][A-Za-z0-9_-]{0,62}`. Default: a new one. */
  readonly id?: string
  /** A pino logger. Default: says nothing. */
  readonly log?: Logger
  /** Default: the system's. */
  readonly clock?: Clock
  /** Bounds of the version cache. Default: 100,000 entries, 32 MiB. */
  readonly cache?: VersionCacheLimits
  /** Actors kept in memory, unless more are busy. Default 10,000. */
  readonly residentsMax?: number
  /** Whether other processes may send commands to this node's actors. Default true. */
  readonly serve?: boolean
}

export interface NodeStats {
  readonly actors: ActorHostStats
  readonly cache: VersionCacheStats
  readonly notices: SubscriptionStats
}

/** One process's part of a namespace. */
export interface Node extends AsyncDisposable {
  readonly id: string
  readonly namespace: string
  readonly store: EventStore
  readonly bus: NoticeBus

  /**
   * A typed reference to an actor; nothing is read or created until it is used.
   * Throws `invalid-actor-id`, or `unknown-actor-type` for a definition that was not passed
   * to `startNode`.
   */
  spawn<Definition extends AnyActorDefinition>(
    definition: Definition,
    id: string,
  ): ActorRef<Definition>

  /** Sends a command by names, for tools; code uses `spawn(…).ask`. */
  ask(
    actor: ActorAddress,
    command: string,
    data?: unknown,
    options?: SendOptions,
  ): Promise<AskOutcome>

  /** An actor's state, now or as it was at a version. */
  state(
    actor: ActorAddress,
    options?: { readonly version?: number; readonly signal?: AbortSignal },
  ): Promise<StateReading>

  /** Calls `handler` for each event stored in this namespace from now on, by any node. */
  subscribeToEventStored(
    handler: (notice: EventStored) => void,
    options?: SubscribeOptions,
  ): Promise<Subscription>

  stats(): NodeStats

  /**
   * Drains and leaves: takes nothing more in, finishes and answers what was accepted (for at
   * most `timeout` ms, default 10,000), closes the store. Calling it again waits for the same end.
   */
  close(options?: { readonly timeout?: number }): Promise<void>
}

/**
 * Starts a node.
 *
 * ```ts
 * await using node = await startNode({
 *   namespace: 'tenant-a',
 *   store: jetstream({ servers: 'nats://127.0.0.1:4222' }),
 *   actors: [account],
 * })
 * const alice = node.spawn(account, 'alice')
 * const { version, reply } = await alice.ask('deposit', { amount: 10 })
 * ```
 *
 * Throws what opening the backend throws (`store-unreachable`, `unauthorized`,
 * `server-too-old`, `no-jetstream`, `foreign-stream`, `foreign-directory`, …), and
 * `invalid-definition` when two definitions name one type.
 */
export async function startNode(options: NodeOptions): Promise<Node> {
  const { namespace, store: backend, id = newNodeId(), log = silentLog() } = options
  checkNodeId(id)
  const definitions = new DefinitionRegistry(options.actors)
  const nodeLog = log.child({ node: id, namespace })
  const { cache } = options
  const open = await backend.open({
    namespace,
    nodeId: id,
    ...(cache !== undefined && { cache }),
  })
  try {
    return await assemble(options, id, definitions, open, nodeLog)
  } catch (error) {
    await open.close()
    throw error
  }
}

async function assemble(
  options: NodeOptions,
  id: string,
  definitions: DefinitionRegistry,
  open: OpenNamespace,
  log: Logger,
): Promise<Node> {
  const { namespace, store, bus, transport } = open
  const actorLog = log.child({ part: 'actor' })
  const host = createActorHost({
    store,
    definitions,
    nodeId: id,
    clock: options.clock ?? systemClock,
    log: (level, message, details) => actorLog[level](details, message),
    ...(options.residentsMax !== undefined && { residentsMax: options.residentsMax }),
  })
  const notices = await listen(open, host, log.child({ part: 'notices' }))
  let serving: Serving | undefined
  if (options.serve !== false && definitions.types.length > 0)
    serving = await transport.serve(id, definitions.types, (request, { timeout }) =>
      carryOut(host, request, timeout),
    )
  log.info({ store: options.store.kind, actors: definitions.types }, 'node ready')

  let closed: Promise<void> | undefined
  const close = async (timeout = closeTimeoutDefault) => {
    const deadline = performance.now() + timeout
    // 1. Take nothing more from outside, and answer what has come.
    const stopping = Promise.resolve(serving?.stop())
    const inTime = new AbortController()
    void stopping.finally(() => inTime.abort())
    await Promise.race([stopping, pause(timeout, inTime.signal)])
    // 2. Finish what this process itself has sent; what is late is answered now.
    await host.close({ timeout: Math.max(0, deadline - performance.now()) })
    await stopping
    // 3. Leave.
    await open.close()
  }
  const closeOnce = (within: { readonly timeout?: number } = {}) =>
    (closed ??= close(within.timeout))

  return {
    id,
    namespace,
    store,
    bus,
    spawn: (definition, actorId) => {
      checkKnown(definitions, definition)
      return actorRef(definition, actorId, { sender: host, store })
    },
    ask: (actor, command, data, sendOptions) =>
      host.ask(actor, command, data, sendOptions),
    state: (actor, { version, ...rest } = {}) =>
      version === undefined
        ? host.state(actor, rest)
        : host.stateAt(actor, version, rest),
    subscribeToEventStored: (handler, subscribeOptions) =>
      bus.subscribeToEventStored(namespace, handler, subscribeOptions),
    stats: () => ({
      actors: host.stats(),
      cache: store.cacheStats(),
      notices: notices.stats(),
    }),
    close: closeOnce,
    [Symbol.asyncDispose]: () => closeOnce(),
  }
}

/** P5: what others store raises this node's version cache and wakes its residents' attention. */
async function listen(
  open: OpenNamespace,
  host: ActorHost,
  log: Logger,
): Promise<Subscription> {
  const { namespace, store, bus } = open
  return bus.subscribeToCommits(
    namespace,
    ({ actor, position, header, previousPosition }) => {
      const { firstVersion, lastVersion } = header
      const predecessor =
        previousPosition === undefined
          ? undefined
          : { version: firstVersion - 1, position: previousPosition }
      store.updateVersionCache(actor, lastVersion, position, predecessor)
      host.noticed({ actor, version: lastVersion, position })
    },
    {
      onInterrupted: reason => {
        log.warn({ reason }, 'notices may have been missed; caches are unverified')
        store.markCacheUnverified()
        host.unverified()
      },
      onHandlerError: error =>
        log.error({ err: error }, 'a notice could not be taken in'),
    },
  )
}

/** A request that came through the transport. */
async function carryOut(
  host: ActorHost,
  request: NodeRequest,
  timeout: number,
): Promise<unknown> {
  const actor = checkAddress(request.actor)
  if (request.kind === 'state')
    return request.version === undefined
      ? host.state(actor, { timeout })
      : host.stateAt(actor, request.version, { signal: AbortSignal.timeout(timeout) })
  const { command, data, commandId, correlationId, causationId, traceparent } = request
  return host.ask(actor, command, data, {
    timeout,
    ...(commandId !== undefined && { commandId }),
    ...(correlationId !== undefined && { correlationId }),
    ...(causationId !== undefined && { causationId }),
    ...(traceparent !== undefined && { traceparent }),
  })
}

function checkKnown(definitions: DefinitionRegistry, definition: ActorDefinition): void {
  if (definitions.get(definition.type) !== definition)
    throw new CairnError(
      'unknown-actor-type',
      `This node hosts another definition of actor type ${show(definition.type)}: ` +
        'spawn with the one that was passed to startNode({ actors }).',
    )
}

const closeTimeoutDefault = 10_000

const nodeIdPattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/

function checkNodeId(id: unknown): void {
  if (typeof id === 'string' && nodeIdPattern.test(id)) return
  throw new CairnError(
    'invalid-option',
    `${show(id)} is not a node id: use 1 to 63 characters of A-Z, a-z, 0-9, "_" and "-", starting with a letter or digit.`,
    { details: { id } },
  )
}

function newNodeId(): string {
  return `n-${newId().slice(0, 8)}`
}
