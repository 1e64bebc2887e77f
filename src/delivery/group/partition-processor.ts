// Processes one partition of a group while this node owns it.
//
// Owns the queues of its keys and the set of open records: those being handled, and those waiting in a queue.
// PARTITION-1. Records of one key are handled one at a time and in order; different keys run concurrently.
// PARTITION-2. The `floor` of a checkpoint never passes a record that is not handled, unless the checkpoint names the
//     record's key with its position. The next owner starts after the floor, and at the position of each named key,
//     so it misses nothing. A key is named when it would hold the floor for longer than the time between two
//     writes, and when the partition is released: work that other keys have done meanwhile is not done again.
// PARTITION-3. Memory is bounded. A key has at most `keyQueueMax` open records; further ones stay in the source, as
//     those of a failed key do. With `deferredKeysMax` deferred keys, a record that fails stays open and holds the floor.

import type { Mark } from '../../model/mark.js'
import type { Position } from '../../model/version.js'
import { pause } from '../../model/wait.js'
import { delayAfter } from '../../model/backoff.js'
import { type Marks, withMark } from '../source/marks.js'
import type { SourceRecord } from '../source/record-source.js'
import {
  CheckpointWriter,
  type CheckpointWriterOptions,
  type Progress,
} from './checkpoint-writer.js'
import { DeferredKeys, type DeferredKeysOptions } from './deferred-keys.js'
import { type HandlingResult, isAborted, type RecordHandler } from './handling.js'
import { PartitionLifetime } from './partition-lifetime.js'
import { deferredKeysMax, progressOf } from './partition-progress.js'
import type { PartitionState } from './partition-state.js'

export interface PartitionProcessorOptions<T>
  extends CheckpointWriterOptions, DeferredKeysOptions<T> {
  readonly handle: RecordHandler<T>
  /** PARTITION-3. Default 256. */
  readonly keyQueueMax?: number
  /** The marks of the checkpoint (MARKS-1). Default: none. */
  readonly marks?: Marks
}

/** Positions that a partition without records advances before a write. */
const idleStride = 1_000
const keyQueueMaxDefault = 256

export class PartitionProcessor<T> {
  readonly #options: PartitionProcessorOptions<T>
  readonly #lifetime = new PartitionLifetime()
  readonly #checkpoint: CheckpointWriter
  readonly #deferred: DeferredKeys<T>
  readonly #queues = new Map<string, SourceRecord<T>[]>()
  /** When each was written. In the order of positions, because records are offered in that order. */
  readonly #open = new Map<Position, number | undefined>()
  #position: Position
  #marks: Marks
  /** The last record that the source was read up to and whose id is known. */
  #newestMark: Mark | undefined
  #hasSuspects = false

