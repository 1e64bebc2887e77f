// A queue as a group reads it, where each record is an actor's: its lane is that of the actor.

import { type ActorAddress, formatAddress, parseAddress } from '../../model/address.js'
import type { Position } from '../../model/version.js'
import type { Queue, QueueKey, QueueRecord } from '../../store/queue/queue.js'
import type { GroupSource, SourceRecord } from './source.js'

export interface QueueSourceOptions<T> {
  readonly queue: Queue
  readonly partitions: number
  /** Where an actor's records are: its lane, and then what names it. */
  readonly keyOf: (actor: ActorAddress, partitions: number) => QueueKey
  /** The actor, and what the record holds for it; or why it holds nothing for any. */
  readonly read: (
    record: QueueRecord,
    partitions: number,
  ) => { readonly actor: ActorAddress; readonly value: T } | string
  /** Tells of a record that holds nothing: it stays where it is, for people to look at. */
  readonly onForeign: (about: {
    readonly position: Position
    readonly key: QueueKey
    readonly reason: string
  }) => void
}

export function queueSource<T>(options: QueueSourceOptions<T>): GroupSource<T> {
  const { queue, partitions, keyOf, read, onForeign } = options
  const toRecord = (record: QueueRecord): SourceRecord<T> => {
    const { position, key } = record
    const found = read(record, partitions)
    if (typeof found !== 'string') {
      const { actor, value } = found
      return { position, partition: Number(key[0]), key: formatAddress(actor), value }
    }
    onForeign({ position, key, reason: found })
    return { position, partition: -1, key: '' }
  }
  return {
    partitions,
    async *follow(after, signal) {
      for await (const record of queue.follow({ after, signal })) yield toRecord(record)
    },
    async *ofKey(name, from, upTo, signal) {
      const key = keyOf(parseAddress(name), partitions)
      const bounds = { after: from - 1, upTo, key, signal }
      for await (const record of queue.read(bounds)) yield toRecord(record)
    },
    lastPosition: signal => queue.lastPosition({ signal }),
  }
}
