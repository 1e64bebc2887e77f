// startNode(): the one composition root. It introduces the parts to each other, starts them
// in order and closes them in reverse.

import { Children, type ChildrenStats } from '../actor/children.js'
import { FailedCommands } from '../actor/failed-commands.js'
import type { ActorHost, ActorHostStats, Escalation } from '../actor/actor-host.js'
import { createActorHost } from '../actor/host.js'
import type {
  StateOptions,
  ActorDefinition,
  AnyActorDefinition,
  StateReading,
} from '../actor/definition.js'
import { Directives } from '../actor/directives.js'
import { supervise, type Supervision } from '../actor/supervise.js'
import { supervisor, supervisorType } from '../actor/supervisor.js'
import { actorRef, type RefOf, type RefPorts } from '../actor/ref.js'
import { DefinitionRegistry } from '../actor/registry.js'
import type {
  Transaction,
  TransactOptions,
  TransactOutcome,
} from '../actor/transaction.js'
import { type TransactionStats, Transactor } from '../actor/transactor.js'
import type { Backend, OpenNamespace } from '../backend/backend.js'
import type {
  NoticeBus,
  SubscribeOptions,
  Subscription,
  SubscriptionStats,
} from '../bus/bus.js'
import type { EventStored } from '../bus/notice.js'
import type { Member } from '../cluster/membership.js'
import { NoticeFanout } from '../bus/notice-fanout.js'
import { Router, type RouterStats } from '../cluster/router.js'
import type { NodeRequest, Serving } from '../cluster/transport.js'
import { silentLog } from './log.js'
import {
  type ActorAddress,
  checkAddress,
  formatAddress,
  isReservedType,
} from '../model/address.js'
import { definedCauses } from '../model/causes.js'
import { type Clock, systemClock } from '../model/clock.js'
import { CairnError } from '../model/errors.js'
import { newId } from '../model/id.js'
import { type Logger, writeTo } from '../model/log.js'
import { checkNodeId } from '../model/node-id.js'
import type {
  AskOutcome,
  DurableCommandSender,
  CommandSender,
  RedeliveryOptions,
  SendOptions,
  SendReceipt,
} from '../model/command-sender.js'
import { show } from '../model/show.js'
import { deferred, pause } from '../model/wait.js'
import type { Topic } from '../model/topic.js'
import {
  checkGroups,
  groupNames,
  type GroupsStats,
  noGroups,
  registerTopics,
  type RunningGroups,
  startGroups,
  type TimersOption,
} from './groups.js'
import type { GroupCommitStats } from '../nats/group-commit.js'
import type { Consumer } from '../delivery/consumer/consumer.js'
import type { ConsumerDefinition } from '../delivery/consumer/define-consumer.js'
import type {
  Trigger,
  TriggerHandler,
  TriggerOptions,
} from '../delivery/consumer/trigger.js'
import { startConsumers } from './consumers.js'
import { checkProjections, projectionGroups, startProjections } from './projections.js'
import { packageVersion } from './package-version.js'
import type { Projection } from '../projection/define-projection.js'
import type { ProjectionReader } from '../projection/reader.js'
import type { ProjectionStats } from '../projection/runner.js'
import type { Reactor } from '../delivery/reactor/define-reactor.js'
import { putCommand } from '../delivery/commands/stored-commands.js'
import {
  type DeadLetterBox,
  deadLetterBox,
} from '../delivery/dead-letters/dead-letter-box.js'
import {
  type Published,
  type PublishOptions,
  putMessage,
} from '../delivery/messages/topics.js'
import type { Timer } from '../model/timer.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { ListTimersOptions } from '../store/timers/timers.js'
import type { VersionCacheLimits, VersionCacheStats } from '../store/version-cache.js'

