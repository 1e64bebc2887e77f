// Keys of one partition whose records are left in the source, and read from there when their time has come.
//
// Owns the deferred keys and the timers of their next attempts.
// DEFERRED-KEYS-1. No record of a deferred key is handled until its first one has succeeded. Records that arrive
//     meanwhile stay in the source. They are read and handled in order up to the last one that was offered.
// DEFERRED-KEYS-2. Catching up with a key takes one of the slots of open records.
// DEFERRED-KEYS-3. When owner after owner crashed with the same floor, a record may be the cause. Every record up to
//     the start limit of the last owner is a suspect: it is handled alone on its node, and its start is stored
//     before, so that a crash counts as an attempt of this record only. The same holds for the record at which a
//     key stayed while owner after owner crashed, wherever the floor is.

import type { Clock } from '../../model/clock.js'
import { messageOf } from '../../model/errors.js'
import type { WriteLog } from '../../model/log.js'
import type { Position } from '../../model/version.js'
import { type Backoff, delayAfter } from '../../model/backoff.js'
import type { RecordSource, SourceRecord } from '../source/record-source.js'
import type { CheckpointWriter } from './checkpoint-writer.js'
import { type HandlingResult, isAborted } from './handling.js'
import type { PartitionLifetime } from './partition-lifetime.js'
import { untriedKey } from './partition-progress.js'
import type { DeferredKey } from './partition-state.js'
import type { SerialExecutor } from './serial-executor.js'

export interface PartitionCounters {
  handled: number
  failures: number
}

export interface DeferredKeysOptions<T> {
  readonly floor: Position
  /** The deferred keys of the checkpoint. */
  readonly deferred: readonly DeferredKey[]
  /** DEFERRED-KEYS-3. Records up to here are suspects; 0 for none. */
  readonly suspectsUpTo: Position
  readonly serialExecutor: SerialExecutor
  readonly source: RecordSource<T>
  readonly clock: Clock
  readonly backoff: Backoff
  readonly counters: PartitionCounters
  readonly log: WriteLog
  /** Called when a record is not open any more. */
  readonly onSettled: () => void
  /**
   * DEFERRED-KEYS-2: Waits for a free slot and takes it; the returned function releases it. Resolves with
   * `undefined` when the signal fires first.
   */
  readonly acquireSlot: (signal: AbortSignal) => Promise<(() => void) | undefined>
}

/** Makes one attempt at a record. Never rejects. */
export type AttemptRecord<T> = (
  record: SourceRecord<T>,
  attempt: number,
  firstAt: number,
  isAfterCrash?: boolean,
) => Promise<HandlingResult>

interface Entry extends DeferredKey {
  /** The last of its records that was offered: the key is read up to here. */
  readonly upTo: Position
}

/** DEFERRED-KEYS-3. This many crashes in a row are no accident. */
export const suspiciousCrashes = 2
const readRetryDelay = 1_000
const timeoutMax = 2 ** 31 - 1

export class DeferredKeys<T> {
  readonly #options: DeferredKeysOptions<T>
  readonly #lifetime: PartitionLifetime
  readonly #checkpoint: CheckpointWriter
  readonly #attemptRecord: AttemptRecord<T>
  readonly #entries = new Map<string, Entry>()
  /** Cancels the wait for the next attempt, by key. */
  readonly #waits = new Map<string, () => void>()

  constructor(
    options: DeferredKeysOptions<T>,
    lifetime: PartitionLifetime,
    checkpoint: CheckpointWriter,
    attemptRecord: AttemptRecord<T>,
  ) {
    this.#options = options
    this.#lifetime = lifetime
    this.#checkpoint = checkpoint
    this.#attemptRecord = attemptRecord
    const now = options.clock.now()
    for (const key of options.deferred) {
      this.#entries.set(key.key, { ...key, upTo: Math.max(options.floor, key.position) })
      // Clocks of nodes differ: no key waits longer than its last owner intended.
      const longest = Math.max(options.backoff.max, key.nextAt - key.firstAt)
      this.schedule(key.key, Math.min(longest, Math.max(0, key.nextAt - now)))
    }
  }

  get size(): number {
    return this.#entries.size
  }

