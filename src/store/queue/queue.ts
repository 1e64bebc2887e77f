// The queue port: durable records beside the log, in order, until they are removed. Commands
// that wait for an actor are one queue, messages on topics another. Every implementation
// keeps these promises, proved by one contract suite (test/contract/queue.ts).
//
// Q1. A put that resolves is stored as durably as a commit in the same place.
// Q2. Positions grow, are never given twice, and every reader sees one order.
// Q3. An id that waits in the queue under the same key is stored once: a put that is repeated
//     says `duplicate`.
// Q4. A follower yields every record that is not removed before it gets there, once, and in
//     order, also through lost connections.
// Q5. Removing is final and may be repeated; what is not there is nobody's error.

import { CairnError } from '../../model/errors.js'
import { show } from '../../model/show.js'
import type { Position } from '../../model/version.js'

/** The queues of a namespace. */
export type QueueName = 'inbox' | 'topic' | 'dead' | 'due'

/** The names that a record is found by, coarse to fine: `['3', 'account', 'alice']`. */
export type QueueKey = readonly string[]

export interface NewRecord {
  readonly key: QueueKey
  /** Unique under its key: Q3. */
  readonly id: string
  /** Values are visible ASCII, as `encodeHeader` writes them. */
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
}

export interface QueueRecord {
  readonly position: Position
  /** When it was stored, ms since 1970, by the clock of the place where it is. */
  readonly at: number
  readonly key: QueueKey
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export interface Put {
  readonly position: Position
  /** It was there already. */
  readonly duplicate: boolean
}

export interface PutOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds, retries included. Default 10,000. */
  readonly timeout?: number | undefined
}

export interface QueueReadOptions {
  /** Records behind this position. Default 0. */
  readonly after?: Position
  /**
   * Ends behind this position, which some reader has seen already: whatever is stored up to
   * there is read, whichever replica answers. Default: none.
   */
  readonly upTo?: Position
  /** Only records of exactly this key. Default: all. */
  readonly key?: QueueKey
  readonly signal?: AbortSignal
}

export interface Queue {
  readonly name: QueueName

  /**
   * Stores a record. Throws `commit-too-large`, `unauthorized`, `storage-failed` or
   * `store-unreachable` when it is not stored, `outcome-unknown` when that is not known: the
   * same put may be repeated then.
   */
  put(record: NewRecord, options?: PutOptions): Promise<Put>

  /** Reads what is there now. */
  read(options?: QueueReadOptions): AsyncIterable<QueueRecord>

  /** Reads what is there, then goes on with each record as it is stored, until the signal fires. */
  follow(options: {
    readonly after?: Position
    readonly signal: AbortSignal
  }): AsyncIterable<QueueRecord>

  /** The highest position given so far; 0 for none. */
  lastPosition(options?: { readonly signal?: AbortSignal }): Promise<Position>

  /** Removes records. Throws `store-unreachable` or `storage-failed`. */
  remove(positions: readonly Position[]): Promise<void>

  close(): Promise<void>
}

export const putTimeoutDefault = 10_000
/** Bytes of one record's body, at most, where nothing else limits it. */
export const recordBytesMax = 64 * 1024 * 1024

/** Throws `invalid-command` for a key or id that no queue can keep. */
export function checkRecord({ key, id, body }: NewRecord): void {
  if (key.length === 0 || key.some(name => name === '') || id === '')
    throw new CairnError(
      'invalid-command',
      `A record with key ${show(key)} and id ${show(id)} cannot be queued: no name may be empty.`,
    )
  if (body.length <= recordBytesMax) return
  throw new CairnError(
    'commit-too-large',
    `A record under ${key.join('/')} takes ${body.length} bytes, and ${recordBytesMax} is the limit: ` +
      'store large data elsewhere.',
    { details: { limit: recordBytesMax, actual: body.length } },
  )
}
