// The writer of an embedded log: checks appends and stores them, many in one flush.
//
// Owns this process's queue of appends for one file.
//
// LMDB-WRITER-1. An append is checked and written within one LMDB write transaction, which
//     excludes every other writer of any process: the heads it is compared with cannot change.
// LMDB-WRITER-2. An append resolves after its transaction is committed and flushed. If that
//     fails, all appends of the transaction are rejected and none is stored.
// LMDB-WRITER-3. One transaction runs at a time. Appends that arrive meanwhile go into the next:
//     the slower the disk, the more appends share a flush.
// LMDB-WRITER-4. An append that gives up before its transaction has begun was not stored. After
//     that, its outcome is unknown.
// LMDB-WRITER-5. The queue is bounded by appends and by bytes, and so is a transaction, because
//     it occupies this thread and the only write lock of the file.
// LMDB-WRITER-6. Appends submitted as one transaction are all stored, or none of them.

import type { ActorAddress } from '../../model/address.js'
import { CairnError } from '../../model/errors.js'
import {
  type ExpectedVersion,
  meetsExpectation,
  type Position,
  type Version,
} from '../../model/version.js'
import { abortedError, pause } from '../../model/wait.js'
import type { Guard } from '../event-store/event-store.js'
import { formatActors } from '../event-store/transaction.js'
import { writeFailed } from './errors.js'
import type { VersionPosition } from './layout.js'
import type { LogTables } from './log-tables.js'
import type { Transactions } from './transactions.js'
import { offAbort, onAbort } from '../../model/on-abort.js'

/** One append that waits to be stored. */
export interface AppendRequest {
  readonly actor: ActorAddress
  readonly expected: ExpectedVersion
  /** How many events it has. */
  readonly events: number
  readonly bytes: number
  /** The record to store after the actor's current version. */
  encode(version: Version): Buffer
}

/** Appends that are stored together, and the guards they depend on. */
export interface TransactionRequest {
  readonly appends: readonly AppendRequest[]
  readonly guards: readonly Guard[]
}

/** The heads of the actors when the transaction was checked, in the order of the request. */
export interface TransactionOutcome {
  readonly heads: readonly VersionPosition[]
  readonly guardHeads: readonly VersionPosition[]
  /** Positions of the records. Absent when an expectation or a guard did not hold. */
  readonly stored: readonly Position[] | undefined
}

/** The actor's head when the append was checked, and the record's position if it was stored. */
export interface AppendOutcome {
  readonly head: VersionPosition
  readonly stored: Position | undefined
}

export interface LogWriterOptions {
  readonly path: string
  readonly transactions: Transactions
  readonly log: LogTables
  /** Called with the last position of each transaction once it is durable. */
  onStored(position: Position): void
  /** Appends and bytes that may wait. Default 100,000 and 256 MiB. */
  readonly queueMax?: { readonly appends: number; readonly bytes: number }
}

interface QueuedTransaction extends TransactionRequest {
  readonly bytes: number
  running: boolean
  resolve(outcome: TransactionOutcome): void
  reject(error: Error): void
}

const queueMaxDefault = { appends: 100_000, bytes: 256 * 1024 * 1024 }
/** Requests and bytes in one LMDB transaction, at most; one request always fits. */
const batchRequestsMax = 1_000
const batchBytesMax = 8 * 1024 * 1024
/** Milliseconds for LMDB to report the reason of a failed commit. */
const reasonTimeout = 1_000

export class LogWriter {
  readonly #options: LogWriterOptions
  readonly #queue = new Set<QueuedTransaction>()
  #bytes = 0
  #working = false

  constructor(options: LogWriterOptions) {
    this.#options = options
  }

