// The queue port: durable records beside the log, in order, until they are removed. Commands
// that wait for an actor are one queue, messages on topics another. Every implementation keeps
// these promises, checked by one contract suite (test/contract/queue.ts).
//
// QUEUE-1. A put that resolves is stored as durably as a commit in the same store.
// QUEUE-2. Positions grow, are never assigned twice, and every reader sees one order.
// QUEUE-3. An id that is in the queue under the same key is stored once: a repeated put returns
//     `duplicate`.
// QUEUE-4. A follower yields every record that is not removed first, once and in order, also
//     through lost connections.
// QUEUE-5. Removing is final and may be repeated. Removing a missing record is a no-op.

import { CairnError } from '../../model/errors.js'
import { show } from '../../model/show.js'
import type { Position } from '../../model/version.js'

/** The queues of a namespace. */
export type QueueName = 'inbox' | 'topic' | 'dead' | 'due'

/** The names that identify a record's line in the queue, coarse to fine: `['3', 'account', 'alice']`. */
export type QueueKey = readonly string[]

export interface NewRecord {
  readonly key: QueueKey
  /** Unique under its key (QUEUE-3). */
  readonly id: string
  /** Values are visible ASCII, as `encodeHeader` writes them. */
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
}

export interface QueueRecord {
  readonly position: Position
  /** When it was stored, ms since 1970, by the clock of the store. */
  readonly at: number
  readonly key: QueueKey
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export interface PutResult {
  readonly position: Position
  /** The record was stored before. */
  readonly duplicate: boolean
}

export interface PutOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds, retries included. Default 10,000. */
  readonly timeout?: number | undefined
  /** Cairn's own record, such as one that a commit caused: what users send does not delay it. */
  readonly isReserved?: boolean | undefined
}

export interface QueueReadOptions {
  /** Records after this position. Default 0. */
  readonly after?: Position
  /**
   * Ends after this position, which a reader has already seen. Every record up to it is read,
   * whichever replica answers. Default: none.
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
   * `store-unreachable` when it is not stored, `outcome-unknown` when that is not known; the
   * same put may then be repeated.
   */
  put(record: NewRecord, options?: PutOptions): Promise<PutResult>

  /** Reads the records stored so far. */
  read(options?: QueueReadOptions): AsyncIterable<QueueRecord>

  /** Reads the records stored so far, then each new one, until the signal fires. */
  follow(options: {
    readonly after?: Position
    readonly signal: AbortSignal
  }): AsyncIterable<QueueRecord>

  /** The highest position assigned so far; 0 for none. */
  lastPosition(options?: { readonly signal?: AbortSignal }): Promise<Position>

  /** Removes records. Throws `store-unreachable` or `storage-failed`. */
  remove(positions: readonly Position[]): Promise<void>

  close(): Promise<void>
}

export const putTimeoutDefault = 10_000
/** Bytes of one record's body, at most, unless the server's limit is lower. */
export const recordBytesMax = 64 * 1024 * 1024

/** Throws `invalid-command` for an empty key or id, `commit-too-large` for a large body. */
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
