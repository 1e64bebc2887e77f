// The door `cairn-es/store`: the ports of a namespace, for implementers of stores and of tools.

// Backends
export type { Backend, OpenNamespace, OpenOptions, Queues } from '../backend/backend.js'

// The event store
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
} from '../store/event-store/event-store.js'
export type {
  CachedHead,
  VersionCacheLimits,
  Predecessor,
} from '../store/version-cache.js'
export type { ConnectionChange } from '../nats/connection-state.js'

// What the log holds
export {
  type BatchedCommand,
  type Causes,
  type CommitExtras,
  type CommitFields,
  type CommitHeader,
  type CommitSlice,
  commitSlicesOf,
  type CommittedCommand,
  type InlineState,
  type LogRecord,
  type MalformedRecord,
  type NewCommit,
  type StoredCommit,
} from '../model/commit.js'
export type { NewEvent } from '../model/event.js'
export type { ExpectedVersion } from '../model/version.js'
export type {
  OutboxCommand,
  OutboxEntry,
  OutboxMessage,
  OutboxPerform,
  OutboxStop,
  OutboxTimer,
  OutboxTimerCancel,
} from '../model/outbox.js'
export type { PendingWork, WorkEnded, WorkRetry, WorkTerms } from '../model/work.js'

// Values as bytes, as the log has them
export { decode as decodeValue, encode as encodeValue } from '../codec/msgpack.js'

// What an event store is made of
export { checkActorType, checkAddress } from '../model/address.js'
export { encodeCommit, encodedBytes } from '../codec/envelope.js'
export { checkAppend, nextCommit } from '../store/event-store/append.js'
export { checkCommitsOptions } from '../store/event-store/read.js'
export { StoreBase, type StoreOptions } from '../store/event-store/store-base.js'
export {
  checkTransaction,
  checkTransactionBytes,
  partCommit,
} from '../store/event-store/transaction.js'

// Queues, timers and documents beside the log
export type {
  NewRecord,
  PutOptions,
  PutResult,
  Queue,
  QueueKey,
  QueueName,
  QueueReadOptions,
  QueueRecord,
} from '../store/queue/queue.js'
export type { Timers } from '../store/timers/timers.js'
export type { TimerGeneration } from '../model/timer.js'
export type {
  Damage,
  DamageFinding,
  DamageListener,
  DamageProblem,
  DamageReports,
} from '../model/damage.js'
export type { Document, DocumentKey, Documents } from '../store/documents/documents.js'

// Projections
export type {
  ProjectedEvent,
  ProjectionFolds,
  ProjectionSource,
  ProjectionSpecOf,
  RowsOfEvents,
  RowsOfStates,
  StatesProjectionSpec,
} from '../projection/define-projection.js'
export type {
  ProjectedState,
  ProjectedStateOf,
  StatesOf,
} from '../projection/states-of.js'

export type {
  RowBound,
  RowFilter,
  RowsPage,
  RowsQuery,
} from '../projection/rows-query.js'
export type { WaitOptions, WatchedRow } from '../projection/reader.js'

// Read models
export type {
  Checkpoint,
  ReadModel,
  ReadModels,
  ReadModelWrite,
  RowRange,
  StoredCheckpoint,
} from '../store/read-models/read-models.js'

// Notices
export type { InterruptionReason, NoticeBus } from '../bus/bus.js'
export type { CommitStored } from '../bus/notice.js'

// Clusters
export type { Membership, MembershipChange } from '../cluster/membership.js'
export type { HeartbeatOptions, RosterLimits } from '../cluster/roster.js'
export type {
  AskRequest,
  NodeRequest,
  RequestHandler,
  RequestOptions,
  Serving,
  StateRequest,
  WarmRequest,
  CheckRequest,
  DescribeRequest,
  Transport,
} from '../cluster/transport.js'

// Commands, schemas and errors
export type { CommandArguments } from '../actor/definition-types.js'
export type { ActorSchemas, SchemaMap } from '../actor/schemas.js'
export type { UpcastStep, UpcastSteps } from '../actor/upcast.js'
export type { PerformOptions } from '../actor/perform.js'
export type { AnyWork, Work, WorkContext, WorkError, WorkOptions } from '../actor/work.js'
export type {
  CommandSender,
  DurableCommandSender,
  RedeliveryOptions,
} from '../model/command-sender.js'
export type { Redelivery } from '../model/redelivery.js'
export type { SchemaIssue, SchemaResult } from '../model/schema.js'
export type { CairnErrorOptions } from '../model/errors.js'
export type { Mark } from '../model/mark.js'
