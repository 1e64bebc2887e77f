// The read model port: rows by key and a checkpoint of the log, written together. Every
// implementation keeps these promises, checked by one contract suite
// (test/contract/read-models.ts). A database of the application keeps them with one transaction.
//
// READMODEL-1. A write stores all of its rows and its checkpoint, or nothing.
// READMODEL-2. A write is stored if, and only if, the model is at the given revision: of two writes
//     with the same revision, one wins.
// READMODEL-3. A read that begins after a write was acknowledged sees that write or a later one.
//     `entries` may lag where a replica answers.
// READMODEL-4. A dropped model is like one that was never written. Dropping may be repeated.

import { CairnError } from '../../model/errors.js'
import { show } from '../../model/show.js'
import type { Mark } from '../../model/mark.js'
import type { Position } from '../../model/version.js'

/** Up to where the log is folded into a model. */
export interface Checkpoint {
  /** Every commit up to this position is folded. */
  readonly position: Position
  /** How many events of the next commit are folded too. */
  readonly ahead: number
  /**
   * A commit of the log that was read, near the position. A model that is stored with it is rebuilt when the log turns
   * out to be another one: it was restored, and written on.
   */
  readonly mark?: Mark
}

/** A model's checkpoint as it is stored. */
export interface StoredCheckpoint extends Checkpoint {
  /** Differs after each write; 0 for a model that was never written. */
  readonly revision: number
}

/** Rows that are wanted, by the byte order of their keys. It saves reads: others may be yielded as well. */
export interface RowRange {
  /** The first key, included. Default: the lowest. */
  readonly from?: string
  /** The key at which it ends, not included. Default: none. */
  readonly to?: string
  readonly descending?: boolean
}

/** Rows and a checkpoint that are written together. */
export interface ReadModelWrite extends Checkpoint {
  /** New values by key; `null` removes a row. At most 999 rows. Values are plain data. */
  readonly rows: ReadonlyMap<string, unknown>
}

/** One build of a projection: its rows and its checkpoint. */
export interface ReadModel {
  checkpoint(): Promise<StoredCheckpoint>

  /** The rows of these keys, in the same order; `undefined` for a missing row. */
  get(
    keys: readonly string[],
    options?: { readonly signal?: AbortSignal },
  ): Promise<readonly unknown[]>

  /**
   * Stores rows and checkpoint if the model is at `revision`; resolves with the new revision, or
   * with `'conflict'`. After any error the outcome is unknown: read the checkpoint again.
   */
  write(write: ReadModelWrite, revision: number): Promise<number | 'conflict'>

  /** Every row, or at least those in a range of keys; in no particular order, unless {@link isOrdered}. */
  entries(options?: {
    readonly range?: RowRange
    readonly signal?: AbortSignal
  }): AsyncIterable<readonly [key: string, row: unknown]>

  /**
   * Whether `entries` yields the rows in the byte order of their keys (UTF-8), or the other way round for a range that is
   * `descending`. Default false.
   */
  readonly isOrdered?: boolean

  /** Removes the rows and the checkpoint. */
  drop(): Promise<void>
}

/** The read models of a namespace. */
export interface ReadModels {
  /** Opens a model by its name, `[A-Za-z0-9_-]{1,80}`. Nothing is created before the first write. */
  open(name: string): ReadModel
}

/** Whether a key is in a range. */
export function isIn(range: RowRange | undefined, key: string): boolean {
  const { from, to } = range ?? {}
  return (
    (from === undefined || compareBytes(key, from) >= 0) &&
    (to === undefined || compareBytes(key, to) < 0)
  )
}

function compareBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}

export const initialCheckpoint: StoredCheckpoint = { position: 0, ahead: 0, revision: 0 }

/** The checkpoint of a write. */
export function checkpointOf({ position, ahead, mark }: Checkpoint): Checkpoint {
  return { position, ahead, ...(mark !== undefined && { mark }) }
}

/** Rows of one write, at most: a server accepts batches of 1,000 messages, and one is the checkpoint. */
export const rowsMax = 999

/** Room for two ids and what stands between them; three times as long in a subject, which has a limit of 4 KiB. */
const keyBytesMax = 768

/** Returns a row's key, or throws `invalid-data`. */
export function checkRowKey(key: unknown, projection: string): string {
  const isKey =
    typeof key === 'string' &&
    key !== '' &&
    key.isWellFormed() &&
    Buffer.byteLength(key) <= keyBytesMax
  if (isKey) return key
  throw new CairnError(
    'invalid-data',
    `${show(key)} is not a row key of projection ${projection}: use 1 to ${keyBytesMax} bytes of well-formed text.`,
  )
}
