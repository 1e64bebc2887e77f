// The writer of an embedded log: judges appends and stores them, many in one flush.
//
// Owns the queue of appends of this process for one file.
//
// W1. An append is judged and written within one LMDB write transaction, which no other
//     writer of any process shares: what it compares with cannot change under it.
// W2. An append is answered after its transaction is committed and flushed; if that fails,
//     it and all that were in the same transaction are refused, and none is stored.
// W3. One transaction is under way at a time. What arrives meanwhile goes into the next:
//     the slower the disk, the more appends share a flush.
// W4. An append that gives up before its transaction has begun was not stored; later, its
//     outcome is unknown.
// W5. The queue is bounded by appends and by bytes, and so is a transaction, because it
//     occupies this thread and the file's only write lock.
// W6. What is submitted together is stored together, or not at all.

import type { RootDatabase } from 'lmdb'

import type { ActorAddress } from '../../model/address.js'
import { CairnError, messageOf } from '../../model/errors.js'
import {
  type ExpectedVersion,
  meetsExpectation,
  type Position,
  type Version,
} from '../../model/version.js'
import { abortedError, pause } from '../../model/wait.js'
import type { Guard } from '../event-store/event-store.js'
import { nameOfAll } from '../event-store/transaction.js'
import type { VersionPosition } from './layout.js'
import type { Tables } from './tables.js'

/** An append on its way into the log. */
export interface Job {
  readonly actor: ActorAddress
  readonly expected: ExpectedVersion
  readonly events: number
  readonly bytes: number
  /** The record as it is to be stored behind the version. */
  pack(version: Version): Buffer
}

/** Appends that are stored together, and what they rest on beside the actors they write to. */
export interface TransactionJob {
  readonly jobs: readonly Job[]
  readonly guards: readonly Guard[]
}

/** The places of each job, in their order, and of each guard. */
export interface TransactionResult {
  readonly before: readonly VersionPosition[]
  readonly guards: readonly VersionPosition[]
  /** Absent when any of them was not where it should be: then nothing is stored. */
  readonly stored: readonly Position[] | undefined
}

/** Where the actor stood when the append was judged, and the record's place if it was stored. */
export interface JobResult {
  readonly before: VersionPosition
  readonly stored: Position | undefined
}

export interface WriterOptions {
  readonly path: string
  readonly root: RootDatabase<Buffer, Buffer>
  readonly tables: Tables
  /** Told the last position of each transaction, once it is durable. */
  ring(position: Position): void
  /** Appends and bytes that may wait. Default 100,000 and 256 MiB. */
  readonly queueMax?: { readonly appends: number; readonly bytes: number }
}

interface Entry extends TransactionJob {
  readonly bytes: number
  running: boolean
  resolve(judgement: TransactionResult): void
  reject(error: Error): void
}

const queueMaxDefault = { appends: 100_000, bytes: 256 * 1024 * 1024 }
const transactionJobsMax = 1_000
const transactionBytesMax = 8 * 1024 * 1024
/** Milliseconds for LMDB to say why a commit failed, once it has said that it did. */
const reasonTimeout = 1_000

export class Writer {
  readonly #options: WriterOptions
  readonly #queue = new Set<Entry>()
  #bytes = 0
  #working = false

  constructor(options: WriterOptions) {
    this.#options = options
  }

