// One table of an embedded file: its entries are stored with checksums, and checked when they are read.
//
// TABLE-1. In a file of layout 2 or later, a value ends with the checksum of its key and itself. Files of layout 1 have
//     none, and get none: builds of their time may have them open.
// TABLE-2. A value whose checksum does not match is not returned as if it were whole.

import type { Database } from 'lmdb'

import { withChecksum, withoutChecksum } from './checksum.js'
import { damagedEntry } from './errors.js'
import { layoutWithChecksums } from './layout.js'

/** A range of keys. Unless it says otherwise, `start` is in it and `end` is not. */
export interface KeyRange {
  readonly start?: Buffer
  readonly end?: Buffer
  readonly exclusiveStart?: boolean
  readonly inclusiveEnd?: boolean
  /** From `start` downwards. */
  readonly reverse?: boolean
  readonly limit?: number
}

/** A value as it was stored, and whether its checksum matches. */
export interface CheckedValue {
  /** Without the checksum, unless it does not match: then all bytes. */
  readonly value: Buffer
  readonly isDamaged: boolean
}

export class Table {
  readonly #database: Database<Buffer, Buffer>
  readonly #name: string
  readonly #path: string
  readonly #hasChecksums: boolean

  constructor(
    database: Database<Buffer, Buffer>,
    name: string,
    path: string,
    layout: number,
  ) {
    this.#database = database
    this.#name = name
    this.#path = path
    this.#hasChecksums = layout >= layoutWithChecksums
  }

  /** Throws `damaged-file` (TABLE-2). */
  get(key: Buffer): Buffer | undefined {
    const stored = this.#database.get(key)
    return stored === undefined ? undefined : this.#whole(key, stored)
  }

  /** As `get`, and returns what is damaged too. */
  check(key: Buffer): CheckedValue | undefined {
    const stored = this.#database.get(key)
    return stored === undefined ? undefined : this.#checked(key, stored)
  }

  /** Throws `damaged-file` (TABLE-2). */
  *getRange(
    range: KeyRange,
  ): Generator<{ readonly key: Buffer; readonly value: Buffer }> {
    for (const { key, value } of this.#database.getRange(range))
      yield { key, value: this.#whole(key, value) }
  }

  /** As `getRange`, and yields what is damaged too. */
  *checkRange(range: KeyRange): Generator<CheckedValue & { readonly key: Buffer }> {
    for (const { key, value } of this.#database.getRange(range))
      yield { key, ...this.#checked(key, value) }
  }

  getKeys(range: KeyRange): Iterable<Buffer> {
    return this.#database.getKeys(range)
  }

  /** Only within a write transaction. `append`: the key is known to be the last. */
  putSync(key: Buffer, value: Buffer, options?: { readonly append: boolean }): void {
    const stored = this.#hasChecksums ? withChecksum(key, value) : value
    if (options === undefined) this.#database.putSync(key, stored)
    else this.#database.putSync(key, stored, options)
  }

  /** Only within a write transaction. */
  removeSync(key: Buffer): void {
    this.#database.removeSync(key)
  }

  #whole(key: Buffer, stored: Buffer): Buffer {
    if (!this.#hasChecksums) return stored
    const value = withoutChecksum(key, stored)
    if (value === undefined) throw damagedEntry(this.#path, this.#name, key)
    return value
  }

  #checked(key: Buffer, stored: Buffer): CheckedValue {
    const value = this.#hasChecksums ? withoutChecksum(key, stored) : stored
    return { value: value ?? stored, isDamaged: value === undefined }
  }
}
