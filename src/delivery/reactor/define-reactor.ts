// defineReactor(): the definition of a reactor, and the context of its handler.

import type { RefOf } from '../../actor/ref.js'
import type { AnyActorType } from '../../actor/contract.js'
import { checkOptions, type OptionNames } from '../../model/check-options.js'
import { CairnError } from '../../model/errors.js'
import { show } from '../../model/show.js'
import { isStartAt } from '../../model/start-at.js'
import type { AnyTopic, MessageData, Topic } from '../../model/topic.js'
import type { TopicPattern } from '../../model/topic-selection.js'
import type { RecordedEvent } from '../../model/event.js'
import type { Position } from '../../model/version.js'
import type { Message } from '../messages/message.js'
import {
  type RetryOptions,
  type RetryPolicy,
  retryPolicy,
  type RetryPreset,
} from '../../model/retry-policy.js'
import type { SettlementActions } from './settlement.js'
import { readTopics } from '../messages/read-topics.js'
import type { Published, PublishOptions } from '../messages/publish-message.js'

/**
 * Orders the writes of handlers in an outside system, for one actor or key: an attempt with a lower epoch is one of an earlier owner,
 * and one with the same epoch and a lower position an earlier message.
 */
export interface FencingToken {
  /** It grows each time that a node takes over the partition, by compare-and-set. */
  readonly epoch: number
  /** The message's position. */
  readonly position: Position
}

/** The context of a handler call. */
export interface ReactorContext extends SettlementActions {
  /** From 1; the count continues across restarts. */
  readonly attempt: number
  /** A failure of this attempt makes the message a dead letter. */
  readonly isLastAttempt: boolean
  /** How often the message was sent again from its dead letter. */
  readonly redrives: number
  /**
   * An earlier attempt or another node may have handled the message, completely or in part: pass the message's
   * id to external systems as an idempotency key, or query them first.
   */
  readonly mayBeRepeat: boolean
  /** For outside systems that refuse a write with a lower token than that of their last one. */
  readonly fencingToken: FencingToken
  /**
   * Fires when the attempt's timeout passes, when another node takes over the message, or when this node's
   * time to finish is used up.
   */
  readonly signal: AbortSignal
  /** Restarts the attempt's timeout from now on. */
  extend(): void
  /**
   * Returns a reference to an actor. Commands sent through it carry on the message's correlation, name the message
   * as their cause, and have ids derived from it, the actor, the command's name and the number of such calls: a redelivery
   * takes effect once. Data are not compared: a call that may be another one in the next attempt needs a `commandId`.
   */
  spawn<Definition extends AnyActorType>(
    definition: Definition,
    id: string,
  ): RefOf<Definition>
  /** Publishes a message with the same correlation, cause and derived ids. */
  publish<Input>(
    topic: Topic<Input>,
    data: Input,
    options?: PublishOptions,
  ): Promise<Published>
}

/** Wraps a handler: may call `next`, and may throw in its place. */
export type ReactorMiddleware = (
  message: Message,
  context: ReactorContext,
  next: () => Promise<void>,
) => Promise<void> | void

export interface ReactorSpec<Topics extends AnyTopic | TopicPattern> {
  /** `[A-Za-z0-9_-]{1,63}`. Nodes with a reactor of this name share its messages. */
  readonly name: string
  /**
   * The topics it reads. A text is a pattern of names: `orders.*` are all topics of two names of which the first is `orders`, and
   * `orders.>` those of two and more; events of actors are none of them.
   */
  readonly on: Topics | readonly Topics[]
  /**
   * Handles a message. When it throws, the message is handled again later. Until then the messages of the same
   * actor, or of the same key, wait, and no others.
   */
  readonly handle: (
    message: Topics extends AnyTopic ? Message<MessageData<Topics>> : Message,
    context: ReactorContext,
  ) => Promise<void> | void
  /**
   * The number of attempts and the delays between them. After the last attempt the message becomes a dead
   * letter. Default: 5 attempts; 1 s, doubling, up to 30 s.
   */
  readonly retry?: RetryOptions | RetryPreset
  /** Milliseconds for one attempt before its signal fires, or `Infinity`. Default 30,000. */
  readonly timeout?: number
  /** Whether messages of one actor, or of one key, wait for each other. Default true. */
  readonly ordered?: boolean
  /**
   * `first`: it begins with the first message. `new`: it gets what is stored after the first node with it has started; the place is
   * stored then, and later definitions do not change it. Default `first`.
   */
  readonly startAt?: 'first' | 'new'
  /** Middleware around the handler; the first one is the outermost. */
  readonly use?: readonly ReactorMiddleware[]
  /**
   * Messages that one node handles or keeps in memory at a time: this many of actors, and this many of
   * plain code. Default 1,000.
   */
  readonly openMax?: number
}

/** A named handler of messages. Of the nodes that have it, one handles each message. */
export interface Reactor {
  readonly name: string
  readonly topics: readonly AnyTopic[]
  /** Patterns of topics. */
  readonly patterns: readonly string[]
  readonly handle: (message: Message, context: ReactorContext) => Promise<void> | void
  readonly retry: RetryPolicy
  readonly timeout: number
  readonly ordered: boolean
  readonly openMax: number
  readonly startAt: 'first' | 'new'
}

