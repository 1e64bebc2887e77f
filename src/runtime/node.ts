// The public types of a running node.

import type { AnyActorType } from '../actor/contract.js'
import type {
  AnyActorDefinition,
  StateOptions,
  StateReading,
} from '../actor/definition.js'
import type { CairnError } from '../model/errors.js'
import type { ChildrenStats } from '../actor/children.js'
import type { ActorHostStats } from '../actor/actor-host.js'
import type { RefOf } from '../actor/ref.js'
import type { Supervision } from '../actor/supervise.js'
import type {
  Transaction,
  TransactOptions,
  TransactOutcome,
} from '../actor/transaction.js'
import type { TransactionStats } from '../actor/transactor.js'
import type { WatchesStats } from '../actor/watches.js'
import type {
  NoticeBus,
  SubscribeOptions,
  Subscription,
  SubscriptionStats,
} from '../bus/bus.js'
import type { EventStored } from '../bus/notice.js'
import type { Member } from '../cluster/membership.js'
import type { RouterStats } from '../cluster/router.js'
import type { CourierStats } from '../delivery/commands/courier.js'
import type { DueTimersStats } from '../delivery/commands/due-timers.js'
import type { InboxStats } from '../delivery/commands/inbox.js'
import type { Backlog, BacklogOptions } from '../delivery/backlog.js'
import type { Consumer } from '../delivery/consumer/consumer.js'
import type { ConsumerDefinition } from '../delivery/consumer/define-consumer.js'
import type {
  Trigger,
  TriggerHandler,
  TriggerOptions,
} from '../delivery/consumer/trigger.js'
import type { DeadLetterQueue } from '../delivery/dead-letters/dead-letter-queue.js'
import type { GroupStats } from '../delivery/group/group.js'
import type { Reactor } from '../delivery/reactor/define-reactor.js'
import type { Published, PublishOptions } from '../delivery/messages/publish-message.js'
import type { ActorAddress } from '../model/address.js'
import type { Damage } from '../model/damage.js'
import type {
  AskOptions,
  AskOutcome,
  SendOptions,
  SendReceipt,
} from '../model/command-sender.js'
import type { Timer } from '../model/timer.js'
import type { Topic } from '../model/topic.js'
import type { ConnectionStats } from '../nats/connection-state.js'
import type { GroupCommitStats } from '../nats/group-commit.js'
import type { NodeActivity, SettledOptions } from './activity.js'
import type { HealthOptions, NodeHealth } from './health.js'
import type { NodeEventListener, NodeEventName } from './node-events.js'
import type { Projection } from '../projection/define-projection.js'
import type { ProjectionReader, ProjectionStatus } from '../projection/reader.js'
import type { ProjectionStats } from '../projection/runner.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { ListTimersOptions } from '../store/timers/timers.js'
import type { VersionCacheStats } from '../store/version-cache.js'

export interface ConsumersStats {
  /** Consumers whose sources were not those that they had read, since the start: they were restored. */
  readonly setBack: number
  /** Consumers whose documents were damaged, since the start. */
  readonly damaged: number
}

/** What the groups of this node do: one consumer group for each kind of work. */
export interface GroupsStats {
  /** Durable commands, as far as this node delivers them to their actors. */
  readonly inbox: InboxStats
  /** Commands in commits, as far as this node delivers them. */
  readonly courier: CourierStats
  /** Due timers, as far as this node sends their commands; none where it is passive. */
  readonly timers: DueTimersStats
  /** By the reactor's name. */
  readonly reactors: Readonly<Record<string, GroupStats>>
}

export interface NodeStats extends GroupsStats {
  readonly actors: ActorHostStats
  readonly cache: VersionCacheStats
  readonly notices: SubscriptionStats
  /** Loops over `watch` of references on this node. */
  readonly watches: WatchesStats
  readonly router: RouterStats
  /**
   * Commands that ended in an error since the start, by its code: commands sent through this
   * node, and told commands that failed on it after it had accepted them. Each counts on one node.
   */
  readonly dead: Readonly<Record<string, number>>
  /** Children that run beside the actors of this node. */
  readonly children: ChildrenStats
  /** Transactions that this node was asked for. */
  readonly transactions: TransactionStats
  /** By the projection's name, for the projections that this node builds. */
  readonly projections: Readonly<Record<string, ProjectionStats>>
  /** Damage beside the log that this node has noticed since it started; at most the last 100 places. */
  readonly damage: readonly Damage[]
  /**
   * Dead letters that this node has stored since it started, by their reason; `other` for the reasons of an application.
   */
  readonly deadLetters: Readonly<Record<string, number>>
  /** Consumers that this node has used. */
  readonly consumers: ConsumersStats
  /** On JetStream: commits that were sent to the server as one batch. */
  readonly groupCommit?: GroupCommitStats
  /** On JetStream: what the connection to NATS is like now. */
  readonly connection?: ConnectionStats
}

/** What a node was started with. */
export interface NodeDefinitions {
  readonly actors: readonly AnyActorDefinition[]
  readonly reactors: readonly Reactor[]
  readonly projections: readonly Projection[]
}

/** One process's part of a namespace. */
export interface Node extends AsyncDisposable {
  readonly id: string
  readonly namespace: string
  readonly store: EventStore
  readonly bus: NoticeBus

  /**
   * A typed reference to an actor; nothing is read or created until it is used.
   * The type may be one that only other nodes host. With a contract, the reference only sends commands. Throws `invalid-actor-id`, or
   * `unknown-actor-type` for another definition of a type that this node hosts.
   */
  spawn<Definition extends AnyActorType>(
    definition: Definition,
    id: string,
  ): RefOf<Definition>

