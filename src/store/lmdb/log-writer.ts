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
// LMDB-WRITER-4. An append that gives up before its transaction has begun was not stored. If it gives up between that
//     and the end of the flush, its outcome is unknown.
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
import type { StoredHead, VersionPosition } from './layout.js'
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
  /** Called once the record is stored, after `head`, and before anybody hears of it. */
  stored?(position: Position, head: VersionPosition): void
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
  /** The heads that the records follow, where they are stored. */
  readonly followed?: readonly VersionPosition[]
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
  /** When it gives up, by `performance.now`. */
  readonly deadline: number
  state: 'waiting' | 'running' | 'settled'
  resolve(outcome: TransactionOutcome): void
  reject(error: Error): void
  giveUp(notStored: () => CairnError): void
  expire(): void
}

const queueMaxDefault = { appends: 100_000, bytes: 256 * 1024 * 1024 }
/** Requests and bytes in one LMDB transaction, at most; one request always fits. */
const batchRequestsMax = 1_000
const batchBytesMax = 8 * 1024 * 1024
/** Appends that have given up and are still in the queue, beside half of it, at most. */
const staleMax = 1_000
/** Milliseconds for LMDB to report the reason of a failed commit. */
const reasonTimeout = 1_000

export class LogWriter {
  readonly #options: LogWriterOptions
  /** In order, with some that have given up. */
  #queue: QueuedTransaction[] = []
  /** All that are not settled. */
  readonly #open = new Set<QueuedTransaction>()
  #waiting = 0
  #bytes = 0
  #working = false
  /** Fires at the earliest deadline, or before: one timer for all, as nearly none of them is ever reached. */
  #timer: NodeJS.Timeout | undefined
  #timerAt = Infinity

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
    let bytes = 0
    for (const append of appends) bytes += append.bytes
    const queueMax = this.#options.queueMax ?? queueMaxDefault
    const full = this.#waiting >= queueMax.appends || this.#bytes + bytes > queueMax.bytes
    // An empty queue accepts an append of any size.
    if (full && this.#waiting > 0) return Promise.reject(this.#queueFull()) // LMDB-WRITER-5
    return new Promise((resolve, reject) => {
      const settle = () => {
        const isWaiting = queued.state === 'waiting'
        queued.state = 'settled'
        if (isWaiting) this.#leaveQueue(queued)
        offAbort(signal, abort)
        this.#open.delete(queued)
        if (this.#open.size === 0) this.#disarm()
      }
      const abort = () => {
        queued.giveUp(() =>
          abortedError(signal!, `appending to ${formatActors(appends)}`),
        )
      }
      const queued: QueuedTransaction = {
        appends,
        guards,
        bytes,
        deadline: performance.now() + timeout,
        state: 'waiting',
        resolve(outcome) {
          settle()
          resolve(outcome)
        },
        reject(error) {
          settle()
          reject(error)
        },
        giveUp(notStored) {
          const isUnknown = this.state === 'running' // LMDB-WRITER-4
          this.reject(isUnknown ? outcomeUnknown(formatActors(appends)) : notStored())
        },
        expire: () => queued.giveUp(() => this.#timedOut(formatActors(appends), timeout)),
      }
      onAbort(signal, abort)
      this.#queue.push(queued)
      this.#open.add(queued)
      this.#waiting++
      this.#bytes += bytes
      this.#arm(queued.deadline)
      if (!this.#working) void this.#work()
    })
  }

  /** LMDB-WRITER-3. Never rejects: every failure rejects the appends concerned. */
  async #work(): Promise<void> {
    this.#working = true
    while (this.#waiting > 0) {
      let batch: readonly QueuedTransaction[] = []
      try {
        const outcomes = await this.#options.transactions.run(() => {
          batch = this.#takeBatch()
          return this.#storeBatch(batch)
        })
        this.#stored(batch, outcomes)
      } catch (cause) {
        const error = writeFailed(this.#options.path, await reasonOf(cause))
        // An empty batch means that the transaction could not begin: then all fail.
        for (const queued of batch.length > 0 ? batch : [...this.#queue])
          if (queued.state !== 'settled') queued.reject(error)
      }
    }
    this.#working = false
    this.#queue = []
  }

  /** Tells whoever is concerned that a transaction is durable. */
  #stored(
    batch: readonly QueuedTransaction[],
    outcomes: readonly TransactionOutcome[],
  ): void {
    let last: Position | undefined
    for (const [i, queued] of batch.entries()) {
      const outcome = outcomes[i]!
      const { stored, followed } = outcome
      for (const [j, position] of stored?.entries() ?? []) {
        queued.appends[j]!.stored?.(position, followed![j]!)
        last = position
      }
      if (queued.state !== 'settled') queued.resolve(outcome)
    }
    if (last !== undefined) this.#options.onStored(last)
  }

  /** Sets the timer, if it is not set for an earlier time. */
  #arm(at: number): void {
    if (at >= this.#timerAt) return
    clearTimeout(this.#timer)
    this.#timerAt = at
    this.#timer = setTimeout(this.#onTimer, Math.max(at - performance.now(), 0))
  }

  #disarm(): void {
    clearTimeout(this.#timer)
    this.#timerAt = Infinity
  }

  readonly #onTimer = () => {
    this.#timerAt = Infinity
    const now = performance.now()
    let next = Infinity
    for (const queued of this.#open) {
      if (queued.deadline <= now) queued.expire()
      else next = Math.min(next, queued.deadline)
    }
    if (next < Infinity) this.#arm(next)
  }

  #takeBatch(): QueuedTransaction[] {
    const batch: QueuedTransaction[] = []
    let bytes = 0
    let taken = 0
    for (const queued of this.#queue) {
      if (queued.state === 'waiting') {
        bytes += queued.bytes
        const full = bytes > batchBytesMax || batch.length === batchRequestsMax
        if (full && batch.length > 0) break
        batch.push(queued)
        queued.state = 'running'
        this.#waiting--
        this.#bytes -= queued.bytes
      }
      taken++
    }
    this.#queue = taken === this.#queue.length ? [] : this.#queue.slice(taken)
    return batch
  }

  /** Of one that gave up. LMDB-WRITER-5: those that did so while the lock was held elsewhere are not kept. */
  #leaveQueue({ bytes }: QueuedTransaction): void {
    this.#waiting--
    this.#bytes -= bytes
    if (this.#queue.length > 2 * this.#waiting + staleMax)
      this.#queue = this.#queue.filter(({ state }) => state === 'waiting')
  }

  /** LMDB-WRITER-1. Runs within the write transaction. */
  #storeBatch(batch: readonly QueuedTransaction[]): TransactionOutcome[] {
    const { log } = this.#options
    let last = log.lastPosition()
    return batch.map(({ appends, guards }): TransactionOutcome => {
      const found = appends.map(({ actor }) => log.head(actor))
      const heads = found.map(toVersionPosition)
      const guardHeads = guards.map(({ actor }) => toVersionPosition(log.head(actor)))
      // LMDB-WRITER-6: all are checked before the first is written.
      const holds =
        appends.every(({ expected }, i) =>
          meetsExpectation(expected, heads[i]!.version),
        ) && guards.every(({ version }, i) => version === guardHeads[i]!.version)
      if (!holds) return { heads, guardHeads, stored: undefined }
      const followed: VersionPosition[] = []
      const stored = appends.map((append, i) => {
        // The guards of a transaction are recorded in one actor, one after another.
        const head = i === 0 ? found[0] : log.head(append.actor)
        const before = toVersionPosition(head)
        const record = append.encode(before.version)
        log.append(append.actor, head, ++last, before.version + append.events, record)
        followed.push(before)
        return last
      })
      return { heads, guardHeads, stored, followed }
    })
  }

  #queueFull(): CairnError {
    const { path } = this.#options
    return new CairnError(
      'queue-full',
      `${this.#waiting} appends with ${this.#bytes} bytes are waiting to be written to ${path}. ` +
        'Nothing of this one was stored: append less at once, or try again later.',
      { details: { path, appends: this.#waiting, bytes: this.#bytes } },
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

function toVersionPosition(head: StoredHead | undefined): VersionPosition {
  return { version: head?.version ?? 0, position: head?.position ?? 0 }
}