  /**
   * Queues an append. Rejects with `queue-full`, `aborted` or `store-unreachable` when it
   * was not stored, `outcome-unknown` when that is not known, `storage-failed` when LMDB
   * could not write.
   */
  async submit(
    job: Job,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<JobResult> {
    const alone = { jobs: [job], guards: [] }
    const { before, stored } = await this.submitAll(alone, timeout, signal)
    return { before: before[0]!, stored: stored?.[0] }
  }

  /** The same for appends that are stored together. */
  submitAll(
    { jobs, guards }: TransactionJob,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<TransactionResult> {
    const name = nameOfAll(jobs)
    const size = jobs.reduce((sum, job) => sum + job.bytes, 0)
    const { appends, bytes } = this.#options.queueMax ?? queueMaxDefault
    const full = this.#queue.size >= appends || this.#bytes + size > bytes
    // One append that is larger than the queue still gets through.
    if (full && this.#queue.size > 0) return Promise.reject(this.#queueFull()) // W5
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        this.#remove(entry)
      }
      const giveUp = (notStored: () => CairnError) => {
        reject(entry.running ? outcomeUnknown(name) : notStored()) // W4
        settle()
      }
      const onAbort = () => {
        giveUp(() => abortedError(signal!, `appending to ${name}`))
      }
      const onTimeout = () => giveUp(() => this.#tooLate(name, timeout))
      const timer = setTimeout(onTimeout, timeout)
      signal?.addEventListener('abort', onAbort, { once: true })
      const entry: Entry = {
        jobs,
        guards,
        bytes: size,
        running: false,
        resolve(judgement) {
          settle()
          resolve(judgement)
        },
        reject(error) {
          settle()
          reject(error)
        },
      }
      this.#queue.add(entry)
      this.#bytes += size
      if (!this.#working) void this.#work()
    })
  }

  /** W3. Never rejects: every failure is the failure of the appends concerned. */
  async #work(): Promise<void> {
    this.#working = true
    while (this.#queue.size > 0) {
      let batch: readonly Entry[] = []
      try {
        // A child transaction, so that an error within leaves nothing half-written.
        const judgements = await this.#options.root.childTransaction(() => {
          batch = this.#take()
          return this.#judge(batch)
        })
        for (const [i, entry] of batch.entries()) entry.resolve(judgements[i]!)
        this.#ring(judgements)
      } catch (cause) {
        const error = await this.#failed(cause)
        // Nothing was taken if not even the transaction could begin: then all fail.
        for (const entry of batch.length > 0 ? batch : [...this.#queue])
          entry.reject(error)
      }
    }
    this.#working = false
  }

  #take(): Entry[] {
    const batch: Entry[] = []
    let bytes = 0
    for (const entry of this.#queue) {
      bytes += entry.bytes
      const full = bytes > transactionBytesMax || batch.length === transactionJobsMax
      if (full && batch.length > 0) break
      batch.push(entry)
      entry.running = true
      this.#remove(entry)
    }
    return batch
  }

  #remove(entry: Entry): void {
    if (this.#queue.delete(entry)) this.#bytes -= entry.bytes
  }

  /** W1. Runs within the write transaction. */
  #judge(batch: readonly Entry[]): TransactionResult[] {
    const { tables } = this.#options
    let last = tables.lastPosition()
    return batch.map(({ jobs, guards }): TransactionResult => {
      const before = jobs.map(({ actor }) => this.#placeOf(actor))
      const guarded = guards.map(({ actor }) => this.#placeOf(actor))
      // W6. All are judged before the first is written.
      const fits =
        jobs.every(({ expected }, i) => meetsExpectation(expected, before[i]!.version)) &&
        guards.every(({ version }, i) => version === guarded[i]!.version)
      if (!fits) return { before, guards: guarded, stored: undefined }
      const stored = jobs.map(job => {
        const head = tables.head(job.actor)
        const version = head?.version ?? 0
        const record = job.pack(version)
        tables.put(job.actor, head, ++last, version + job.events, record)
        return last
      })
      return { before, guards: guarded, stored }
    })
  }

  #placeOf(actor: ActorAddress): VersionPosition {
    const { version = 0, position = 0 } = this.#options.tables.head(actor) ?? {}
    return { version, position }
  }

  #ring(judgements: readonly TransactionResult[]): void {
    const last = judgements.findLast(({ stored }) => stored !== undefined)?.stored?.at(-1)
    if (last !== undefined) this.#options.ring(last)
  }

  async #failed(cause: unknown): Promise<CairnError> {
    const reason = await reasonOf(cause)
    const { path } = this.#options
    return new CairnError(
      'storage-failed',
      `${path} could not be written: ${messageOf(reason)}. Nothing of this append was stored. ` +
        'Check the space left on its disk and the health of the disk.',
      { cause: reason, details: { path } },
    )
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

  #tooLate(name: string, timeout: number): CairnError {
    const { path } = this.#options
    return new CairnError(
      'store-unreachable',
      `Could not append to ${name} within ${timeout} ms: the write lock of ${path} is taken, ` +
        'or its disk is too slow. Nothing was stored; the append may be repeated.',
      { details: { path, timeout } },
    )
  }
}

/** LMDB says that a commit failed in one error, and why in another that it promises. */
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
    `Whether the append to ${name} is stored is not known: it was being written when its ` +
      'deadline or signal ended the wait. Read the actor to find out.',
  )
}
