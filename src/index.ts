// The main door: what an application writes with, listed by hand and grouped by noun. Types for
// stores, operation and machines have doors of their own in src/doors.

// Nodes
export type { Node } from './runtime/node.js'
export type { NodeOptions } from './runtime/options.js'
export { startNode } from './runtime/start-node.js'
export type { Logger } from './model/log.js'

// Backends
export type { Backend } from './backend/backend.js'
export { embedded, type EmbeddedOptions } from './backend/embedded.js'
export { jetstream, type JetStreamOptions } from './backend/jetstream.js'
export { memory } from './backend/memory.js'

// Actors
export type {
  ActorDefinition,
  ActorOptions,
  AnyActorDefinition,
  CommandShape,
  StateOptions,
  StateReading,
} from './actor/definition.js'
export { type ActorContract, contract } from './actor/contract.js'
export { type ActorSpec, defineActor } from './actor/define-actor.js'
export type { DecideResult, EventsAndReply } from './actor/handler-types.js'
export { type EmittedEvent, event } from './actor/event.js'
export { reject, type RejectResult } from './actor/reject.js'
export { perform } from './actor/perform.js'
export { defineWork, type FailedWork } from './actor/work.js'
export type { SupervisionOptions } from './actor/supervision-policy.js'
export type { CommandRef } from './actor/command-ref.js'
export type { ActorRef, RefOf } from './actor/ref.js'
export type { WatchedEvent, WatchedState, WatchOptions } from './actor/watch.js'
export type {
  CommandNameOf,
  OutcomeOf,
  RecordedEventOf,
  RefusedCommand,
  RepliedCommand,
  StateOf,
} from './actor/definition-types.js'
export type { ActorAddress } from './model/address.js'
export { formatAddress, parseAddress } from './model/address.js'

// Behaviors
export type { Command, DecideContext, Rejection } from './model/behavior.js'
export type { Clock } from './model/clock.js'
export type { DeepReadonly } from './model/read-only.js'
export { fromMachine } from './machine/from-machine.js'
export { actorAt } from './machine/actor-at.js'

// Commands
export type {
  AcceptedOutcome,
  AskOptions,
  AskOutcome,
  CommandIds,
  RejectedOutcome,
  SendOptions,
  SendReceipt,
} from './model/command-sender.js'
export type { Freshness } from './model/freshness.js'

// Transactions
export type {
  AbortResult,
  TransactionAskOutcome,
  TransactionLoadOptions,
  Transaction,
  TransactionAborted,
  TransactionCommitted,
  TransactOptions,
  TransactOutcome,
} from './actor/transaction.js'

// Events
export type { Metadata, RecordedEvent } from './model/event.js'
export type { Position, Version } from './model/version.js'
export type { EventStored } from './bus/notice.js'
export type { SubscribeOptions, Subscription } from './bus/bus.js'

// Messages and timers
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
export type { StandardSchema } from './model/schema.js'
export { eventsOf } from './delivery/messages/event-topic.js'
export type { Message } from './delivery/messages/message.js'
export type { Published, PublishOptions } from './delivery/messages/publish-message.js'

// Reactors
export {
  defineReactor,
  type Reactor,
  type ReactorContext,
  type ReactorMiddleware,
  type ReactorSpec,
} from './delivery/reactor/define-reactor.js'
export type { Backoff } from './model/backoff.js'
export { type RetryOptions, RetryableError, TerminalError } from './model/retry-policy.js'

// Projections
export {
  defineProjection,
  type Projection,
  type ProjectionSpec,
} from './projection/define-projection.js'
export { statesOf } from './projection/states-of.js'
export type {
  AtPosition,
  ProjectionReader,
  ProjectionReadOptions,
} from './projection/reader.js'

// Consumers
export {
  type ConsumerDefinition,
  type ConsumerSpec,
  defineConsumer,
} from './delivery/consumer/define-consumer.js'
export type { ConsumedMessage } from './delivery/consumer/consumed-message.js'
export type { Consumer } from './delivery/consumer/consumer.js'
export type { Trigger } from './delivery/consumer/trigger.js'

// Config files
export { brokerOf } from './program/config/broker.js'
export { loadConfig } from './program/config/load.js'

// Errors
export { CairnError, type ErrorCode, isCairnError } from './model/errors.js'
