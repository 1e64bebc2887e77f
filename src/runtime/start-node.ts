// startNode(), the one composition root: it makes the capabilities of a node, starts them in order
// and stops them in reverse.

import { type AnyActorType, isContract } from '../actor/contract.js'
import type { Escalation } from '../actor/actor-host.js'
import { checkDefinition } from '../actor/check-definition.js'
import { actorRef } from '../actor/ref.js'
import { Watches } from '../actor/watches.js'
import { SerialExecutor } from '../delivery/group/serial-executor.js'
import { backlogs } from '../delivery/backlog.js'
import { deadLetterQueue } from '../delivery/dead-letters/dead-letter-queue.js'
import { type ActorAddress, formatAddress } from '../model/address.js'
import { checkOptions } from '../model/check-options.js'
import { defined } from '../model/defined.js'
import { type CommandSender, refuseSendOptions } from '../model/command-sender.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { deferred } from '../model/wait.js'
import { type Active, settled } from './activity.js'
import { activityOf } from './activity-of.js'
import { groupsOf, type Stage, startAll, statsOf, stopAll } from './capability.js'
import { actorsCapability, rebalancingCapability } from './capabilities/actors.js'
import { childrenCapability } from './capabilities/children.js'
import { consumersCapability } from './capabilities/consumers.js'
import { courierCapability } from './capabilities/courier.js'
import { directivesCapability, supervisionOf } from './capabilities/directives.js'
import { dueTimersCapability } from './capabilities/due-timers.js'
import type { GroupParts } from './capabilities/group.js'
import { inboxCapability } from './capabilities/inbox.js'
import { membershipCapabilities } from './capabilities/membership.js'
import { minimumVersionsCapability } from './capabilities/minimum-versions.js'
import { noticesCapability } from './capabilities/notices.js'
import { placesCapability } from './capabilities/places.js'
import { projectionsCapability } from './capabilities/projections.js'
import { reactorsCapability } from './capabilities/reactors.js'
import { routingCapability } from './capabilities/routing.js'
import { topicsCapability } from './capabilities/topics.js'
import { transactionsCapability } from './capabilities/transactions.js'
import { CaughtUp } from './caught-up.js'
import { contextOf, type NodeContext, registryOf } from './context.js'
import { durableSender } from './durable-sender.js'
import { healthReader } from './health.js'
import type { Node } from './node.js'
import { checkNodeOptions, type NodeOptions, type NodeSettings } from './options.js'
import { requestHandler, stateReader } from './requests.js'
import { visibleSender, visibleTransact } from './visible-sender.js'

const closeTimeoutDefault = 10_000

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
 * `server-too-old`, `no-jetstream`, `foreign-stream`, `foreign-directory`, …),
 * `invalid-definition` when two definitions name one type, or a reserved one, and `version-behind` when the
 * namespace needs a later version of an actor type.
 */
export async function startNode(options: NodeOptions): Promise<Node> {
  const settings = await checkNodeOptions(options)
  const definitions = registryOf(settings)
  const { namespace, id: nodeId, cache, create } = settings
  const open = await settings.store.open({
    namespace,
    nodeId,
    ...defined({ cache, create }),
  })
  let closed: Promise<void> | undefined
  const context = contextOf({
    settings,
    definitions,
    open,
    log: settings.log.child({ node: nodeId, namespace }),
    isClosing: () => closed !== undefined,
  })
  if (open.isNew === true)
    context.log.info({ store: settings.store.kind }, 'namespace created')
  try {
    const { stages, node, escalated } = assemble(context)
    await startAll(stages, closeTimeoutDefault)
    context.log.info(
      { store: settings.store.kind, actors: definitions.types },
      'node ready',
    )
    const close = async (options: { readonly timeout?: number } = {}) => {
      checkOptions('close', options, { timeout: true })
      const { timeout = closeTimeoutDefault } = options
      return (closed ??= stopAll(stages, timeout).then(() => open.close()))
    }
    escalated
      .then(() => close())
      .catch((error: unknown) =>
        context.log.error({ err: error }, 'the node could not be closed'),
      )
    return { ...node, close, [Symbol.asyncDispose]: () => close() }
  } catch (error) {
    await open.close()
    throw error
  }
}

