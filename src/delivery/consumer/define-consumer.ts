// defineConsumer(): the definition of a consumer, from which integration code pulls messages.

import { checkOptions, type OptionNames } from '../../model/check-options.js'
import { CairnError } from '../../model/errors.js'
import { show } from '../../model/show.js'
import { isStartAt } from '../../model/start-at.js'
import type { AnyTopic } from '../../model/topic.js'
import type { TopicPattern } from '../../model/topic-selection.js'
import { readTopics } from '../messages/read-topics.js'

export interface ConsumerSpec<Topics extends AnyTopic | TopicPattern> {
  /** `[A-Za-z0-9_-]{1,63}`. Processes that consume under one name share its messages. */
  readonly name: string
  /**
   * The topics it reads. A text is a pattern of names: `orders.*` are all topics of two names of which the first is `orders`, and
   * `orders.>` those of two and more; events of actors are none of them.
   */
  readonly on: Topics | readonly Topics[]
  /**
   * Milliseconds until a message that is not settled is given out again. Default 30,000. The clocks of the
   * processes must differ by less than this.
   */
  readonly ackWait?: number
  /** How many times a message is given out before it becomes a dead letter. Default 5. */
  readonly attempts?: number
  /**
   * `first`: it begins with the oldest stored message. `new`: it gets what is stored after its first use or `declare()`; the
   * place is stored then, and later definitions do not change it. Default `first`.
   */
  readonly startAt?: 'first' | 'new'
}

/** A consumer's definition. */
export interface ConsumerDefinition {
  readonly name: string
  /** Names and patterns of topics, sorted. */
  readonly topics: readonly string[]
  readonly ackWait: number
  readonly attempts: number
  /** Absent for `first`. */
  readonly startAt?: 'new'
}

const namePattern = /^[A-Za-z0-9_-]{1,63}$/
const specNames: OptionNames<ConsumerSpec<AnyTopic>> = {
  name: true,
  on: true,
  ackWait: true,
  attempts: true,
  startAt: true,
}

export function isConsumerName(name: unknown): name is string {
  return typeof name === 'string' && namePattern.test(name)
}

/**
 * Defines a consumer: a group of processes that pull messages. Each message is given to one process, and given
 * out again until it is settled.
 *
 * ```ts
 * const erp = defineConsumer({ name: 'erp', on: [orderPlaced, orderPaid] })
 * for (const message of await node.consumer(erp).consume({ batch: 10, maxWait: 2_000 })) {
 *   await post(message.payload)
 *   await node.consumer(erp).ack(message.ackToken)
 * }
 * ```
 *
 * Throws `invalid-definition`.
 */
export function defineConsumer<const Topics extends AnyTopic | TopicPattern>(
  spec: ConsumerSpec<Topics>,
): ConsumerDefinition {
  checkOptions('defineConsumer', spec, specNames, 'invalid-definition')
  const { name, on, ackWait = 30_000, attempts = 5, startAt = 'first' } = spec
  if (!isConsumerName(name))
    throw invalid(
      `name of a consumer is ${show(name)}: use 1 to 63 characters of A-Z, a-z, 0-9, "_" and "-".`,
    )
  const given = readTopics(`Consumer ${name}`, on)
  const names = [...given.topics.map(topic => topic.name), ...given.patterns]
  const topics = [...new Set(names)].toSorted()
  if (topics.length === 0)
    throw invalid(`on of consumer ${name} is empty: pass the topics that it reads.`)
  if (!(ackWait >= 1 && ackWait < 2 ** 31))
    throw invalid(
      `ackWait of consumer ${name} is ${String(ackWait)}: use milliseconds from 1.`,
    )
  if (!Number.isSafeInteger(attempts) || attempts < 1)
    throw invalid(
      `attempts of consumer ${name} is ${String(attempts)}: use a whole number from 1.`,
    )
  if (!isStartAt(startAt))
    throw invalid(
      `startAt of consumer ${name} is ${show(startAt)}: use 'first' or 'new'.`,
    )
  const definition = { name, topics, ackWait, attempts }
  return startAt === 'new' ? { ...definition, startAt } : definition
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-definition', message)
}
