// defineReactor(): what reacts to messages, as users write it.

import type { RefOf } from '../../actor/ref.js'
import type { AnyActorDefinition } from '../../actor/definition.js'
import { CairnError } from '../../model/errors.js'
import { show } from '../../model/show.js'
import type { AnyTopic, MessageData, Topic } from '../../model/topic.js'
import type { Message } from '../messages/message.js'
import {
  type RetryOptions,
  type RetryPolicy,
  retryPolicy,
  type RetryPreset,
} from './retry.js'
import type { Settling } from './settlement.js'
import type { Published, PublishOptions } from '../messages/topics.js'

/** What a handler may use beside its message. */
export interface ReactorContext extends Settling {
  /** From 1; counted on across restarts. */
  readonly attempt: number
  /** The last one before the message is given up. */
  readonly isLastAttempt: boolean
  /** How often people have sent the message again after it was given up. */
  readonly redrives: number
  /**
   * Another attempt may have done its work, wholly or in part, or another node: give the message's id
   * to the outside as a key, or look there first.
   */
  readonly mayBeRepeat: boolean
  /**
   * Fires when the attempt's time is over, when the message is another node's now, or when this
   * node's time to finish is.
   */
  readonly signal: AbortSignal
  /** Gives the attempt its whole time once more, from now on. */
  extend(): void
  /**
   * An actor. Commands sent through it carry on the message's correlation, name it as their cause,
   * and have ids derived from it, in the order of the calls: handled again, they act once.
   */
  spawn<Definition extends AnyActorDefinition>(
    definition: Definition,
    id: string,
  ): RefOf<Definition>
  /** Publishes in the same manner. */
  publish<Input>(
    topic: Topic<Input>,
    data: Input,
    options?: PublishOptions,
  ): Promise<Published>
}

/** Runs around a handler: calls `next`, or does not, and may fail in its stead. */
export type ReactorMiddleware = (
  message: Message,
  context: ReactorContext,
  next: () => Promise<void>,
) => Promise<void> | void

export interface ReactorSpec<Topics extends AnyTopic> {
  /** `[A-Za-z0-9_-]{1,63}`: nodes that have a reactor of this name share its messages. */
  readonly name: string
  /** The topics it reads, from their first message on. */
  readonly on: Topics | readonly Topics[]
  /**
   * Handles a message. What it throws means that the message is handled again, later; the
   * messages of the same actor, or of the same key, wait until then, and no others.
   */
  readonly handle: (
    message: Topics extends AnyTopic ? Message<MessageData<Topics>> : never,
    context: ReactorContext,
  ) => Promise<void> | void
  /**
   * How often a message is tried, and with which waits: after the last attempt it becomes a dead
   * letter. Default: 5 attempts; 1 s, doubling, up to 30 s.
   */
  readonly retry?: RetryOptions | RetryPreset
  /** Milliseconds for one attempt, or `Infinity`; then its signal fires. Default 30,000. */
  readonly timeout?: number
  /** Whether messages of one actor, or of one key, wait for each other. Default true. */
  readonly ordered?: boolean
  /** Around the handler, the first one outermost. */
  readonly use?: readonly ReactorMiddleware[]
  /**
   * Messages being handled at a time on one node, and waiting behind them: of actors, and of plain
   * code, each so many. Default 1,000.
   */
  readonly openMax?: number
}

/** What reacts to messages: a group that each of them is handled by once, on one of its nodes. */
export interface Reactor {
  readonly name: string
  readonly topics: readonly AnyTopic[]
  readonly handle: (message: Message, context: ReactorContext) => Promise<void> | void
  readonly retry: RetryPolicy
  readonly timeout: number
  readonly ordered: boolean
  readonly openMax: number
}

export function isReactor(value: unknown): value is Reactor {
  if (typeof value !== 'object' || value === null) return false
  return 'topics' in value && 'handle' in value && 'retry' in value
}

const namePattern = /^[A-Za-z0-9_-]{1,63}$/

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
 * Every reactor gets every message; of the nodes that have one of the same name, one handles
 * it. Throws `invalid-definition`.
 */
export function defineReactor<const Topics extends AnyTopic>(
  spec: ReactorSpec<Topics>,
): Reactor {
  const { name, on, handle, openMax = 1_000, timeout = 30_000, ordered = true } = spec
  if (typeof name !== 'string' || !namePattern.test(name))
    throw invalid(
      `${show(name)} is not a name for a reactor: use 1 to 63 characters of A-Z, a-z, 0-9, "_" and "-".`,
    )
  const topics: readonly AnyTopic[] = Array.isArray(on) ? on : [on as AnyTopic]
  if (topics.length === 0)
    throw invalid(`Reactor ${name} reads no topic: pass one as on.`)
  const names = topics.map(topic => topic.name)
  if (new Set(names).size < names.length)
    throw invalid(
      `Reactor ${name} names a topic twice: its one handler gets all of their messages; name each once.`,
    )
  if (typeof handle !== 'function')
    throw invalid(`handle of reactor ${name} is ${show(handle)}: it must be a function.`)
  const retry = retryPolicy(spec.retry, `reactor ${name}`)
  if (!(Number.isFinite(openMax) && openMax > 0))
    throw invalid(`openMax of reactor ${name} is ${openMax}: use a number above 0.`)
  if (timeout !== Infinity && !(timeout > 0 && timeout < 2 ** 31))
    throw invalid(
      `timeout of reactor ${name} is ${show(timeout)}: use milliseconds from 1 to 2^31 - 1, or Infinity.`,
    )
  const around = spec.use ?? []
  if (!Array.isArray(around) || around.some(one => typeof one !== 'function'))
    throw invalid(`use of reactor ${name} must be a list of functions.`)
  const whole = within(around, handle as Reactor['handle'])
  return { name, topics, handle: whole, retry, timeout, ordered, openMax }
}

function within(
  around: readonly ReactorMiddleware[],
  handle: Reactor['handle'],
): Reactor['handle'] {
  return around.reduceRight<Reactor['handle']>(
    (inner, outer) => (message, context) =>
      outer(message, context, async () => inner(message, context)),
    handle,
  )
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-definition', message)
}