export function isReactor(value: unknown): value is Reactor {
  if (typeof value !== 'object' || value === null) return false
  return 'topics' in value && 'handle' in value && 'retry' in value
}

const namePattern = /^[A-Za-z0-9_-]{1,63}$/
const specNames: OptionNames<ReactorSpec<AnyTopic>> = {
  name: true,
  on: true,
  handle: true,
  retry: true,
  timeout: true,
  ordered: true,
  use: true,
  openMax: true,
  startAt: true,
}

/**
 * Defines a reactor.
 *
 * ```ts
 * const pricing = defineReactor({
 *   name: 'pricing',
 *   on: tripCompleted,
 *   handle: async ({ data }, { spawn }) => {
 *     await spawn(invoice, data.tripId).ask('charge', { amount: data.price })
 *   },
 * })
 * ```
 *
 * Every reactor receives every message of its topics. Of the nodes that have a reactor of the same name, one
 * handles the message. Throws `invalid-definition`.
 */
export function defineReactor<const Topics extends AnyTopic | TopicPattern>(
  spec: ReactorSpec<Topics>,
): Reactor {
  checkOptions('defineReactor', spec, specNames, 'invalid-definition')
  const { name, on, handle, openMax = 1_000, timeout = 30_000, ordered = true } = spec
  const { startAt = 'first' } = spec
  if (typeof name !== 'string' || !namePattern.test(name))
    throw invalid(
      `name of a reactor is ${show(name)}: use 1 to 63 characters of A-Z, a-z, 0-9, "_" and "-".`,
    )
  const { topics, patterns } = readTopics(`Reactor ${name}`, on)
  if (topics.length + patterns.length === 0)
    throw invalid(`Reactor ${name} reads no topic: pass at least one as on.`)
  const names = [...topics.map(topic => topic.name), ...patterns]
  if (new Set(names).size < names.length)
    throw invalid(`Reactor ${name} names a topic twice: name each topic once.`)
  if (typeof handle !== 'function')
    throw invalid(`handle of reactor ${name} is ${show(handle)}: it must be a function.`)
  const retry = retryPolicy(spec.retry, `reactor ${name}`)
  if (!(Number.isFinite(openMax) && openMax > 0))
    throw invalid(`openMax of reactor ${name} is ${openMax}: use a number above 0.`)
  if (timeout !== Infinity && !(timeout > 0 && timeout < 2 ** 31))
    throw invalid(
      `timeout of reactor ${name} is ${show(timeout)}: use milliseconds from 1 to 2^31 - 1, or Infinity.`,
    )
  if (!isStartAt(startAt))
    throw invalid(`startAt of reactor ${name} is ${show(startAt)}: use 'first' or 'new'.`)
  const middleware = spec.use ?? []
  if (!Array.isArray(middleware) || middleware.some(one => typeof one !== 'function'))
    throw invalid(`use of reactor ${name} must be a list of functions.`)
  const wrapped = upcasting(topics, wrap(middleware, handle as Reactor['handle']))
  return {
    name,
    topics,
    patterns,
    handle: wrapped,
    retry,
    timeout,
    ordered,
    openMax,
    startAt,
  }
}

/** Handles each piece of a stored event in turn: they are one message to the group, and are retried together. */
function upcasting(
  topics: readonly AnyTopic[],
  handle: Reactor['handle'],
): Reactor['handle'] {
  const upcasts = new Map(topics.map(({ name, upcast }) => [name, upcast]))
  if ([...upcasts.values()].every(upcast => upcast === undefined)) return handle
  return (message, context) => {
    const pieces = upcasts.get(message.topic)?.(message.data) as
      readonly RecordedEvent[] | undefined
    if (pieces === undefined) return handle(message, context)
    if (pieces.length === 1) return handle(pieceOf(message, pieces[0]!), context)
    return (async () => {
      for (const piece of pieces) await handle(pieceOf(message, piece), context)
    })()
  }
}

function pieceOf(message: Message, piece: RecordedEvent): Message {
  return piece === message.data ? message : { ...message, id: piece.id, data: piece }
}

function wrap(
  middleware: readonly ReactorMiddleware[],
  handle: Reactor['handle'],
): Reactor['handle'] {
  return middleware.reduceRight<Reactor['handle']>(
    (inner, outer) => (message, context) => runMiddleware(outer, inner, message, context),
    handle,
  )
}

/**
 * Runs a middleware, and waits for each `next` that it has not awaited: a handler that fails must neither end the
 * process nor count as done.
 */
async function runMiddleware(
  outer: ReactorMiddleware,
  inner: Reactor['handle'],
  message: Message,
  context: ReactorContext,
): Promise<void> {
  const unawaited = new Set<Promise<void>>()
  let returned: Promise<void> | void = undefined
  const next = (): Promise<void> => {
    const call = (async () => inner(message, context))()
    unawaited.add(call)
    call.then(undefined, () => {
      // A middleware that returns a promise has seen this failure, and may have dealt with it.
      if (returned !== undefined) unawaited.delete(call)
    })
    return call
  }
  returned = outer(message, context, next)
  await returned
  await Promise.all(unawaited)
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-definition', message)
}
