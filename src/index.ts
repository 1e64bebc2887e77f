// The public door: every name that users may rely on, listed by hand and grouped by noun.

// Nodes
export type { GroupsStats, Node, NodeStats } from './runtime/node.js'
export type { NodeOptions, TimersOption } from './runtime/options.js'
export { startNode } from './runtime/start-node.js'

// Where a namespace lives
export type { Backend, OpenNamespace, OpenOptions } from './backend/backend.js'
export { embedded, type EmbeddedOptions } from './backend/embedded.js'
export { jetstream, type JetStreamOptions } from './backend/jetstream.js'
export type { GroupCommitMode, GroupCommitStats } from './nats/group-commit.js'
export { memory } from './backend/memory.js'

// Actors
export type {
  ActorDefinition,
  ActorOptions,
  AnyActorDefinition,
  CommandShape,
  StateReader,
} from './actor/definition.js'
export { type ActorSpec, defineActor } from './actor/define-actor.js'
export type { EventsAndReply, DecideResult } from './actor/handler-types.js'
export { type EmittedEvent, event } from './actor/event.js'
export { reject, type RejectResult } from './actor/reject.js'
export type { ActorRef, RefOf } from './actor/ref.js'
export type {
  CommandArguments,
  CommandNameOf,
  OutcomeOf,
  RecordedEventOf,
  StateOf,
} from './actor/definition-types.js'
export type {
  AbortResult,
  TransactionAskOutcome,
  TransactionLoadOptions,
  TransactionCommitted,
  Transaction,
  TransactOptions,
  TransactOutcome,
  TransactionAborted,
} from './actor/transaction.js'
export type { TransactionStats } from './actor/transactor.js'
export type { WatchedEvent, WatchOptions } from './actor/watch.js'
export type { ChildrenStats } from './actor/children.js'
export type { ActorHostStats, Escalation } from './actor/actor-host.js'
export type { StateOptions } from './actor/definition.js'
export type { SupervisionOptions } from './actor/supervision-policy.js'
export type {
  DirectiveOptions,
  DirectiveOutcome,
  Supervision,
} from './actor/supervise.js'
export type { ActorPause, SupervisionState } from './actor/supervisor.js'
export type { VersionRange } from './actor/skips.js'
export type { StateReading } from './actor/definition.js'
export type {
  AcceptedDecision,
  AfterCommitContext,
  Behavior,
  Command,
  DecideContext,
  Decision,
  RejectedDecision,
  Rejection,
} from './model/behavior.js'
export type { ChildSpec, ChildEnd, ChildContext, RunningChild } from './model/child.js'
export type { Clock } from './model/clock.js'
export type { Freshness } from './model/freshness.js'
export type {
  AskOutcome,
  AcceptedOutcome,
  DurableCommandSender,
  CommandSender,
  RejectedOutcome,
  SendOptions,
  SendReceipt,
} from './model/command-sender.js'

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
  OutboxEntry,
  OutboxTimerCancel,
  OutboxCommand,
  OutboxMessage,
  OutboxTimer,
} from './model/outbox.js'
export type { TimerFiring, TimerGeneration, Timer } from './model/timer.js'
export type { ListTimersOptions } from './store/timers/timers.js'
export {
  defineReactor,
  type Reactor,
  type ReactorContext,
  type ReactorMiddleware,
  type ReactorSpec,
} from './delivery/reactor/define-reactor.js'
export { eventsOf } from './delivery/messages/events-of.js'
export type { Message } from './delivery/messages/message.js'
export type { Published, PublishOptions } from './delivery/messages/topics.js'
export type { Backoff } from './delivery/backoff.js'
export {
  type RetryOptions,
  type RetryPolicy,
  type RetryPreset,
  RetryableError,
  TerminalError,
} from './delivery/reactor/retry.js'
export type {
  AttemptRecord,
  DeadLetterMark as DeadMark,
} from './delivery/reactor/attempt-log.js'
export type { Settling } from './delivery/reactor/settlement.js'
export type { DeadLetterError } from './codec/dead-letter.js'
export type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterListOptions,
  DeadLetterReason,
  RedriveOptions,
} from './delivery/dead-letters/dead-letters.js'
export type {
  DeadLetterAllOptions,
  DeadLetterBox,
} from './delivery/dead-letters/dead-letter-box.js'
export type { CourierStats } from './delivery/commands/courier.js'
export type { InboxStats } from './delivery/commands/inbox.js'
export type { GroupStats } from './delivery/group/group.js'
export type { DueTimersStats } from './delivery/commands/due-timers.js'

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
  Checkpoint,
  ReadModel,
  ReadModels,
  ReadModelWrite,
  StoredCheckpoint,
} from './store/read-models/read-models.js'

// Pulling messages, and handing them to a function
export {
  type ConsumerDefinition,
  type ConsumerSpec,
  defineConsumer,
} from './delivery/consumer/define-consumer.js'
export type {
  ConsumedMessage,
  ConsumeOptions,
  Consumer,
  ConsumerStatus,
} from './delivery/consumer/consumer.js'
export type {
  Trigger,
  TriggerHandler,
  TriggerOptions,
  TriggerStats,
} from './delivery/consumer/trigger.js'

// What a config file declares
export {
  type BrokerSpec,
  type Config,
  type ConfigSpec,
  type ConsumerEntry,
  type StreamSpec,
} from './program/config/config.js'
export { brokerOf } from './program/config/broker.js'
export { loadConfig } from './program/config/load.js'

// Events and the store
export type { ActorAddress } from './model/address.js'
export { formatAddress, parseAddress } from './model/address.js'
export type {
  Causes,
  CommitSlice,
  CommittedCommand,
  BatchedCommand,
  InlineState,
  LogRecord,
  MalformedRecord,
  StoredCommit,
} from './model/commit.js'
export { commitSlicesOf } from './model/commit.js'
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
} from './store/event-store/event-store.js'
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
