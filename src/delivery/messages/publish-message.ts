// Publishes messages of plain code (not of actors) on topics.

import { encodeStoredMessage } from '../../codec/stored-message.js'
import { sanitizeCauses } from '../../model/causes.js'
import { checkOptions, type OptionNames } from '../../model/check-options.js'
import type { GivenCauses } from '../../model/commit.js'
import { CairnError, isCairnError } from '../../model/errors.js'
import { newId } from '../../model/id.js'
import { show } from '../../model/show.js'
import type { StoredMessage } from '../../model/stored-message.js'
import { checkTopic, type Topic } from '../../model/topic.js'
import { carryOn, type PublishTrace, publishTraces, trace } from '../../model/trace.js'
import type { Position } from '../../model/version.js'
import type { Queue } from '../../store/queue/queue.js'
import type { Origin } from './origin.js'

export interface PublishOptions extends GivenCauses {
  /** A message that is published again keeps its id, and is stored once. Default: a new id. */
  readonly id?: string | undefined
  /** Messages of one key are handled in the order in which they were published. Default: none. */
  readonly key?: string | undefined
  /**
   * Texts by name, which its readers get beside the data: at most 32 and 8,192 bytes. Names are 1 to 64 characters of A-Z, a-z,
   * 0-9, `_`, `.` and `-`; those that begin with `Cairn-` or `Nats-` are reserved. Default: none.
   */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly signal?: AbortSignal | undefined
  /** Milliseconds, retries included. Default 10,000. */
  readonly timeout?: number | undefined
}

const publishOptionNames: OptionNames<PublishOptions> = {
  id: true,
  key: true,
  headers: true,
  signal: true,
  timeout: true,
  correlationId: true,
  causationId: true,
  traceparent: true,
  principal: true,
}

/** The acknowledgement of a stored message. */
export interface Published {
  readonly id: string
  /** Its position among the messages of plain code. */
  readonly position: Position
  /** Time of the acknowledgement by this node's clock, ms since 1970. */
  readonly at: number
  /** A message of this id was stored before: nothing was added. */
  readonly duplicate: boolean
}

/**
 * Stores a message on a topic.
 * @param isReserved published by a handler: a refusal would cost it an attempt
 */
export async function publishMessage<Input>(
  queue: Queue,
  from: Origin,
  topic: Topic<Input>,
  data: Input,
  options: PublishOptions = {},
  isReserved = false,
): Promise<Published> {
  checkTopic('A message', topic)
  checkOptions('publish', options, publishOptionNames)
  const { id = newId(), key, headers, signal, timeout } = options
  const { name, version } = topic
  const message = {
    ...sanitizeCauses(options),
    ...(key !== undefined && { key }),
    ...(headers !== undefined && { headers }),
    id,
    topic: name,
    version,
    data: topic.check(data),
    nodeId: from.nodeId,
    at: from.clock.now(),
    logPosition: from.store.knownPosition(),
  }
  const bounds = { signal, timeout, isReserved }
  try {
    if (!publishTraces.hasSubscribers) return await put(queue, from, message, bounds)
    const context: PublishTrace = {
      namespace: from.store.namespace,
      nodeId: from.nodeId,
      topic: name,
      messageId: id,
      correlationId: message.correlationId,
      traceparent: message.traceparent,
    }
    return await trace(publishTraces, context, traceparent =>
      put(queue, from, carryOn(message, traceparent), bounds),
    )
  } catch (error) {
    throw withMessageId(error, id)
  }
}

async function put(
  queue: Queue,
  { clock }: Origin,
  message: StoredMessage & { readonly id: string },
  bounds: Parameters<Queue['put']>[1],
): Promise<Published> {
  const { id, topic } = message
  const record = { key: topic.split('.'), id, ...encodeStoredMessage(message) }
  return { id, ...(await queue.put(record, bounds)), at: clock.now() }
}

/** The error with the message's id, under which it can be published again. */
function withMessageId(error: unknown, id: string): unknown {
  if (!isCairnError(error)) return error
  const { code, message, cause, details } = error
  const hint =
    code === 'outcome-unknown'
      ? ` Or publish it again with id ${show(id)}: it is stored once.`
      : ''
  return new CairnError(code, message + hint, {
    cause,
    details: { ...details, messageId: id },
  })
}