  /** Keys that a failed record defers. */
  get failingCount(): number {
    let count = 0
    for (const { attempts } of this.#entries.values()) if (attempts > 0) count++
    return count
  }

  /** A key whose next attempt no clock has to be moved for; `undefined` for none. */
  ready(): DeferredKey | undefined {
    const { clock } = this.#options
    for (const entry of this.#entries.values())
      if (clock.wait === undefined || entry.nextAt <= clock.now()) return entry
    return undefined
  }

  has(key: string): boolean {
    return this.#entries.has(key)
  }

  values(): Iterable<DeferredKey> {
    return this.#entries.values()
  }

  /** The last offered record of a key; `undefined` when the key is not deferred. */
  upTo(key: string): Position | undefined {
    return this.#entries.get(key)?.upTo
  }

  /** Leaves a further record of a deferred key in the source (DEFERRED-KEYS-1). */
  extend(key: string, position: Position): void {
    const entry = this.#entries.get(key)!
    this.#entries.set(key, { ...entry, upTo: Math.max(entry.upTo, position) })
  }

  /** Defers a key whose record at `position` has not been tried. */
  defer(key: string, position: Position): void {
    const now = this.#options.clock.now()
    this.#entries.set(key, { ...untriedKey(key, position, now), upTo: position })
  }

  /** Defers a key whose record has failed, and schedules its next attempt. */
  fail(
    { key, position }: SourceRecord<T>,
    attempts: number,
    firstAt: number,
    last: Position,
    { error, after }: HandlingResult & { kind: 'retry' },
  ): void {
    const { backoff, clock, counters } = this.#options
    counters.failures++
    const delay = after ?? delayAfter(attempts, backoff)
    const nextAt = clock.now() + delay
    const upTo = Math.max(last, this.#entries.get(key)?.upTo ?? position)
    const failed = { key, position, attempts, firstAt, nextAt, error: messageOf(error) }
    this.#entries.set(key, { ...failed, upTo })
    this.schedule(key, delay)
    this.#checkpoint.save() // CHECKPOINT-WRITER-3
  }

  /** Catches up with a key after `delay` milliseconds. */
  schedule(key: string, delay: number): void {
    if (!this.#lifetime.isReading) return
    const { clock } = this.#options
    if (clock.wait !== undefined && delay > 0) {
      const waiting = new AbortController()
      this.#waits.set(key, () => waiting.abort())
      void clock.wait(delay, waiting.signal).then(() => {
        if (!waiting.signal.aborted) void this.#catchUp(key)
      })
      return
    }
    this.#startTimer(key, delay)
  }

  #startTimer(key: string, delay: number): void {
    const timer = setTimeout(() => void this.#catchUp(key), Math.min(delay, timeoutMax))
    timer.unref()
    this.#waits.set(key, () => clearTimeout(timer))
  }

  cancelWaits(): void {
    for (const cancel of this.#waits.values()) cancel()
    this.#waits.clear()
  }

  /** DEFERRED-KEYS-1. Never rejects. */
  async #catchUp(key: string): Promise<void> {
    this.#waits.delete(key)
    const { acquireSlot, log } = this.#options
    const releaseSlot = await acquireSlot(this.#lifetime.finishing)
    if (!this.#lifetime.isReading) return releaseSlot?.()
    this.#lifetime.taskStarted()
    try {
      await this.#handleKey(key)
    } catch (error) {
      if (!this.#lifetime.interrupting.aborted) {
        log(
          'warn',
          `The deferred records of ${key} could not be read; they are retried`,
          {
            err: error,
          },
        )
        // Whatever the node's clock says: no moment of it makes the source readable.
        if (this.#lifetime.isReading) this.#startTimer(key, readRetryDelay)
      }
    }
    releaseSlot?.()
    this.#lifetime.taskEnded()
  }

  async #handleKey(key: string): Promise<void> {
    const { source, counters, clock, onSettled } = this.#options
    const lifetime = this.#lifetime
    for (;;) {
      const { position: from, upTo } = this.#entries.get(key)!
      for await (const record of source.readKey(key, from, upTo, lifetime.interrupting)) {
        if (!lifetime.isReading) return
        const entry = this.#entries.get(key)!
        if (record.value !== undefined) {
          const isRetry = record.position === entry.position && entry.attempts > 0
          const attempts = isRetry ? entry.attempts + 1 : 1
          const firstAt = isRetry ? entry.firstAt : clock.now()
          const result = await this.#attempt(record, { key, attempts, firstAt, upTo })
          if (result === undefined || lifetime.isEnded || isAborted(result)) return
          if (result.kind === 'retry')
            return this.fail(record, attempts, firstAt, upTo, result)
          counters.handled++
        }
        const { upTo: newest } = this.#entries.get(key)!
        const { isStarted: _, crashes: __, ...rest } = entry
        const next = { position: record.position + 1, attempts: 0, upTo: newest }
        this.#entries.set(key, { ...rest, ...next })
        this.#checkpoint.saveSoon()
      }
      // No record was offered between the end of that read and here: all are handled.
      if (this.#entries.get(key)!.upTo === upTo) break
    }
    this.#entries.delete(key)
    this.#checkpoint.save()
    onSettled()
  }

  /** Resolves with `undefined` when no record may be started any more. */
  async #attempt(
    record: SourceRecord<T>,
    start: Pick<Entry, 'key' | 'attempts' | 'firstAt' | 'upTo'>,
  ): Promise<HandlingResult | undefined> {
    const { position } = record
    const { suspectsUpTo, serialExecutor, clock, backoff } = this.#options
    const { key, attempts, firstAt } = start
    const { isStarted: isAfterCrash = false, crashes = 0 } = this.#entries.get(key) ?? {}
    const isSuspect = position <= suspectsUpTo || crashes >= suspiciousCrashes
    if (!isAfterCrash && !isSuspect) {
      const mustSave = !this.#checkpoint.allowsStart(position)
      if (mustSave && !(await this.#checkpoint.saved())) return undefined
      return this.#attemptRecord(record, attempts, firstAt)
    }
    // DEFERRED-KEYS-3.
    return serialExecutor.run(async () => {
      const { upTo } = this.#entries.get(key) ?? start
      const error = 'its node ended while it was being handled'
      const nextAt = clock.now() + delayAfter(attempts, backoff)
      const started = { ...start, upTo, position, nextAt, error, isStarted: true }
      this.#entries.set(key, started)
      await this.#checkpoint.saved()
      if (!this.#lifetime.isReading) return undefined
      return this.#attemptRecord(record, attempts, firstAt, isAfterCrash)
    })
  }
}
