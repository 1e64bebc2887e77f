// The port that groups and consumers read records through. Each record is in a partition and has a
// key; records of one key must be handled one after another.

import type { Position } from '../../model/version.js'

export interface SourceRecord<T> {
  readonly position: Position
  readonly partition: number
  /** Usually an actor's address. */
  readonly key: string
  /** Absent when the record holds nothing for this reader. */
  readonly value?: T
  /** When it was written, ms since 1970, by the writer's clock; absent where it is not known. */
  readonly at?: number | undefined
  /** The id of the commit or message at the position, where it is known. */
  readonly id?: string | undefined
}

/**
 * A record of a newer build than this one, which may hold something for the reader. It is deferred
 * until a node that can read it owns the partition.
 */
export interface UnreadableRecord {
  readonly kind: 'unreadable'
  readonly position: Position
  readonly reason: string
}

export interface RecordSource<T> {
  readonly partitions: number
  /** Every record after `after`, in order, and each new one, until the signal fires. */
  follow(after: Position, signal: AbortSignal): AsyncIterable<SourceRecord<T>>
  /** The records of one key between two positions, both included. */
  readKey(
    key: string,
    from: Position,
    upTo: Position,
    signal: AbortSignal,
  ): AsyncIterable<SourceRecord<T>>
  lastPosition(signal: AbortSignal): Promise<Position>
  /** The last record after `after` that is there; `after` if there is none. Default: as `lastPosition`, or `left`. */
  lastAfter?(after: Position, signal: AbortSignal): Promise<Position>
  /**
   * The id of the record at a position, as {@link SourceRecord.id}; `undefined` if there is none. Absent in a source
   * with `left`.
   */
  idAt?(position: Position, signal: AbortSignal): Promise<string | undefined>
  /** The records up to a position that are still there, in a source that removes what is handled; absent in others. */
  left?(upTo: Position, signal: AbortSignal): AsyncIterable<SourceRecord<T>>
}

/** Reports only that the source was read up to a position: the record is for no partition. */
export function emptyRecord(position: Position, id?: string): SourceRecord<never> {
  return { position, partition: -1, key: '', id }
}