export interface NodeOptions {
  /** The tenant this node belongs to: `[a-z0-9][a-z0-9-]{0,62}`. */
  readonly namespace: string
  /** Where the namespace lives: `memory()`, `embedded({ dir })` or `jetstream({ servers })`. */
  readonly store: Backend
  /** The actor types this node hosts. Default: none. */
  readonly actors?: readonly AnyActorDefinition[]
  /** What reacts to messages on this node. Default: nothing. */
  readonly reactors?: readonly Reactor[]
  /** Read models that this node helps to build. Default: none. */
  readonly projections?: readonly Projection[]
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
  /**
   * Bytes that the actors in memory take, unless those that are busy take more; estimated from the
   * size of their states, which may be wrong by a factor of three. Default 256 MiB.
   */
  readonly residentBytesMax?: number
  /**
   * Actors being read from the store at a time, when they wake. It bounds what moves here at once
   * when a node joins or leaves. Default 64.
   */
  readonly wakesMax?: number
  /**
   * Whether this node takes part: it is given its share of the namespace's actors, and sends
   * commands for the others' to their owners. Without, it carries out on the spot whatever it
   * is asked itself, and nobody else asks it. Default true.
   */
  readonly serve?: boolean
  /**
   * Whether this node fires the namespace's timers: with `passive` it sets those that its actors
   * say, and leaves it to active nodes to fire them, now or when there is one. Default `active`.
   */
  readonly timers?: TimersOption
  /** This node's share of actors relative to the others'. Default 1. */
  readonly weight?: number
  /** What the other nodes and `cairn nodes` may know of it; no secrets. */
  readonly metadata?: Readonly<Record<string, string>>
  /**
   * Hears when an actor has failed whose type's policy is `'escalate'`. Default: it is logged at
   * level fatal, and the node drains and closes.
   */
  readonly onEscalation?: (escalation: Escalation) => void
}

export interface NodeStats extends GroupsStats {
  readonly actors: ActorHostStats
  readonly cache: VersionCacheStats
  readonly notices: SubscriptionStats
  readonly router: RouterStats
  /**
   * Commands that ended in an error since the start, by its code: those sent through this node,
   * and those told that failed on it after they had been accepted. Each counts on one node.
   */
  readonly dead: Readonly<Record<string, number>>
  /** What runs beside the actors of this node. */
  readonly children: ChildrenStats
  /** Transactions that this node was asked for. */
  readonly transactions: TransactionStats
  /** By the projection's name: what this node builds. */
  readonly projections: Readonly<Record<string, ProjectionStats>>
  /** On JetStream: commits that rode together to the server. */
  readonly groupCommit?: GroupCommitStats
}

/** One process's part of a namespace. */
export interface Node extends AsyncDisposable {
  readonly id: string
  readonly namespace: string
  readonly store: EventStore
  readonly bus: NoticeBus

  /**
   * A typed reference to an actor; nothing is read or created until it is used.
   * The type may be one that only other nodes host. Throws `invalid-actor-id`, or
   * `unknown-actor-type` for another definition of a type that this node hosts.
   */
  spawn<Definition extends AnyActorDefinition>(
    definition: Definition,
    id: string,
  ): RefOf<Definition>

  /** Sends a command by names, for tools; code uses `spawn(…).ask`. */
  ask(
    actor: ActorAddress,
    command: string,
    data?: unknown,
    options?: SendOptions,
  ): Promise<AskOutcome>

  /** Stores a command by names, for tools; code uses `spawn(…).send`. */
  send(
    actor: ActorAddress,
    command: string,
    data?: unknown,
    options?: SendOptions,
  ): Promise<SendReceipt>

  /**
   * Publishes a message: stored, and handled once by each reactor that reads the topic, now or
   * when a node has it. Actors publish from `decide`. Throws `invalid-message`, `invalid-data` or
   * `store-unreachable` when it is not stored, `outcome-unknown` when that is not known: publish
   * it again then, with the same `id`.
   */
  publish<Input>(
    topic: Topic<Input>,
    data: Input,
    options?: PublishOptions,
  ): Promise<Published>

