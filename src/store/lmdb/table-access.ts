// Access to the tables beside an embedded log: fresh reads, write transactions, and the end of both.
//
// LMDB-TABLES-1. Each write is one LMDB transaction, flushed before its promise resolves.
// LMDB-TABLES-2. A write reads its preconditions inside its transaction, which excludes all other
//     writers.
// LMDB-TABLES-3. Nothing is read or written after close: LMDB must not be touched then.

import type { RootDatabase } from 'lmdb'

import { CairnError } from '../../model/errors.js'
import { writeFailed } from './errors.js'
import type { Transactions } from './transactions.js'

export class TableAccess {
  readonly #root: RootDatabase<Buffer, Buffer>
  readonly #transactions: Transactions
  readonly #path: string
  #closed = false

  constructor(
    root: RootDatabase<Buffer, Buffer>,
    transactions: Transactions,
    path: string,
  ) {
    this.#root = root
    this.#transactions = transactions
    this.#path = path
  }

  /** Lets the reads that follow see every commit of any process so far. Throws `store-closed`. */
  refresh(): void {
    this.#assertOpen()
    this.#root.resetReadTxn()
  }

  /**
   * Runs `work` in a write transaction (LMDB-TABLES-1, LMDB-TABLES-2). Throws `store-closed`, or
   * `storage-failed` when nothing was stored.
   */
  async write<T>(work: () => T): Promise<T> {
    this.#assertOpen()
    try {
      return await this.#transactions.run(work)
    } catch (cause) {
      if (cause instanceof CairnError) throw cause
      throw writeFailed(this.#path, cause)
    }
  }

  /** LMDB-TABLES-3. */
  close(): void {
    this.#closed = true
  }

  #assertOpen(): void {
    if (!this.#closed) return
    throw new CairnError('store-closed', `${this.#path} is closed: open it again.`)
  }
}
