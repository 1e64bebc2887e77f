// The read model port: rows by key, and how far the log is folded into them, written as one.
// Every implementation keeps these promises, proved by one contract suite
// (test/contract/read-models.ts). A database of one's own keeps them with one transaction.
//
// R1. A write stores all of its rows and its place, or nothing.
// R2. A write is stored if, and only if, the model is at the revision given: of two that have
//     seen the same one, one wins.
// R3. A read that begins after a write was acknowledged sees it, or a later one; `entries` may
//     lag behind where a copy of the data answers.
// R4. A model that was dropped is as one that was never written. Dropping may be repeated.

import { CairnError } from '../../model/errors.js'
import { show } from '../../model/show.js'
import type { Position } from '../../model/version.js'

/** How far the log is folded into a model. */
export interface Checkpoint {
  /** Every commit up to here. */
  readonly position: Position
  /** And so many events of the commit right behind it. */
  readonly ahead: number
}

/** A model's place as it is stored. */
export interface StoredCheckpoint extends Checkpoint {
  /** Differs after each write; 0 is that of a model that was never written. */
  readonly revision: number
}

/** What is written at once. */
export interface ReadModelWrite extends Checkpoint {
  /** New values by key; `null` removes a row. At most 999. Values are plain data. */
  readonly rows: ReadonlyMap<string, unknown>
}

/** One build of a projection: its rows and its place. */
export interface ReadModel {
  checkpoint(): Promise<StoredCheckpoint>

  /** The rows of these keys, in their order; `undefined` where there is none. */
  get(
    keys: readonly string[],
    options?: { readonly signal?: AbortSignal },
  ): Promise<readonly unknown[]>

  /**
   * Stores rows and place if the model is at `revision`, and resolves with the new one, or
   * with `'conflict'`. What it throws means that nobody knows: the place is read again then.
   */
  write(write: ReadModelWrite, revision: number): Promise<number | 'conflict'>

  /** Every row, in no particular order. */
  entries(options?: {
    readonly signal?: AbortSignal
  }): AsyncIterable<readonly [key: string, row: unknown]>

  /** Removes the rows and the place. */
  drop(): Promise<void>
}

/** Where read models are kept. */
export interface ReadModels {
  /** A model by its name, `[A-Za-z0-9_-]{1,80}`; nothing is created before it is written. */
  open(name: string): ReadModel
}

export const initialCheckpoint: StoredCheckpoint = { position: 0, ahead: 0, revision: 0 }

/** Rows of one write, at most: a server takes 1,000 messages as one, and one is the place. */
export const rowsMax = 999

const keyBytesMax = 256

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
    `${show(key)} is not a key of projection ${projection}: use 1 to ${keyBytesMax} bytes of well-formed text.`,
  )
}