  /**
   * Loads, decides and commits over several actors: all of it is stored, or nothing. The work
   * is done again when one of the actors has moved meanwhile, so it must have no effects of its
   * own; it uses the `tx` it is given.
   *
   * ```ts
   * const moved = await node.transact(async tx => {
   *   const taken = await tx.ask(account, 'alice', 'withdraw', { amount: 30 })
   *   if (!taken.ok) return tx.abort(taken.rejection)
   *   await tx.ask(account, 'bob', 'deposit', { amount: 30 })
   *   return { left: (await tx.load(account, 'alice')).state.balance }
   * })
   * if (moved.ok) console.log(moved.value.left)
   * ```
   *
   * Throws what the work throws, `contention` when others were faster `attempts` times,
   * `commit-too-large` beyond 100 actors or 8 MiB, `invalid-option`, `invalid-data` (the value),
   * `outcome-unknown` (do it again with `details.transactionId` as `id`, if the first actor it
   * loads is written), `aborted`, `deadline-exceeded`, `node-closed`, `queue-full`,
   * `actor-parked`, `server-too-old` or `store-unreachable`.
   */
  transact<Result>(
    work: (tx: Transaction) => Promise<Result> | Result,
    options?: TransactOptions,
  ): Promise<TransactOutcome<Result>>

  /**
   * Reads a projection, whichever nodes build it.
   *
   * ```ts
   * const stored = await node.spawn(account, 'alice').ask('deposit', { amount: 10 })
   * await node.projection(balances).waitFor(stored)
   * const row = await node.projection(balances).get('alice')
   * ```
   */
  projection<Row>(projection: Projection<Row>): ProjectionReader<Row>

  /**
   * A consumer, from which integration code pulls messages and settles them by token: by its
   * definition, or by the name of one that any process has declared.
   */
  consumer(declared: ConsumerDefinition | string): Consumer

  /** A consumer whose messages are handed to a function, once it is started; it stops with the node. */
  trigger(
    declared: ConsumerDefinition | string,
    handler: TriggerHandler,
    options?: TriggerOptions,
  ): Trigger

  /**
   * An actor's state, now (as fresh as `freshness` says) or as it was at a version. Throws
   * `unknown-actor-type` where this node does not host the type, `unknown-version`, or
   * `deadline-exceeded` where `{ after: version }` is not reached in time.
   */
  state(
    actor: ActorAddress,
    options?: StateOptions & { readonly version?: number },
  ): Promise<StateReading>

  /**
   * What an operator can say about an actor: pause, resume, retry, skip. The actor's type need
   * not be hosted here. Throws `invalid-actor-type` or `invalid-actor-id`.
   */
  supervise(actor: ActorAddress): Supervision

  /** The messages that reactors of this namespace have given up. */
  readonly deadLetters: DeadLetterBox

  /** Calls `handler` for each event stored in this namespace from now on, by any node. */
  subscribeToEventStored(
    handler: (notice: EventStored) => void,
    options?: SubscribeOptions,
  ): Promise<Subscription>

  /**
   * The timers that wait, of all actors or of one. It reads as it goes, so there may be any number;
   * what is set or fires meanwhile may be in it or not.
   */
  timers(options?: ListTimersOptions): AsyncIterable<Timer>