interface Assembled {
  /** In the order in which they start; they stop in reverse. */
  readonly stages: readonly Stage[]
  readonly node: Omit<Node, 'close' | typeof Symbol.asyncDispose>
  /** Resolves when an actor fails whose failures close the node. */
  readonly escalated: Promise<void>
}

function assemble(context: NodeContext): Assembled {
  const { settings, open } = context
  const { id } = settings
  const { namespace, store, bus } = open
  const escalation = escalationOf(context)
  reportConnection(context)
  const checkKnown = (definition: AnyActorType) => checkHosted(context, definition)

  // Some capabilities need each other: what a capability needs of a later one is a function.
  const member = membershipCapabilities(context, {
    groups: () => groupsOf(stages),
    handle: (request, bounds) => handleRequest(request, bounds),
    handOver: timeout => routing.handOver(timeout),
  })
  const { membership } = member
  const routing = routingCapability(context, {
    host: () => actors.host,
    membership,
    onOwnerChange: actor => children.onOwnerChange(actor),
  })
  const beside = childrenCapability(context, {
    host: () => actors.host,
    membership,
    owns: routing.owns,
    wouldOwn: routing.wouldOwn,
    sender: routing.sender,
  })
  const { children } = beside
  const directing = directivesCapability(context)
  const { directives } = directing
  const watches = new Watches(store, () => open.connection?.().state === 'closed')
  const actors = actorsCapability(context, {
    directives,
    watches,
    versions: routing.versions,
    redirectTold: (...told) => routing.uncountedSender().tell(...told),
    children: () => children,
    onEscalation: settings.onEscalation ?? escalation.close,
  })
  const { host } = actors
  const read = stateReader(host, open.transport, open.store)
  const handleRequest = requestHandler({
    host,
    definitions: context.definitions,
    ...routing,
    read,
  })
  const known = { host, children, directives, watches }
  const transactions = transactionsCapability(context, {
    ...known,
    snapshots: actors.snapshots,
    versions: routing.versions,
    checkKnown,
  })
  const durable = durableSender(context)
  const skipsOf = async (actor: ActorAddress, signal?: AbortSignal) =>
    (await directives.now(actor, signal)).skips
  const visibly = (sender: CommandSender) => visibleSender(sender, projections.reader)
  const transact = visibleTransact({
    store,
    readerOf: projection => projections.reader(projection),
    transact: transactions.transact,
  })
  const refPorts: GroupParts['refPorts'] = {
    store,
    watches,
    local: host,
    around: context.outages.run,
    skips: skipsOf,
  }
  const parts: GroupParts = {
    membership,
    sender: () => ({ ...visibly(routing.uncountedSender()), send: durable.send }),
    refPorts,
    serialExecutor: new SerialExecutor(),
  }
  const projections = projectionsCapability(context, { membership, skipsOf })
  const consumers = consumersCapability(context)
  const minimum = minimumVersionsCapability(context)
  const topics = topicsCapability(context)
  const caughtUp = new CaughtUp()

  // Stopped from the last stage to the first:
  const stages: readonly Stage[] = [
    // 3. What all others need.
    [
      minimum,
      noticesCapability(context, { ...known, caughtUp, owns: routing.owns }),
      directing,
      topics,
      member.joining,
      minimum,
      placesCapability(context, { membership, registerAgain: topics.registerAgain }),
    ],
    // 2. Finish what this process itself has sent; what is late is answered now.
    [member.answering, transactions, routing, actors],
    // 1. Tell the other nodes, accept no more requests, and answer those that have come.
    [member.leaving],
    // 0. Hand over while this node is still a member: the next owners begin at once.
    [
      inboxCapability(context, parts),
      courierCapability(context, parts),
      dueTimersCapability(context, parts),
      reactorsCapability(context, parts),
      projections,
      consumers,
      rebalancingCapability(context, { host, membership, isKept: routing.keeps }),
      beside,
    ],
  ]

  const node: Assembled['node'] = {
    id,
    namespace,
    store,
    bus,
    spawn(definition, actorId) {
      checkKnown(definition)
      return actorRef(definition, actorId, {
        sender: visibly(routing.sender()),
        durableSender: durable,
        ...refPorts,
      })
    },
    ask: (actor, command, data, options) =>
      refuseSendOptions('ask', options) ??
      visibly(routing.sender()).ask(actor, command, data, options),
    send: (actor, command, data, options) =>
      refuseSendOptions('send', options) ?? durable.send(actor, command, data, options),
    publish: durable.publish,
    transact: (work, options) => context.outages.run(() => transact(work, options)),
    projection: projections.reader,
    consumer: consumers.consumer,
    trigger: consumers.trigger,
    state: (actor, { version, ...options } = {}) =>
      context.outages.run(() => read(actor, version, options)),
    supervise: actor => supervisionOf(context, host, directives, actor),
    parked: () => host.parked(),
    deadLetters: deadLetterQueue(open),
    subscribeToEventStored: (handler, options) =>
      bus.subscribeToEventStored(namespace, handler, options),
    timers(options = {}) {
      checkOptions('timers', options, { actor: true, signal: true })
      return open.timers.list(options)
    },
    members: () => membership().members(),
    definitions: definitionsOf(settings),
    backlogs(options = {}) {
      checkOptions('backlogs', options, {
        topic: true,
        all: true,
        lagLimits: true,
        signal: true,
      })
      const limits = defined({ lagLimits: settings.lagLimits })
      return backlogs(open, { ...limits, ...defined(options) }, () =>
        settings.clock.now(),
      )
    },
    projectionStatuses: projections.statuses,
    health: healthReader(context, { membership, caughtUp }),
    on: (name, listener) => context.events.on(name, listener),
    stats: () => statsOf(stages),
    activity: ({ signal } = {}) =>
      context.outages.run(() => activityOf(context, stages, signal)),
    settled: options => settled(whileOpen(context, node), options),
  }
  return { stages, node, escalated: escalation.promise }
}