  /** Sends a command by names, for tools; code uses `spawn(…).ask`. */
  ask(
    actor: ActorAddress,
    command: string,
    data?: unknown,
    options?: AskOptions,
  ): Promise<AskOutcome>

  /** Stores a command by names, for tools; code uses `spawn(…).send`. */
  send(
    actor: ActorAddress,
    command: string,
    data?: unknown,
    options?: SendOptions,
  ): Promise<SendReceipt>

  /**
   * Publishes a message: it is stored, and each reactor that reads the topic handles it once, now
   * or when a node runs that reactor. Actors publish from `decide`. Throws `invalid-message`,
   * `invalid-data` or `store-unreachable` when it is not stored, and `outcome-unknown` when that is
   * not known: publish it again then, with the same `id`.
   */
  publish<Input>(
    topic: Topic<Input>,
    data: Input,
    options?: PublishOptions,
  ): Promise<Published>

  /**
   * Loads, decides and commits over several actors: all of it is stored, or nothing. The function
   * runs again when one of the actors has a new commit meanwhile, so it must have no effects of
   * its own; it uses the `tx` that it is given.
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
   * Throws what the function throws, `contention` after conflicts in all `attempts`,
   * `commit-too-large` beyond 100 actors or 8 MiB, `invalid-option`, `invalid-data` (the value),
   * `outcome-unknown` (call it again with `details.transactionId` as `id`, if the first actor it
   * loads is written), `aborted`, `deadline-exceeded`, `node-closed`, `queue-full`,
   * `actor-parked`, `server-too-old` or `store-unreachable`.
   */
  transact<Result>(
    work: (tx: Transaction) => Promise<Result> | Result,
    options?: TransactOptions,
  ): Promise<TransactOutcome<Result>>

  /**
   * Reads a projection. Any node reads it, also one that does not build it.
   *
   * ```ts
   * const stored = await node.spawn(account, 'alice').ask('deposit', { amount: 10 })
   * await node.projection(balances).waitFor(stored)
   * const row = await node.projection(balances).get('alice')
   * ```
   */
  projection<Row>(projection: Projection<Row>): ProjectionReader<Row>

  /**
   * A consumer, from which integration code pulls messages and settles them by token. It is given
   * by its definition, or by the name of one that any process has declared.
   */
  consumer(declared: ConsumerDefinition | string): Consumer

  /**
   * A consumer whose messages are passed to a function. Nothing is passed before `start()`; it
   * stops with the node.
   */
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
   * An operator's directives for an actor: pause, resume, retry, skip. This node need not host
   * the actor's type. Throws `invalid-actor-type` or `invalid-actor-id`.
   */
  supervise(actor: ActorAddress): Supervision

  /** The actors in this node's memory that are parked: they fail every command, for the reason given. */
  parked(): readonly { readonly actor: ActorAddress; readonly error: CairnError }[]

  /** The messages that reactors of this namespace have dead-lettered. */
  readonly deadLetters: DeadLetterQueue

  /** Calls `handler` for each event stored in this namespace from now on, by any node. */
  subscribeToEventStored(
    handler: (notice: EventStored) => void,
    options?: SubscribeOptions,
  ): Promise<Subscription>

  /**
   * The pending timers, of all actors or of one. They are read page by page, so there may be any
   * number; timers that are set or fire meanwhile may be included or not.
   */
  timers(options?: ListTimersOptions): AsyncIterable<Timer>

  /** The members of the namespace's cluster, as this node sees them now. */
  members(): readonly Member[]

  /** What was passed to `startNode`. */
  readonly definitions: NodeDefinitions

  /** The backlog of each reactor of the namespace, as the store has it; with `all`, of commands, too. */
  backlogs(options?: BacklogOptions): AsyncIterable<Backlog>

  /** The builds of each projection of the namespace, and how far they are. */
  projectionStatuses(options?: {
    readonly signal?: AbortSignal
  }): AsyncIterable<ProjectionStatus>

  /**
   * Whether this node is ready for requests: its store answers, it has caught up with the log, and it is not closing.
   * Never throws.
   */
  health(options?: HealthOptions): Promise<NodeHealth>

  /**
   * Calls `listener` when something happens that needs attention: a dead letter was stored, an actor was parked, the
   * connection was lost or made again, a checkpoint is damaged. Returns a function that removes the listener.
   *
   * ```ts
   * node.on('dead-letter', ({ reactor, messageId, error }) => alert(reactor, messageId, error.message))
   * ```
   */
  on<Name extends NodeEventName>(
    name: Name,
    listener: NodeEventListener<Name>,
  ): () => void

  stats(): NodeStats

  /**
   * What this node has still to do of what is stored, in words, and when the next of what waits for its clock is due. It
   * looks once, with some reads of the store; it is for tests and tools.
   */
  activity(options?: { readonly signal?: AbortSignal }): Promise<NodeActivity>

  /**
   * Resolves when all that is stored has acted, as far as it is for this node to do: reactors and triggers have handled
   * their messages, actors the commands that were sent, stored or due, machines the ends of their promises; projections
   * have folded the log. What is not due yet is not waited for. For tests: in production, something is always stored. For
   * several nodes of one process, use `settled([a, b])` of `cairn-es/testing`. Throws `deadline-exceeded`, which says what
   * has not acted, or `aborted`.
   */
  settled(options?: SettledOptions): Promise<void>

  /**
   * Drains and leaves: accepts nothing more, finishes and answers what was accepted (for at most
   * `timeout` ms, default 10,000), then closes the store. A second call waits for the first.
   */
  close(options?: { readonly timeout?: number }): Promise<void>
}