  /** The nodes that take part, as this one sees them now. */
  members(): readonly Member[]

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
 * `invalid-definition` when two definitions name one type, or a reserved one.
 */
export async function startNode(options: NodeOptions): Promise<Node> {
  const { namespace, store: backend, id = newNodeId(), log = silentLog() } = options
  checkNodeId(id)
  const { actors = [], reactors = [], projections = [], timers = 'active' } = options
  if (timers !== 'active' && timers !== 'passive')
    throw new CairnError(
      'invalid-option',
      `timers is ${show(timers)}: use 'active' or 'passive'.`,
    )
  const definitions = new DefinitionRegistry(actors)
  checkGroups(actors, reactors)
  checkProjections(projections)
  definitions.addBuiltIn(supervisor)
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
  const { actors = [], reactors = [], projections = [], timers = 'active' } = options
  const clock = options.clock ?? systemClock
  const writeLog = writeTo(log.child({ part: 'actor' }))
  const orders = new Directives({ store, log: writeLog })
  const dead = new FailedCommands()
  const escalated = deferred<void>()
  const closeOnEscalation = ({ actor, error }: Escalation) => {
    log.fatal(
      { actor: formatAddress(actor), err: error },
      'an actor has failed; this node closes',
    )
    escalated.resolve()
  }
  const host = createActorHost({
    store,
    definitions,
    nodeId: id,
    clock,
    log: writeLog,
    directives: orders,
    failed: dead,
    onEscalation: options.onEscalation ?? closeOnEscalation,
    onStoredState: (actor, definition, reading) =>
      children.onState(actor, definition, reading),
    ...limitsOf(options),
  })
  const children = new Children({
    definitions: actors,
    nodeId: id,
    store,
    log: writeLog,
    // What only sends, or is not in the cluster yet, owns nothing.
    owns: actor => router?.isOurs(actor) === true,
    read: (actor, signal) => host.state(actor, { signal }),
    sender: () => sender(),
  })
  const fan = new NoticeFanout()
  const notices = await listen(
    open,
    host,
    orders,
    children,
    fan,
    log.child({ part: 'notices' }),
  )
  // Heard of before it is read: no order can fall between the two.
  await orders.load()
  const takesPart = options.serve !== false
  const self =
    takesPart && definitions.types.length + reactors.length + projections.length > 0
      ? memberOf(id, definitions, options)
      : undefined
  let router: Router | undefined
  let serving: Serving | undefined
  const countedHost = dead.countFailures(host)
  let countedRouter: CommandSender | undefined
  const sender = () => countedRouter ?? countedHost
  await registerTopics(open, actors, reactors, log)
  // Served before it is announced: who hears of this node finds it listening.
  if (self !== undefined)
    serving = await transport.serve(id, self.types, (request, { timeout }) =>
      carryOut(host, router, sender(), request, timeout),
    )
  const membership = await open.join(self)
  if (takesPart)
    router = new Router({
      nodeId: id,
      membership,
      transport,
      local: host,
      // What is Cairn's own belongs to no node: whoever is asked does it.
      hosts: type => isReservedType(type) || self?.types.includes(type) === true,
    })
  if (router !== undefined) countedRouter = dead.countFailures(router)
  const transactor = new Transactor({
    store,
    nodeId: id,
    clock,
    log: writeTo(log.child({ part: 'transactions' })),
    checkDefinition: definition => checkKnown(definitions, definition),
    directives: (actor, signal) => orders.now(actor, signal),
    onStored(part) {
      host.onCommit(part)
      children.onCommit(part.actor)
    },
  })
  const keeper = keeperOf(open, { nodeId: id, clock }, () => closed !== undefined)
  const ports: Omit<RefPorts, 'sender' | 'durableSender'> = {
    store,
    local: host,
    skips: async (actor, signal) => (await orders.now(actor, signal)).skips,
  }
  const groups: RunningGroups =
    self === undefined
      ? noGroups
      : startGroups(open, {
          self,
          membership,
          // Not counted as dead: what fails here is tried again.
          sender: { ...bound(router ?? host), ...keeper },
          ports,
          notices: fan,
          reactors,
          timers,
          clock,
          log,
        })
  const projecting = startProjections(open, {
    nodeId: id,
    projections,
    membership,
    notices: fan,
    log,
    serves: self !== undefined,
  })
  const consumers = startConsumers(open, { notices: fan, clock, log })
  const clusterLog = log.child({ part: 'cluster' })
  membership.onChange(({ joined, left, dead }) => {
    // What is another node's now is woken there; here it would only take room.
    host.dismiss(actor => router === undefined || router.isOurs(actor))
    const ids = (members: readonly Member[]) => members.map(member => member.id)
    clusterLog.info(
      { joined: ids(joined), left: ids(left), dead: ids(dead) },
      'members changed',
    )
  })
  if (router !== undefined) {
    membership.onChange(() => children.onMembershipChange())
    children.onMembershipChange()
  }
  log.info({ store: options.store.kind, actors: definitions.types }, 'node ready')

  let closed: Promise<void> | undefined
  const close = async (timeout = closeTimeoutDefault) => {
    const deadline = performance.now() + timeout
    // 0. Hand the lanes over while this node still takes part: the next owners begin at once.
    children.close()
    await Promise.all([
      groups.stop(timeout / 2),
      projecting.stop(timeout / 2),
      consumers.stop(timeout / 2),
    ])
    // 1. Let the others know, take nothing more from outside, and answer what has come.
    await membership.leave()
    const stopping = Promise.resolve(serving?.stop())
    const inTime = new AbortController()
    void stopping.finally(() => inTime.abort())
    await Promise.race([stopping, pause(timeout, inTime.signal)])
    // 2. Finish what this process itself has sent; what is late is answered now.
    const left = () => Math.max(0, deadline - performance.now())
    await Promise.all([
      host.close({ timeout: left() }),
      router?.close(left()),
      transactor.close(left()),
    ])
    await stopping
    // 3. Go.
    orders.close()
    await membership.close()
    await open.close()
  }
  const closeOnce = (within: { readonly timeout?: number } = {}) =>
    (closed ??= close(within.timeout))
  escalated.promise
    .then(() => closeOnce())
    .catch((error: unknown) => log.error({ err: error }, 'the node could not be closed'))

  return {
    id,
    namespace,
    store,
    bus,
    spawn: (definition, actorId) => {
      checkKnown(definitions, definition)
      return actorRef(definition, actorId, {
        sender: sender(),
        durableSender: keeper,
        ...ports,
      })
    },
    ask: (actor, command, data, sendOptions) =>
      sender().ask(actor, command, data, sendOptions),
    send: (actor, command, data, sendOptions) =>
      keeper.send(actor, command, data, sendOptions),
    publish: async (topic, data, publishOptions) => {
      if (closed !== undefined) throw nodeClosing()
      const from = { nodeId: id, clock }
      return putMessage(open.queues.topic, from, topic, data, publishOptions)
    },
    transact: transactor.transact,
    deadLetters: deadLetterBox(open),
    projection: projection => projecting.reader(projection),
    consumer: consumers.consumer,
    trigger: consumers.trigger,
    state: (actor, { version, ...rest } = {}) => readState(host, actor, version, rest),
    supervise: actor =>
      supervise(actor, {
        store,
        sender: host,
        nodeId: id,
        onDirective: (supervisorId, version) => orders.onCommit(supervisorId, version),
        read: async (address, bounds) =>
          definitions.types.includes(address.type)
            ? host.state(address, bounds)
            : ((await transport.request(
                { kind: 'state', actor: address },
                bounds,
              )) as StateReading),
      }),
    subscribeToEventStored: (handler, subscribeOptions) =>
      bus.subscribeToEventStored(namespace, handler, subscribeOptions),
    timers: listOptions => open.timers.list(listOptions),
    members: () => membership.members(),
    stats: () => ({
      actors: host.stats(),
      cache: store.cacheStats(),
      notices: notices.stats(),
      router: router?.stats() ?? noRouting,
      ...groups.stats(),
      children: children.stats(),
      dead: dead.stats(),
      transactions: transactor.stats(),
      projections: projecting.stats(),
      ...(open.groupCommit !== undefined && { groupCommit: open.groupCommit() }),
    }),
    close: closeOnce,
    [Symbol.asyncDispose]: () => closeOnce(),
  }
}

/** P5: what others store raises this node's version cache and wakes its residents' attention. */
async function listen(
  open: OpenNamespace,
  host: ActorHost,
  orders: Directives,
  children: Children,
  fan: NoticeFanout,
  log: Logger,
): Promise<Subscription> {
  const { namespace, store, bus } = open
  return bus.subscribeToCommits(
    namespace,
    notice => {
      const { actor, position, header, previousPosition } = notice
      const { firstVersion, lastVersion } = header
      const predecessor =
        previousPosition === undefined
          ? undefined
          : { version: firstVersion - 1, position: previousPosition }
      store.updateVersionCache(actor, lastVersion, position, predecessor)
      host.onCommit({ actor, version: lastVersion, position })
      children.onCommit(actor, header.nodeId)
      if (actor.type === supervisorType) orders.onCommit(actor.id, lastVersion)
      fan.deliver(notice)
    },
    {
      onInterrupted: reason => {
        log.warn({ reason }, 'notices may have been missed; caches are unverified')
        store.markCacheUnverified()
        host.markUnverified()
        orders.markUnverified()
        fan.interrupted(reason)
      },
      onHandlerError: error =>
        log.error({ err: error }, 'a notice could not be taken in'),
    },
  )
}

/** Stores commands for actors, until the node closes. */
function keeperOf(
  { queues, partitions }: OpenNamespace,
  from: { readonly nodeId: string; readonly clock: Clock },
  isClosed: () => boolean,
): DurableCommandSender {
  return {
    async send(actor, type, data, options) {
      if (isClosed()) throw nodeClosing()
      return putCommand(queues.inbox, partitions, from, actor, type, data, options)
    },
  }
}

function nodeClosing(): CairnError {
  return new CairnError('node-closed', 'This node is closing: send by another one.')
}

/** The two ways of a sender, whichever class it is of. */
function bound(sender: CommandSender): CommandSender {
  return { ask: sender.ask.bind(sender), tell: sender.tell.bind(sender) }
}

/** The host's limits, as far as they are given. */
function limitsOf({ residentsMax, residentBytesMax, wakesMax }: NodeOptions) {
  return {
    ...(residentsMax !== undefined && { residentsMax }),
    ...(residentBytesMax !== undefined && { residentBytesMax }),
    ...(wakesMax !== undefined && { wakesMax }),
  }
}

const noRouting: RouterStats = { local: 0, remote: 0, redirects: 0, resent: 0 }

function memberOf(
  id: string,
  { types }: DefinitionRegistry,
  { weight = 1, metadata = {}, reactors = [], projections = [], timers }: NodeOptions,
): Member {
  if (!(weight > 0 && Number.isFinite(weight)))
    throw new CairnError(
      'invalid-option',
      `weight is ${weight}: use a number greater than 0.`,
    )
  return {
    id,
    types,
    groups: [...groupNames(reactors, timers), ...projectionGroups(projections)],
    weight,
    metadata,
    version: packageVersion,
    incarnation: Date.now(),
  }
}

/** A request that came through the transport: from a router, or from who knows no owners. */
async function carryOut(
  host: ActorHost,
  router: Router | undefined,
  sender: CommandSender,
  request: NodeRequest,
  timeout: number,
): Promise<unknown> {
  const actor = checkAddress(request.actor)
  if (request.kind === 'state') {
    const { version, freshness } = request
    return readState(host, actor, version, { timeout, freshness })
  }
  const { command, data, commandId, sentAt, since, saidAt, firing } = request
  const options: RedeliveryOptions = {
    timeout,
    ...(commandId !== undefined && { commandId }),
    ...(sentAt !== undefined && { sentAt }),
    ...(since !== undefined && { notHandledAt: since }),
    ...(saidAt !== undefined && { commitPosition: saidAt }),
    ...(firing !== undefined && { firing }),
    ...definedCauses(request),
  }
  if (request.hops === undefined) return sender.ask(actor, command, data, options)
  router?.checkOwner(actor, request.hops, request.gone)
  if (request.isTold === true) return host.tell(actor, command, data, options)
  return host.ask(actor, command, data, options)
}

/** The present, or a version of the past. */
async function readState(
  host: ActorHost,
  actor: ActorAddress,
  version: number | undefined,
  options: StateOptions,
): Promise<StateReading> {
  if (version === undefined) return host.state(actor, options)
  if (options.freshness === undefined) return host.stateAt(actor, version, options)
  throw new CairnError(
    'invalid-option',
    `Version ${version} is the past, and freshness is about the present: pass one of the two.`,
  )
}

/** A type that this node does not host is another node's; one that it hosts is of one definition. */
function checkKnown(definitions: DefinitionRegistry, definition: ActorDefinition): void {
  const { type } = definition
  if (definitions.types.includes(type) && definitions.get(type) !== definition)
    throw new CairnError(
      'unknown-actor-type',
      `This node hosts another definition of actor type ${show(definition.type)}: ` +
        'spawn with the one that was passed to startNode({ actors }).',
    )
}

const closeTimeoutDefault = 10_000

function newNodeId(): string {
  return `n-${newId().slice(0, 8)}`
}