  /**
   * Queues an append. Rejects with `queue-full`, `aborted` or `store-unreachable` when it
   * was not stored, `outcome-unknown` when that is not known, `storage-failed` when LMDB
   * could not write.
   */
  async submit(
    append: AppendRequest,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<AppendOutcome> {
    const request = { appends: [append], guards: [] }
    const { heads, stored } = await this.submitAll(request, timeout, signal)
    return { head: heads[0]!, stored: stored?.[0] }
  }

  /** Queues appends that are stored together (LMDB-WRITER-6). Rejects as `submit`. */
  submitAll(
    { appends, guards }: TransactionRequest,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<TransactionOutcome> {
    const name = formatActors(appends)
    const size = appends.reduce((sum, { bytes }) => sum + bytes, 0)
    const queueMax = this.#options.queueMax ?? queueMaxDefault
    const full =
      this.#queue.size >= queueMax.appends || this.#bytes + size > queueMax.bytes
    // An empty queue accepts an append of any size.
    if (full && this.#queue.size > 0) return Promise.reject(this.#queueFull()) // LMDB-WRITER-5
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer)
        offAbort(signal, abort)
        this.#remove(queued)
      }
      const giveUp = (notStored: () => CairnError) => {
        reject(queued.running ? outcomeUnknown(name) : notStored()) // LMDB-WRITER-4
        settle()
      }
      const abort = () => {
        giveUp(() => abortedError(signal!, `appending to ${name}`))
      }
      const onTimeout = () => giveUp(() => this.#timedOut(name, timeout))
      const timer = setTimeout(onTimeout, timeout)
      onAbort(signal, abort)
      const queued: QueuedTransaction = {
        appends,
        guards,
        bytes: size,
        running: false,
        resolve(outcome) {
          settle()
          resolve(outcome)
        },
        reject(error) {
          settle()
          reject(error)
        },
      }
      this.#queue.add(queued)
      this.#bytes += size
      if (!this.#working) void this.#work()
    })
  }

  /** LMDB-WRITER-3. Never rejects: every failure rejects the appends concerned. */
  async #work(): Promise<void> {
    this.#working = true
    while (this.#queue.size > 0) {
      let batch: readonly QueuedTransaction[] = []
      try {
        const outcomes = await this.#options.transactions.run(() => {
          batch = this.#takeBatch()
          return this.#storeBatch(batch)
        })
        for (const [i, queued] of batch.entries()) queued.resolve(outcomes[i]!)
        this.#reportStored(outcomes)
      } catch (cause) {
        const error = writeFailed(this.#options.path, await reasonOf(cause))
        // An empty batch means that the transaction could not begin: then all fail.
        for (const queued of batch.length > 0 ? batch : [...this.#queue])
          queued.reject(error)
      }
    }
    this.#working = false
  }

  #takeBatch(): QueuedTransaction[] {
    const batch: QueuedTransaction[] = []
    let bytes = 0
    for (const queued of this.#queue) {
      bytes += queued.bytes
      const full = bytes > batchBytesMax || batch.length === batchRequestsMax
      if (full && batch.length > 0) break
      batch.push(queued)
      queued.running = true
      this.#remove(queued)
    }
    return batch
  }

  #remove(queued: QueuedTransaction): void {
    if (this.#queue.delete(queued)) this.#bytes -= queued.bytes
  }

  /** LMDB-WRITER-1. Runs within the write transaction. */
  #storeBatch(batch: readonly QueuedTransaction[]): TransactionOutcome[] {
    const { log } = this.#options
    let last = log.lastPosition()
    return batch.map(({ appends, guards }): TransactionOutcome => {
      const heads = appends.map(({ actor }) => this.#headOf(actor))
      const guardHeads = guards.map(({ actor }) => this.#headOf(actor))
      // LMDB-WRITER-6: all are checked before the first is written.
      const holds =
        appends.every(({ expected }, i) =>
          meetsExpectation(expected, heads[i]!.version),
        ) && guards.every(({ version }, i) => version === guardHeads[i]!.version)
      if (!holds) return { heads, guardHeads, stored: undefined }
      const stored = appends.map(append => {
        const head = log.head(append.actor)
        const version = head?.version ?? 0
        const record = append.encode(version)
        log.append(append.actor, head, ++last, version + append.events, record)
        return last
      })
      return { heads, guardHeads, stored }
    })
  }

  #headOf(actor: ActorAddress): VersionPosition {
    const { version = 0, position = 0 } = this.#options.log.head(actor) ?? {}
    return { version, position }
  }

  #reportStored(outcomes: readonly TransactionOutcome[]): void {
    const last = outcomes.findLast(({ stored }) => stored !== undefined)?.stored?.at(-1)
    if (last !== undefined) this.#options.onStored(last)
  }

  #queueFull(): CairnError {
    const { path } = this.#options
    return new CairnError(
      'queue-full',
      `${this.#queue.size} appends with ${this.#bytes} bytes are waiting to be written to ${path}. ` +
        'Nothing of this one was stored: append less at once, or try again later.',
      { details: { path, appends: this.#queue.size, bytes: this.#bytes } },
    )
  }

  #timedOut(name: string, timeout: number): CairnError {
    const { path } = this.#options
    return new CairnError(
      'store-unreachable',
      `Could not append to ${name} within ${Math.round(timeout)} ms: another process holds the write lock of ${path}, ` +
        'or its disk is too slow. Nothing was stored; the append may be repeated.',
      { details: { path, timeout } },
    )
  }
}

/** LMDB reports a failed commit in one error, and the reason in another that it promises. */
async function reasonOf(cause: unknown): Promise<unknown> {
  if (!(cause instanceof Error) || !('commitError' in cause)) return cause
  const reason = Promise.resolve(cause.commitError).then(
    () => undefined,
    (error: unknown) => error,
  )
  return (await Promise.race([reason, pause(reasonTimeout)])) ?? cause
}

function outcomeUnknown(name: string): CairnError {
  return new CairnError(
    'outcome-unknown',
    `The outcome of the append to ${name} is unknown: its deadline passed, or its signal fired, while it ` +
      'was being written. Read the actor to find out.',
  )
}
