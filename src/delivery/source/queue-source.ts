// Reads a queue whose records belong to actors: a record is in the partition of its actor.

import { type ActorAddress, formatAddress, parseAddress } from '../../model/address.js'
import type { Position } from '../../model/version.js'
import type { Queue, QueueKey, QueueRecord } from '../../store/queue/queue.js'
import { emptyRecord, type RecordSource, type SourceRecord } from './record-source.js'

export interface QueueSourceOptions<T> {
  readonly queue: Queue
  readonly partitions: number
  /** The queue key of an actor's records; it begins with the partition. */
  readonly keyOf: (actor: ActorAddress, partitions: number) => QueueKey
  /** The actor of a record and its value, or the reason why the record is invalid. */
  readonly decode: (
    record: QueueRecord,
    partitions: number,
  ) => { readonly actor: ActorAddress; readonly value: T; readonly at: number } | string
  /** Reports an invalid record. It stays in the queue, where an operator can inspect it. */
  readonly onInvalid: (about: {
    readonly position: Position
    readonly key: QueueKey
    readonly reason: string
  }) => void
}

export function queueSource<T>(options: QueueSourceOptions<T>): RecordSource<T> {
  const { queue, partitions, keyOf, decode, onInvalid } = options
  // An invalid record stays where it is, and is read again and again.
  let reportedUpTo = 0
  const toRecord = (record: QueueRecord): SourceRecord<T> => {
    const { position, key } = record
    const decoded = decode(record, partitions)
    if (typeof decoded !== 'string') {
      const { actor, value, at } = decoded
      return { position, partition: Number(key[0]), key: formatAddress(actor), value, at }
    }
    if (position > reportedUpTo) onInvalid({ position, key, reason: decoded })
    reportedUpTo = Math.max(reportedUpTo, position)
    return emptyRecord(position)
  }
  return {
    partitions,
    async *follow(after, signal) {
      for await (const record of queue.follow({ after, signal })) yield toRecord(record)
    },
    async *readKey(name, from, upTo, signal) {
      const key = keyOf(parseAddress(name), partitions)
      const bounds = { after: from - 1, upTo, key, signal }
      for await (const record of queue.read(bounds)) yield toRecord(record)
    },
    lastPosition: signal => queue.lastPosition({ signal }),
    async *left(upTo, signal) {
      for await (const record of queue.read({ upTo, signal })) yield toRecord(record)
    },
  }
}
