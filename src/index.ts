// The public door: every name that users may rely on, listed by hand and grouped by noun.

// Nodes
export { type Node, type NodeOptions, type NodeStats, startNode } from './start.js'

// Where a namespace lives
export type { Backend, OpenNamespace, OpenOptions } from './backend/backend.js'
export { embedded, type EmbeddedOptions } from './backend/embedded.js'
export { jetstream, type JetStreamOptions } from './backend/jetstream.js'
export type { GroupCommitMode, GroupCommitStats } from './nats/group-commit.js'
export { memory } from './backend/memory.js'

// Actors
export {
  type ActorDefinition,
  type ActorOptions,
  type ActorSpec,
  type AnyActorDefinition,
  type CommandShape,
  type DecideEffects,
  type DecideResult,
  defineActor,
  type EmittedEvent,
  event,
  reject,
  type Rejected,
  type StateReader,
} from './actor/define.js'
export type { ActorRef, RefOf } from './actor/ref.js'
export type {
  CommandArguments,
  CommandNameOf,
  OutcomeOf,
  RecordedEventOf,
  StateOf,
} from './actor/types.js'
export type {
  Aborted,
  DecidedIn,
  LoadOptions,
  Transacted,
  Transaction,
  TransactOptions,
  TransactOutcome,
  Undone,
} from './actor/transaction.js'
export type { TransactionStats } from './actor/transactor.js'
export type { Watched, WatchOptions } from './actor/watch.js'
export type { ChildrenStats } from './actor/children.js'
export type { ActorHostStats, Escalation, StateOptions } from './actor/host.js'
export type { SupervisionOptions } from './actor/policy.js'
export type { OrderOptions, OrderOutcome, Supervision } from './actor/supervise.js'
export type { Pause, SupervisionState } from './actor/supervisor.js'
export type { VersionRange } from './actor/skips.js'
export type { StateReading } from './actor/actor.js'
export type {
  Accepted,
  Afterwards,
  Behavior,
  Command,
  DecideContext,
  Decision,
  Refused,
  Rejection,
} from './model/behavior.js'
export type { Child, ChildEnd, ChildPorts, RunningChild } from './model/child.js'
export type { Clock } from './model/clock.js'
export type { Freshness } from './model/freshness.js'
export type {
  AskOutcome,
  Carried,
  CommandKeeper,
  CommandSender,
  Declined,
  SendOptions,
  SendReceipt,
} from './model/sender.js'

// Machines
export { fromMachine } from './machine/from-machine.js'
export { actorAt, type DurableTarget, type SentTo } from './machine/actor-at.js'
export type {
  EmitsOf,
  LateDelay,
  MachineChild,
  MachineCommands,
  MachineDefinition,
  MachineEvents,
  MachineMigration,
  MachineOptions,
  MachineRefMethods,
  MachineRefusal,
  MachineReply,
  MachineState,
  MachineTimer,
  MachineTimers,
  PayloadOf,
} from './machine/types.js'

// Messages
export {
  cancel,
  type Effect,
  publish,
  schedule,
  send,
  type TimerOptions,
} from './actor/effects.js'
export {
  type AnyTopic,
  defineTopic,
  type MessageData,
  type MessageInput,
  type Topic,
} from './model/topic.js'
export type { SchemaIssue, SchemaResult, StandardSchema } from './model/schema.js'
export type {
  Said,
  SaidCancel,
  SaidCommand,
  SaidMessage,
  SaidTimer,
} from './model/said.js'
export type { Firing, Generation, Timer } from './model/timer.js'
export type { ListTimersOptions } from './timers/timers.js'
export {
  defineReactor,
  type Reactor,
  type ReactorContext,
  type ReactorMiddleware,
  type ReactorSpec,
} from './reactor/define-reactor.js'
export { eventsOf } from './reactor/events-of.js'
export type { Message } from './reactor/message.js'
export type { Published, PublishOptions } from './reactor/topics.js'
export type { Backoff } from './reactor/backoff.js'
export {
  type RetryOptions,
  type RetryPolicy,
  type RetryPreset,
  RetryableError,
  TerminalError,
} from './reactor/retry.js'
export type { Breadcrumb, DeadMark } from './reactor/breadcrumbs.js'
export type { Settling } from './reactor/settlement.js'
export type { DeadError } from './codec/dead-letter.js'
export type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterListOptions,
  DeadReason,
  RedriveOptions,
} from './reactor/dead-letters.js'
export type { DeadLetterAllOptions, DeadLetterBox } from './reactor/dead-letter-box.js'
export type { CourierStats } from './reactor/courier.js'
export type { InboxStats } from './reactor/inbox.js'
export type { GroupStats } from './reactor/group.js'
export type { FiringStats } from './reactor/firing.js'
export type { GroupsStats, TimersOption } from './node-groups.js'

