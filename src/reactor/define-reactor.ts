// defineReactor(): what reacts to messages, as users write it.

import type { ActorRef } from '../actor/ref.js'
import type { AnyActorDefinition } from '../actor/define.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import type { AnyTopic, MessageData, Topic } from '../model/topic.js'
import { type Backoff, backoffDefault } from './backoff.js'
import type { Message } from './message.js'
import type { Published, PublishOptions } from './topics.js'

/** What a handler may use beside its message. */
export interface ReactorContext {
  /** From 1; counted on across restarts. */
  readonly attempt: number
  /** Fires when the message is another node's now, or this node's time to finish is over. */
  readonly signal: AbortSignal
  /**
   * An actor. Commands sent through it carry on the message's correlation, name it as their cause,
   * and have ids derived from it, in the order of the calls: handled again, they act once.
   */
  spawn<Definition extends AnyActorDefinition>(
    definition: Definition,
    id: string,
  ): ActorRef<Definition>
  /** Publishes in the same manner. */
  publish<Input>(
    topic: Topic<Input>,
    data: Input,
    options?: PublishOptions,
  ): Promise<Published>
}

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
  /** Waits between attempts. Default: 100 ms, doubling, up to 30 s. */
  readonly retry?: Partial<Backoff>
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
  readonly backoff: Backoff
  readonly openMax: number
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
  const { name, on, handle, retry, openMax = 1_000 } = spec
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
  const backoff = { ...backoffDefault, ...retry }
  for (const [option, value] of Object.entries({ ...backoff, openMax }))
    if (!(Number.isFinite(value) && value > 0))
      throw invalid(`${option} of reactor ${name} is ${value}: use a number above 0.`)
  return { name, topics, handle: handle as Reactor['handle'], backoff, openMax }
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-definition', message)
}