/** The activity of a node until it closes: what it has still to do then is for others. */
function whileOpen({ isClosing }: NodeContext, node: Pick<Node, 'activity'>): Active {
  return {
    async activity(options) {
      const activity = await node.activity(options).catch((cause: unknown) => {
        if (!isClosing()) throw cause
        return { cause }
      })
      if (!isClosing() && !('cause' in activity)) return activity
      throw new CairnError(
        'node-closed',
        'The node closed while a caller waited until all that is stored has acted: wait on another node.',
        { cause: 'cause' in activity ? activity.cause : undefined },
      )
    },
  }
}

function definitionsOf({ actors, reactors, projections }: NodeSettings) {
  return Object.freeze({ actors, reactors, projections })
}

/** What happens by default when an actor fails whose policy is `'escalate'`: the node closes. */
function escalationOf({ log }: NodeContext) {
  const { promise, resolve } = deferred<void>()
  const close = ({ actor, error }: Escalation) => {
    log.fatal(
      { actor: formatAddress(actor), err: error },
      'an actor has failed; this node closes',
    )
    resolve()
  }
  return { promise, close }
}

/** Tells and logs when the connection is lost or made again. */
function reportConnection({ open, events, log }: NodeContext): void {
  open.onConnectionChange?.(change => {
    const server = open.connection?.().server ?? ''
    if (change === 'disconnected')
      log.warn({ server }, 'the connection to NATS is lost; it is being made again')
    else log.info({ server }, 'the connection to NATS is made again')
    events.emit(change, { server })
  })
}

/** A type that this node hosts has one definition; of other types it knows none. */
function checkHosted({ definitions }: NodeContext, definition: AnyActorType): void {
  if (isContract(definition)) return
  checkDefinition('spawn', definition)
  const { type } = definition
  if (definitions.types.includes(type) && definitions.get(type) !== definition)
    throw new CairnError(
      'unknown-actor-type',
      `This node hosts another definition of actor type ${show(type)}: ` +
        'spawn with the one that was passed to startNode({ actors }).',
    )
}
