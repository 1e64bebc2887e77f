// Reads the queue of topics for one reactor or consumer: the messages of plain code on its topics, and
// the messages that are sent to it again from their dead letters.

import { decodeRedriven } from '../../codec/redriven.js'
import {
  decodeStoredMessage,
  hasNewerWireVersion,
  messageIdHeader,
  readMessageKey,
} from '../../codec/stored-message.js'
import { partitionOf } from '../../model/partition.js'
import type { StoredMessage } from '../../model/stored-message.js'
import { reservedTopicPrefix } from '../../model/topic.js'
import type { TopicSelection } from '../../model/topic-selection.js'
import type { Position } from '../../model/version.js'
import type { Queue, QueueKey, QueueRecord } from '../../store/queue/queue.js'
import type { Message } from '../messages/message.js'
import type { MessageBatch } from '../messages/message-batch.js'
import {
  emptyRecord,
  type RecordSource,
  type SourceRecord,
  type UnreadableRecord,
} from './record-source.js'

/** The queue key of messages that are sent again to one reactor alone. */
export function redriveKey(reactor: string): QueueKey {
  return [`${reservedTopicPrefix}redrive`, reactor]
}

export function topicSource(
  queue: Queue,
  partitions: number,
  { name, topics }: { readonly name: string; readonly topics: TopicSelection },
  log: (message: string, details: object) => void,
): RecordSource<MessageBatch | UnreadableRecord> {
  const redriveTopic = redriveKey(name).join('.')
  const toRecord = (
    record: QueueRecord,
  ): SourceRecord<MessageBatch | UnreadableRecord> => {
    const { position, key: names, headers, body } = record
    const topic = names.join('.')
    const isRedriven = topic === redriveTopic
    const id = headers[messageIdHeader]
    if (!isRedriven && !topics.has(topic)) return emptyRecord(position, id)
    const decoded = isRedriven
      ? decodeRedriven<Message>(headers, body)
      : decodeStoredMessage(topic, headers, body)
    if (typeof decoded === 'string') {
      if (!hasNewerWireVersion(headers)) {
        log('A record on a topic is not a message', { position, topic, reason: decoded })
        return emptyRecord(position, id)
      }
      const given = isRedriven ? undefined : readMessageKey(headers)
      const { key, partition } = orderingKeyOf(given, position, partitions)
      const value = { kind: 'unreadable', position, reason: decoded } as const
      return { position, partition, key, value, id }
    }
    const isStored = 'id' in decoded
    const value: MessageBatch = isStored
      ? {
          kind: 'messages',
          messages: [toMessage(decoded, position)],
          source: 'topics',
          redrives: 0,
        }
      : {
          kind: 'messages',
          messages: [decoded.message],
          source: decoded.source,
          redrives: decoded.redrives,
        }
    const given = isStored ? decoded.key : undefined
    const { key, partition } = orderingKeyOf(given, position, partitions)
    // A message that is sent again from its dead letter is as old as its letter, which is not known here.
    const at = isStored ? decoded.at : undefined
    return { position, partition, key, value, id, at }
  }
  return {
    partitions,
    async *follow(after, signal) {
      for await (const record of queue.follow({ after, signal })) yield toRecord(record)
    },
    async *readKey(key, from, upTo, signal) {
      // A message without a key is the only one of its key.
      const last = key.startsWith(uniqueKeyPrefix) ? from : upTo
      for await (const record of queue.read({ after: from - 1, upTo: last, signal })) {
        const found = toRecord(record)
        if (found.key === key) yield found
      }
    },
    lastPosition: signal => queue.lastPosition({ signal }),
    async lastAfter(after, signal) {
      let last = after
      for await (const { position } of queue.read({ after, signal })) last = position
      return last
    },
    idAt: (position, signal) => messageIdAt(queue, position, signal),
  }
}

/** The id of the message at a position; `undefined` if there is none. */
export async function messageIdAt(
  queue: Pick<Queue, 'read'>,
  position: Position,
  signal: AbortSignal,
): Promise<string | undefined> {
  const at = { after: position - 1, upTo: position, signal }
  for await (const { headers } of queue.read(at)) return headers[messageIdHeader]
  return undefined
}

const uniqueKeyPrefix = 'position/'

/** The key that a message is ordered by. Without a given key it is unique, so the message waits for no other. */
export function orderingKeyOf(
  given: string | undefined,
  position: Position,
  partitions: number,
): { readonly key: string; readonly partition: number } {
  const key = given === undefined ? `${uniqueKeyPrefix}${position}` : `key/${given}`
  return { key, partition: partitionOf({ type: 'message', id: key }, partitions) }
}

function toMessage(
  { key: _key, ...message }: StoredMessage,
  position: Position,
): Message {
  return { ...message, position }
}
