// Topics of plain code: how messages are published, and how a group reads them.

import {
  decodeStoredMessage,
  encodeStoredMessage,
  hasNewerWireVersion,
  readMessageKey,
  type StoredMessage,
} from '../../codec/stored-message.js'
import { sanitizeCauses } from '../../model/causes.js'
import type { Clock } from '../../model/clock.js'
import type { Causes } from '../../model/commit.js'
import { newId } from '../../model/id.js'
import { partitionOf } from '../../model/partition.js'
import { reservedTopicPrefix, type Topic } from '../../model/topic.js'
import type { Position } from '../../model/version.js'
import { decodeRedriven } from '../../codec/redriven.js'
import type { Queue, QueueKey, QueueRecord } from '../../store/queue/queue.js'
import type { Delivery } from '../group/delivery.js'
import type { Message } from './message.js'
import type { GroupSource, SourceRecord, Unreadable } from '../group/source.js'

export interface PublishOptions extends Causes {
  /** The same message keeps its id when it is published again. Default: a new one. */
  readonly id?: string
  /** Messages of one key are handled in the order in which they were published. Default: none. */
  readonly key?: string
  readonly signal?: AbortSignal
  /** Milliseconds, retries included. Default 10,000. */
  readonly timeout?: number
}

/** Tells that a message is stored. */
export interface Published {
  readonly id: string
  /** Its place among the messages of plain code. */
  readonly position: Position
  /** When that was acknowledged, ms since 1970, by this node's clock. */
  readonly at: number
  /** A message of this id was there already: nothing was added. */
  readonly duplicate: boolean
}

/** Stores a message on a topic. */
export async function putMessage<Input>(
  queue: Queue,
  from: { readonly nodeId: string; readonly clock: Clock },
  topic: Topic<Input>,
  data: Input,
  options: PublishOptions = {},
): Promise<Published> {
  const {
    id = newId(),
    signal,
    timeout,
    ...rest
  } = { ...options, ...sanitizeCauses(options) }
  const { name, version } = topic
  const message = {
    ...rest,
    id,
    topic: name,
    version,
    data: topic.check(data),
    nodeId: from.nodeId,
    at: from.clock.now(),
  }
  const record = { key: name.split('.'), id, ...encodeStoredMessage(message) }
  const put = await queue.put(record, { signal, timeout })
  return { id, ...put, at: from.clock.now() }
}

/** The place of messages that are sent again to a reactor alone. */
export function redriveKey(reactor: string): QueueKey {
  return [`${reservedTopicPrefix}redrive`, reactor]
}

/**
 * The messages of plain code on some topics, and those that are sent to the reactor again, as its
 * group reads them.
 */
export function topicSource(
  queue: Queue,
  partitions: number,
  { name, topics }: { readonly name: string; readonly topics: ReadonlySet<string> },
  log: (message: string, details: object) => void,
): GroupSource<Delivery | Unreadable> {
  const redrives = redriveKey(name).join('.')
  const toRecord = (record: QueueRecord): SourceRecord<Delivery | Unreadable> => {
    const { position, key: names, headers, body } = record
    const topic = names.join('.')
    const passing = { position, partition: -1, key: '' }
    const isRedriven = topic === redrives
    if (!isRedriven && !topics.has(topic)) return passing
    const found = isRedriven
      ? decodeRedriven<Message>(headers, body)
      : decodeStoredMessage(topic, headers, body)
    const isReadable = typeof found !== 'string'
    if (!isReadable && !hasNewerWireVersion(headers)) {
      log('A record on a topic is no message', { position, topic, reason: found })
      return passing
    }
    const given =
      isReadable && 'id' in found
        ? found.key
        : isRedriven
          ? undefined
          : readMessageKey(headers)
    const { key, partition } = keyOfMessage(given, position, partitions)
    const value: Delivery | Unreadable = !isReadable
      ? { kind: 'unreadable', position, reason: found }
      : 'id' in found
        ? {
            kind: 'delivery',
            messages: [toMessage(found, position)],
            source: 'topics',
            redrives: 0,
          }
        : {
            kind: 'delivery',
            messages: [found.message],
            source: found.source,
            redrives: found.redrives,
          }
    return { position, partition, key, value }
  }
  return {
    partitions,
    async *follow(after, signal) {
      for await (const record of queue.follow({ after, signal })) yield toRecord(record)
    },
    async *ofKey(key, from, upTo, signal) {
      // One that is alone with its key is all there is of it.
      const last = key.startsWith(alonePrefix) ? from : upTo
      for await (const record of queue.read({ after: from - 1, upTo: last, signal })) {
        const found = toRecord(record)
        if (found.key === key) yield found
      }
    },
    lastPosition: signal => queue.lastPosition({ signal }),
  }
}

const alonePrefix = 'position/'

/** Without a key a message is one of its own: it waits for none, and none for it. */
export function keyOfMessage(
  given: string | undefined,
  position: Position,
  partitions: number,
): { readonly key: string; readonly partition: number } {
  const key = given === undefined ? `${alonePrefix}${position}` : `key/${given}`
  return { key, partition: partitionOf({ type: 'message', id: key }, partitions) }
}

function toMessage(
  { key: _key, ...message }: StoredMessage,
  position: Position,
): Message {
  return { ...message, position }
}