  constructor(options: PartitionProcessorOptions<T>) {
    this.#options = options
    this.#position = options.floor
    this.#marks = options.marks ?? []
    this.#checkpoint = new CheckpointWriter(options, this.#lifetime, {
      progress: savedPosition => this.#progress(savedPosition),
      deferredCount: () => this.#deferred.size,
      abandon: () => this.abandon(),
    })
    this.#deferred = new DeferredKeys(
      options,
      this.#lifetime,
      this.#checkpoint,
      (record, attempt, firstAt, isAfterCrash) =>
        this.#attempt(record, attempt, firstAt, isAfterCrash),
    )
  }

  /** The last record that was offered or skipped. */
  get position(): Position {
    return this.#position
  }

  /** Records being handled, or waiting for one of the same key. */
  get open(): number {
    return this.#open.size
  }

  /** Keys that a failed record defers. */
  get failing(): number {
    return this.#deferred.failingCount
  }

  /**
   * When the oldest record was written that is read and not handled, ms since 1970; for a deferred key, when its first
   * attempt was. `undefined` if there is none.
   */
  get oldestAt(): number | undefined {
    let oldest = Infinity
    for (const at of this.#open.values()) {
      oldest = at ?? Infinity
      break
    }
    for (const { firstAt } of this.#deferred.values()) oldest = Math.min(oldest, firstAt)
    return oldest === Infinity ? undefined : oldest
  }

  /** What it has still to handle, in words; `undefined` if all that is left waits for the clock. */
  get unsettled(): string | undefined {
    if (this.#open.size > 0) return `handles ${this.#open.size} records`
    const ready = this.#deferred.ready()
    if (ready === undefined) return undefined
    const { key, error } = ready
    return `has records of ${key} left${error === '' ? '' : `, and retries: ${error}`}`
  }

  /** Every record up to here is handled, or its key is deferred. */
  get floor(): Position {
    for (const position of this.#open.keys()) return position - 1
    return this.#position
  }

  /** Accepts the next record of this partition. A record that was offered before is ignored. */
  offer(record: SourceRecord<T>, mark?: Mark): void {
    const { key, position, value } = record
    if (position <= this.#position || !this.#lifetime.isReading) return
    this.#position = position
    this.#newestMark = mark ?? this.#newestMark
    if (this.#deferred.has(key)) {
      if (value !== undefined) this.#deferred.extend(key, position)
      return this.#checkpoint.saveSoon()
    }
    if (value === undefined) return this.#checkpoint.saveSoon()
    const queue = this.#queues.get(key)
    const { keyQueueMax = keyQueueMaxDefault, suspectsUpTo } = this.#options
    const isLong = queue !== undefined && queue.length >= keyQueueMax
    const isSuspect = queue === undefined && position <= suspectsUpTo
    if ((isLong || isSuspect) && this.#deferred.size < deferredKeysMax) {
      // PARTITION-3, DEFERRED-KEYS-3.
      this.#deferred.defer(key, position)
      if (isSuspect) {
        this.#tellOfSuspects()
        this.#deferred.schedule(key, 0)
      }
      return this.#checkpoint.saveSoon()
    }
    this.#open.set(position, record.at)
    if (queue !== undefined) queue.push(record)
    else {
      const started = [record]
      this.#queues.set(key, started)
      void this.#processQueue(key, started)
    }
  }

  /** DEFERRED-KEYS-3. Once: a partition without such records has nothing that could have ended a node. */
  #tellOfSuspects(): void {
    if (this.#hasSuspects) return
    this.#hasSuspects = true
    const { claim, suspectsUpTo, log } = this.#options
    log(
      'warn',
      `${claim.crashes} nodes in a row have ended at the same record of partition ${this.#checkpoint.name}: the records up ` +
        `to position ${suspectsUpTo} are handled one at a time, in case one of them ends its process`,
      { floor: this.#checkpoint.floor, suspectsUpTo },
    )
  }

  /** Reports that the source holds no further record of this partition up to a position. */
  skipTo(position: Position, mark?: Mark): void {
    if (position <= this.#position || !this.#lifetime.isReading) return
    this.#position = position
    this.#newestMark = mark ?? this.#newestMark
    if (this.floor - this.#checkpoint.floor >= idleStride) this.#checkpoint.saveSoon()
  }

  /**
   * Starts no further record, waits at most `timeout` ms for those in progress, and releases the
   * partition to the next owner. The last write may take longer: see {@link abandon}.
   */
  async release(timeout: number): Promise<void> {
    const lifetime = this.#lifetime
    if (!lifetime.isReading) return
    lifetime.finish()
    this.#cancelTimers()
    await lifetime.idle(timeout)
    lifetime.interrupt()
    await this.#checkpoint.settled()
    if (!lifetime.isFinishing) return
    lifetime.end()
    try {
      // One attempt: if it fails, the next owner waits until this node has left.
      await this.#checkpoint.saveLast()
    } catch (error) {
      this.#options.log('warn', `Partition ${this.#checkpoint.name} was not released`, {
        err: error,
      })
    }
  }

  /** Ends at once. Results of records in progress are ignored from now on. */
  abandon(): void {
    if (this.#lifetime.isEnded) return
    this.#lifetime.abandon()
    this.#cancelTimers()
  }

  /** How the partition is left, once it is released or abandoned (CLAIM-4). */
  left(): PartitionState {
    const { floor, deferred, marks } = this.#progress(this.#position)
    return { epoch: this.#options.claim.epoch, floor, deferred, marks }
  }

  /** PARTITION-1. Never rejects. */
  async #processQueue(key: string, queue: SourceRecord<T>[]): Promise<void> {
    const { counters, clock, backoff, onSettled } = this.#options
    const lifetime = this.#lifetime
    const checkpoint = this.#checkpoint
    const deferred = this.#deferred
    lifetime.taskStarted()
    let attempt = 1
    let firstAt = 0
    for (let record = queue[0]; record !== undefined; record = queue[0]) {
      if (!lifetime.isReading) break
      if (attempt === 1) firstAt = clock.now()
      if (!checkpoint.allowsStart(record.position) && !(await checkpoint.saved())) break
      const result = await this.#attempt(record, attempt, firstAt)
      if (lifetime.isEnded || isAborted(result)) break
      if (result.kind === 'retry') {
        if (deferred.has(key) || deferred.size < deferredKeysMax) {
          const last = deferred.upTo(key) ?? queue.at(-1)!.position
          deferred.fail(record, attempt, firstAt, last, result)
          for (const { position } of queue) this.#open.delete(position)
          break
        }
        // PARTITION-3.
        counters.failures++
        const { after = delayAfter(attempt++, backoff) } = result
        const { finishing } = lifetime
        await (clock.wait?.(after, finishing) ?? pause(after, finishing))
        continue
      }
      attempt = 1
      queue.shift()
      this.#open.delete(record.position)
      counters.handled++
      checkpoint.saveSoon()
      onSettled()
    }
    // After a release the queue belongs to the next owner (PARTITION-2).
    if (lifetime.isReading) {
      this.#queues.delete(key)
      // PARTITION-3: continue with the records that stayed in the source.
      if (queue[0] === undefined && deferred.has(key)) deferred.schedule(key, 0)
    }
    onSettled()
    lifetime.taskEnded()
  }

  async #attempt(
    record: SourceRecord<T>,
    attempt: number,
    firstAt: number,
    isAfterCrash = false,
  ): Promise<HandlingResult> {
    const { handle, maybeHandledUpTo, claim } = this.#options
    const { position, value } = record
    try {
      return await handle(value as T, {
        position,
        attempt,
        firstAt,
        epoch: claim.epoch,
        isAfterCrash,
        mayBeRepeat: attempt > 1 || position <= maybeHandledUpTo,
        signal: this.#lifetime.interrupting,
      })
    } catch (error) {
      return { kind: 'retry', error }
    }
  }

  #progress(savedPosition: Position): Progress {
    if (this.#newestMark !== undefined)
      this.#marks = withMark(this.#marks, this.#newestMark)
    const { position, floor, deferred } = progressOf({
      position: this.#position,
      savedPosition,
      isReleased: this.#lifetime.isEnded,
      now: this.#options.clock.now(),
      queues: this.#queues,
      deferredKeys: this.#deferred.values(),
      isDeferred: key => this.#deferred.has(key),
    })
    return { position, floor, deferred, marks: this.#marks }
  }

  #cancelTimers(): void {
    this.#deferred.cancelWaits()
    this.#checkpoint.cancelTimer()
  }
}
