// The tracing channels of node:diagnostics_channel on which a node publishes what it does. Their names and contexts are
// listed in docs/tracing.md, and stay as they are.
//
// TRACE-1. While nobody has subscribed to a channel, an operation costs one check of `hasSubscribers`: no object and no
//     closure is made for it.
// TRACE-2. `traceparent` in a context is that of the cause. A subscriber of `start` may replace it by its own, which
//     everything that the operation causes carries on, in this process and in others.
// TRACE-3. A subscriber of `start` may set `run`, through which the operation then runs, so that what user code does
//     in it finds the subscriber's own context.

import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel'

import type { ActorAddress } from './address.js'

/** What the subscribers of a channel get. Node adds `result` or `error` when the operation has ended. */
export interface TraceContext {
  readonly namespace: string
  /** The node in which it happens. */
  readonly nodeId: string
  /** W3C's `traceparent` of the cause. A subscriber of `start` may set its own. */
  traceparent?: string | undefined
  /** A subscriber of `start` may set it: the operation runs through it. */
  run?: (<T>(work: () => T) => T) | undefined
  readonly result?: unknown
  readonly error?: unknown
}

interface CommandTraceContext extends TraceContext {
  readonly actor: ActorAddress
  readonly command: string
  /** Absent where the command gets its id later; its outcome has it. */
  readonly commandId?: string | undefined
  readonly correlationId?: string | undefined
}

/** `cairn:ask`: a caller's wait for an actor, wherever it is. Its result is the outcome; none for `tell`. */
export interface AskTrace extends CommandTraceContext {
  readonly method: 'ask' | 'tell'
}

/** `cairn:send`: the storing of a durable command. Its result is the receipt. */
export interface SendTrace extends CommandTraceContext {
  readonly commandId: string
}

/** `cairn:command`: a command in its owner, from arrival to outcome. Its result is the outcome. */
export interface CommandTrace extends CommandTraceContext {
  readonly commandId: string
}

/** `cairn:decide`: one call of `decide`. Its result is the decision. A command may be decided again. */
export interface DecideTrace extends CommandTraceContext {
  readonly commandId: string
  /** The actor's version at the state on which it is decided. */
  readonly version: number
}

/** `cairn:commit`: one append of what was decided. Its result is that of the store. */
export interface CommitTrace extends TraceContext {
  /** One, or those of a transaction. */
  readonly actors: readonly ActorAddress[]
  /** How many events are stored. */
  readonly events: number
  /** The `traceparent` of each command, if several are stored as one commit. */
  readonly traceparents?: readonly string[] | undefined
  readonly transactionId?: string | undefined
}

/** `cairn:publish`: the storing of a message of plain code, or of a handler. Its result is the acknowledgement. */
export interface PublishTrace extends TraceContext {
  readonly topic: string
  readonly messageId: string
  readonly correlationId?: string | undefined
}

/** `cairn:deliver`: one attempt to deliver a stored command, by the courier or from the inbox. */
export interface DeliverTrace extends CommandTraceContext {
  readonly commandId: string
  readonly group: string
  /** From 1. */
  readonly attempt: number
}

/** `cairn:timer`: one attempt to deliver the command of a due timer. */
export interface TimerTrace extends DeliverTrace {
  readonly timer: string
}

/** `cairn:handle`: one call of the handler of a reactor or a trigger. */
export interface HandleTrace extends TraceContext {
  /** The reactor's name, or `consumer:` and the consumer's. */
  readonly group: string
  readonly topic: string
  readonly messageId: string
  /** From 1. */
  readonly attempt: number
  readonly correlationId?: string | undefined
}

/** `cairn:transaction`: a transaction with all its attempts. Its result is the outcome. */
export interface TransactionTrace extends TraceContext {
  readonly transactionId: string
}

/** The context of each channel, by the name that `tracingChannel(name)` of node:diagnostics_channel takes. */
export interface TraceContexts {
  readonly 'cairn:ask': AskTrace
  readonly 'cairn:send': SendTrace
  readonly 'cairn:command': CommandTrace
  readonly 'cairn:decide': DecideTrace
  readonly 'cairn:commit': CommitTrace
  readonly 'cairn:publish': PublishTrace
  readonly 'cairn:deliver': DeliverTrace
  readonly 'cairn:timer': TimerTrace
  readonly 'cairn:handle': HandleTrace
  readonly 'cairn:transaction': TransactionTrace
}

export type TraceName = keyof TraceContexts

function channelOf<Name extends TraceName>(
  name: Name,
): TracingChannel<unknown, TraceContexts[Name]> {
  return tracingChannel<unknown, TraceContexts[Name]>(name)
}

export const askTraces = channelOf('cairn:ask')
export const sendTraces = channelOf('cairn:send')
export const commandTraces = channelOf('cairn:command')
export const decideTraces = channelOf('cairn:decide')
export const commitTraces = channelOf('cairn:commit')
export const publishTraces = channelOf('cairn:publish')
export const deliverTraces = channelOf('cairn:deliver')
export const timerTraces = channelOf('cairn:timer')
export const handleTraces = channelOf('cairn:handle')
export const transactionTraces = channelOf('cairn:transaction')

/** Where an operation happens. */
export type TraceOrigin = Pick<TraceContext, 'namespace' | 'nodeId'>

/**
 * Runs an operation, and publishes its start and end. Call it only if the channel has subscribers (TRACE-1).
 *
 * @param work gets the `traceparent` to carry on (TRACE-2)
 */
export function trace<Context extends TraceContext, T>(
  channel: TracingChannel<unknown, Context>,
  context: Context,
  work: (traceparent: string | undefined) => Promise<T>,
): Promise<T> {
  // What `work` throws at once is a rejection, too: Node publishes no end of a call that threw.
  const begin = async () => work(context.traceparent)
  return channel.tracePromise(
    () => (context.run === undefined ? begin() : context.run(begin)), // TRACE-3
    context,
  )
}

/** The same for an operation that is over when it returns. */
export function traceSync<Context extends TraceContext, T>(
  channel: TracingChannel<unknown, Context>,
  context: Context,
  work: () => T,
): T {
  return channel.traceSync(
    () => (context.run === undefined ? work() : context.run(work)),
    context,
  )
}

/** The value with another `traceparent`; unchanged without one. */
export function carryOn<Value extends object>(
  value: Value,
  traceparent: string | undefined,
): Value {
  return traceparent === undefined ? value : { ...value, traceparent }
}