// Projections
export {
  defineProjection,
  type ProjectedEvent,
  type Projection,
  type ProjectionFolds,
  type ProjectionSpec,
} from './projection/define-projection.js'
export type { StuckAt } from './projection/builder.js'
export type { BuildStats, ProjectionStats } from './projection/runner.js'
export type {
  AtPosition,
  BuildStatus,
  ProjectionReader,
  ProjectionReadOptions,
  ProjectionStatus,
} from './projection/reader.js'
export type {
  Place,
  ReadModel,
  ReadModels,
  ReadModelWrite,
  StoredPlace,
} from './read-models/read-models.js'

// Pulling messages, and handing them to a function
export {
  type ConsumerDefinition,
  type ConsumerSpec,
  defineConsumer,
} from './consume/define-consumer.js'
export type {
  ConsumedMessage,
  ConsumeOptions,
  Consumer,
  ConsumerStatus,
} from './consume/consumer.js'
export type {
  Trigger,
  TriggerHandler,
  TriggerOptions,
  TriggerStats,
} from './consume/trigger.js'

// What a config file declares
export {
  type BrokerSpec,
  type Config,
  type ConfigSpec,
  type ConsumerEntry,
  type StreamSpec,
} from './config/config.js'
export { brokerOf } from './config/broker.js'
export { loadConfig } from './config/load.js'

// Events and the store
export type { ActorAddress } from './model/address.js'
export { formatAddress, parseAddress } from './model/address.js'
export type {
  Causes,
  Act,
  CommittedCommand,
  PackedCommand,
  FoldedState,
  LogRecord,
  MalformedRecord,
  StoredCommit,
} from './model/commit.js'
export { actsOf } from './model/commit.js'
export type { Metadata, NewEvent, RecordedEvent } from './model/event.js'
export type { ExpectedVersion, Position, Version } from './model/version.js'
export type {
  AppendAllConflict,
  AppendAllOptions,
  AppendAllResult,
  Appended,
  AppendedAll,
  AppendOptions,
  AppendPart,
  AppendResult,
  CommitsOptions,
  EventStore,
  FollowOptions,
  Guard,
  Head,
  ReadAllOptions,
  ReadOptions,
  VersionConflict,
} from './store/store.js'
export type {
  Predecessor,
  VersionCacheLimits,
  VersionCacheStats,
} from './store/version-cache.js'

// Notices
export type {
  InterruptionReason,
  NoticeBus,
  SubscribeOptions,
  Subscription,
  SubscriptionStats,
} from './bus/bus.js'
export type { CommitStored, EventStored } from './bus/notice.js'
export type { CommitHeader } from './codec/envelope.js'

// Clusters
export type { Member, Membership, MembershipChange } from './cluster/membership.js'
export type { HeartbeatOptions, RosterLimits } from './cluster/roster.js'
export type { RouterStats } from './cluster/router.js'
export type { Candidate } from './cluster/placement.js'

// Errors
export {
  CairnError,
  type CairnErrorOptions,
  type ErrorCode,
  isCairnError,
} from './model/errors.js'
