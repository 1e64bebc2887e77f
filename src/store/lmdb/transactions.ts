// The write transactions on one embedded file.
//
// LMDB keeps the number of the last commit twice: in the data file, and in the lock file, where each
// transaction reads it to find what it continues. A process that opens the file sets the second
// from the first, without a lock: when others commit meanwhile, it sets it back, and the next
// transaction would replace their commits. (LMDB itself has mended this; the lmdb package has
// not.) So each transaction is checked before it reads or writes anything.
//
// LMDB-TXN-1. Work runs only in a transaction that continues the last commit in the data file.
// LMDB-TXN-2. A number that was set back is set right by whoever finds it so, while holding the write
//     lock: no commit can happen in between. A later one is found by the next transaction.
// LMDB-TXN-3. Once opened, the lock file stays open as long as LMDB has it open: a process that
//     closes a file loses all its locks on it, those that LMDB holds too.

import { closeSync, openSync, readSync, writeSync } from 'node:fs'

import type { RootDatabase } from 'lmdb'

import { holdingExit } from '../../local/end-process.js'
import { CairnError } from '../../model/errors.js'

/** Where the lock file holds the number of the last commit: after a magic and a format number. */
const numberOffset = 8
/** Transactions tried for one piece of work: each fails only if a process has just opened the file. */
const attemptsMax = 1_000

export class Transactions {
  readonly #root: RootDatabase<Buffer, Buffer>
  readonly #path: string
  #lockFile: number | undefined

  constructor(root: RootDatabase<Buffer, Buffer>, path: string) {
    this.#root = root
    this.#path = path
  }

  /**
   * Runs `work` in a write transaction; resolves once it is committed and flushed. If `work` throws,
   * nothing is stored.
   */
  async run<T>(work: () => T): Promise<T> {
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      // A child transaction, so that an error within leaves nothing half-written.
      const done = await holdingExit(() =>
        this.#root.childTransaction(() => this.#runIfCurrent(work)),
      ).catch(keepingReason)
      if (done !== undefined) return done.result
    }
    throw this.#setBack()
  }

  /** As `run`, on this thread. */
  runSync<T>(work: () => T): T {
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      const done = this.#root.transactionSync(() => this.#runIfCurrent(work))
      if (done !== undefined) return done.result
    }
    throw this.#setBack()
  }

  /** Only after LMDB has closed the file (LMDB-TXN-3). */
  close(): void {
    if (this.#lockFile !== undefined) closeSync(this.#lockFile)
    this.#lockFile = undefined
  }

  #runIfCurrent<T>(work: () => T): { readonly result: T } | undefined {
    const { lastTxnId } = this.#root.getStats() as { readonly lastTxnId: number }
    const continued = this.#root.getWriteTxnId() - 1
    if (continued === lastTxnId) return { result: work() } // LMDB-TXN-1
    this.#setRight(continued, lastTxnId)
    return undefined
  }

  /** LMDB-TXN-2. */
  #setRight(from: number, to: number): void {
    this.#lockFile ??= openSync(`${this.#path}-lock`, 'r+')
    // LMDB stores numbers in the byte order of the machine, and so does a typed array.
    const number = new BigUint64Array(1)
    readSync(this.#lockFile, number, 0, 8, numberOffset)
    const found = Number(number[0])
    // Another process that opens the file may have just set it, to whatever number.
    if (found > to) throw this.#setBack()
    if (found !== from) return
    number[0] = BigInt(to)
    writeSync(this.#lockFile, number, 0, 8, numberOffset)
  }

  #setBack(): CairnError {
    return new CairnError(
      'storage-failed',
      `${this.#path} cannot be written: its lock file names another last commit than its data, and ` +
        'this could not be mended. Nothing was stored. Close it in all processes, then open it again.',
      { details: { path: this.#path } },
    )
  }
}

/**
 * LMDB reports a failed commit in one error, and promises the reason in another. A reason that nobody asks for must not end the
 * process as an unhandled rejection.
 */
function keepingReason(failure: unknown): never {
  const { commitError } = (failure ?? {}) as { readonly commitError?: unknown }
  if (commitError instanceof Promise) commitError.catch(() => {})
  throw failure
}
