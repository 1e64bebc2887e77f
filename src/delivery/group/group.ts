// A consumer group: nodes that read one source together, so that each record is handled by one of them.
// This is one node's part.
//
// The source is divided into partitions. Placement assigns each to a node; the revision of the partition's
// document decides which node owns it (CHECKPOINT-WRITER-1).
// Owns the processors of the partitions that this node owns, and the read loop that feeds them.
//
// GROUP-1. A partition that placement assigns to this node is claimed (CLAIM-1).
// GROUP-2. A partition that placement assigns to another node gets no further records, ends those in progress, and is
//     released.
// GROUP-3. At most `openMax` records are open at a time; the source is not read further until there is room.
// GROUP-4. Nothing is handled after `stop` has resolved. It resolves in time, even when a handler hangs.
// GROUP-5. Partitions that are claimed or released at about the same time restart the read loop once, not once each.

import { setMaxListeners } from 'node:events'

import type { Clock } from '../../model/clock.js'
import { isCairnError } from '../../model/errors.js'
import type { WriteLog } from '../../model/log.js'
import { pause } from '../../model/wait.js'
import type { DocumentKey, Documents } from '../../store/documents/documents.js'
import { type Backoff, backoffDefault } from '../../model/backoff.js'
import { FailureLog } from '../failure-log.js'
import type { RecordSource } from '../source/record-source.js'
import {
  claimPartition,
  handoverTimeout,
  type PartitionAssignment,
} from './claim-partition.js'
import type { PartitionCounters } from './deferred-keys.js'
import { lagSince } from '../health.js'
import type { RecordHandler } from './handling.js'
import { OpenRecordLimit } from './open-record-limit.js'
import { PartitionProcessor } from './partition-processor.js'
import type { PartitionOwner, PartitionState, Start } from './partition-state.js'
import { SerialExecutor } from './serial-executor.js'
import { onAbort } from '../../model/on-abort.js'

export interface GroupOptions<T> {
  readonly name: string
  /** Prefix of the names of its documents. Default: the group's name. */
  readonly path?: DocumentKey
  readonly source: RecordSource<T>
  /** Where a partition begins that has no checkpoint. Default: with the first record. */
  readonly start?: Start
  readonly handle: RecordHandler<T>
  readonly documents: Documents
  readonly assignment: PartitionAssignment
  readonly self: PartitionOwner
  readonly clock: Clock
  readonly log: WriteLog
  readonly backoff?: Backoff
  /** GROUP-3. Default 1,000. */
  readonly openMax?: number
  /** Open records of one key, at most. Default 256. */
  readonly keyQueueMax?: number
  /** Called when the checkpoint of a partition is damaged. */
  readonly onDamaged?: (partition: number) => void
  /** Shared by the groups of a node. Default: one of its own. */
  readonly serialExecutor?: SerialExecutor
}

export interface GroupStats {
  /** Partitions that this node reads. */
  readonly partitions: number
  /** Records being handled, or waiting for one of the same key. */
  readonly open: number
  /** Keys that wait because one of their records failed. */
  readonly failing: number
  /**
   * Seconds since the oldest record was written that this node has read and not handled; for a failing key, since its
   * first attempt. 0 for none.
   */
  readonly lagSeconds: number
  /** Records handled, and failed attempts, since the start. */
  readonly handled: number
  readonly failures: number
  /** Partitions whose source was not the one that their checkpoint is from, since the start: it was restored. */
  readonly setBack: number
  /**
   * Checkpoints that were damaged or removed, since the start: their partitions go on where this node had left them, or
   * have started again from the first record.
   */
  readonly damaged: number
}

/** The stats of a group in which the node takes no part. */
export const emptyGroupStats: GroupStats = {
  partitions: 0,
  open: 0,
  failing: 0,
  lagSeconds: 0,
  handled: 0,
  failures: 0,
  setBack: 0,
  damaged: 0,
}

const retryDelay = 500
/** GROUP-5. Milliseconds. */
const changeDelay = 50

export class Group<T> {
  readonly #options: GroupOptions<T>
  readonly #partitions = new Map<number, PartitionProcessor<T>>()
  /** How this node has left partitions (CLAIM-4). */
  readonly #left = new Map<number, PartitionState>()
  /** Claims and releases in progress, by partition. */
  readonly #changing = new Map<number, Promise<void>>()
  readonly #counters: PartitionCounters = { handled: 0, failures: 0 }
  readonly #limit: OpenRecordLimit
  readonly #failures: FailureLog
  readonly #serialExecutor: SerialExecutor
  readonly #stopping = new AbortController()
  /** Fires when the read loop has to restart with other partitions. */
  #round = new AbortController()
  /** GROUP-5. */
  #changeTimer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #setBack = 0
  #damaged = 0
  #isEnded = false
  #stopped: Promise<void> | undefined

  constructor(options: GroupOptions<T>) {
    const { openMax = 1_000, serialExecutor = new SerialExecutor() } = options
    this.#options = options
    this.#failures = new FailureLog(options.log)
    this.#serialExecutor = serialExecutor
    this.#limit = new OpenRecordLimit(openMax, () => this.#countOpen())
    // Every partition may listen to it; each listener is removed.
    setMaxListeners(0, this.#stopping.signal)
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Ends the records in progress, within `timeout` ms, and releases every partition (GROUP-4). */
  stop(timeout: number): Promise<void> {
    this.#stopped ??= this.#stop(timeout)
    return this.#stopped
  }

  stats(): GroupStats {
    let failing = 0
    let oldest = Infinity
    for (const processor of this.#partitions.values()) {
      failing += processor.failing
      oldest = Math.min(oldest, processor.oldestAt ?? Infinity)
    }
    return {
      partitions: this.#partitions.size,
      open: this.#limit.open,
      failing,
      lagSeconds: lagSince(oldest, this.#options.clock.now()),
      ...this.#counters,
      setBack: this.#setBack,
      damaged: this.#damaged,
    }
  }

  /**
   * What this node has still to handle of what the source holds, in words; `undefined` for nothing. A record whose next
   * attempt waits for a clock that is moved by hand is not counted.
   */
  async unsettled(signal: AbortSignal): Promise<string | undefined> {
    const { assignment, source, name } = this.#options
    for (let partition = 0; partition < source.partitions; partition++) {
      const isOwned = this.#partitions.has(partition)
      if (isOwned !== assignment.isOurs(partition) || this.#changing.has(partition))
        return `${name} takes over or gives up partition ${partition}`
    }
    const unread = await this.#findUnread(signal)
    if (unread !== undefined) return `${name} has not read ${unread}`
    for (const { unsettled } of this.#partitions.values())
      if (unsettled !== undefined) return `${name} ${unsettled}`
    return undefined
  }

  async #findUnread(signal: AbortSignal): Promise<string | undefined> {
    const { source } = this.#options
    const processors = [...this.#partitions.values()]
    if (processors.length === 0) return undefined
    const read = Math.min(...processors.map(({ position }) => position))
    const last = await source.lastPosition(signal)
    if (read >= last) return undefined
    if (source.left === undefined) {
      const end = (await source.lastAfter?.(read, signal)) ?? last
      return read < end ? `records after ${read}` : undefined
    }
    for await (const { position, partition, value } of source.left(last, signal)) {
      const processor = this.#partitions.get(partition)
      if (value !== undefined && processor !== undefined && processor.position < position)
        return `the record at ${position}`
    }
    return undefined
  }

  /** GROUP-4. A quarter of the time is kept for the last checkpoints. */
  async #stop(timeout: number): Promise<void> {
    this.#stopping.abort()
    this.#round.abort()
    this.#limit.notify()
    const inTime = new AbortController()
    const released = this.#releaseAll(timeout * 0.75).then(() => inTime.abort())
    await Promise.race([released, pause(timeout, inTime.signal)])
    this.#isEnded = true
    for (const processor of this.#partitions.values()) processor.abandon()
    this.#partitions.clear()
  }

  /** Never rejects. */
  async #releaseAll(timeout: number): Promise<void> {
    // Partitions that are owned already do not wait for those that are being claimed.
    const release = () =>
      [...this.#partitions.values()].map(processor => processor.release(timeout))
    await Promise.all([this.#running, ...this.#changing.values(), ...release()])
    await Promise.all(release())
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { assignment, name } = this.#options
    const stopListening = assignment.onChange(() => this.#round.abort())
    while (!this.#stopping.signal.aborted) {
      clearTimeout(this.#changeTimer)
      this.#changeTimer = undefined
      this.#round = new AbortController()
      setMaxListeners(0, this.#round.signal)
      this.#changePartitions()
      try {
        const round = this.#round.signal
        await this.#feed(round)
        // A source that ends by itself is closed, or about to be.
        if (!round.aborted) await pause(retryDelay, this.#stopping.signal)
      } catch (error) {
        if (this.#stopping.signal.aborted || isCairnError(error, 'store-closed')) break
        if (this.#round.signal.aborted) continue
        this.#failures.failed(
          `Group ${name} could not read its source; it retries`,
          error,
        )
        await pause(retryDelay, this.#stopping.signal)
      }
    }
    stopListening()
    clearTimeout(this.#changeTimer)
  }

  /** GROUP-1, GROUP-2. Partitions change independently of each other. */
  #changePartitions(): void {
    const { assignment, source } = this.#options
    for (let partition = 0; partition < source.partitions; partition++) {
      const isOwned = this.#partitions.has(partition)
      if (assignment.isOurs(partition) === isOwned || this.#changing.has(partition))
        continue
      const change = isOwned ? this.#release(partition) : this.#claim(partition)
      const settled = change.then(
        () => {},
        (error: unknown) => this.#changeFailed(partition, error),
      )
      this.#changing.set(partition, settled)
      void settled.then(() => {
        this.#changing.delete(partition)
        this.#changed()
      })
    }
  }

  /** GROUP-5. A partition that waits for its last owner delays no other. */
  #changed(): void {
    if (this.#changing.size === 0) return this.#round.abort()
    this.#changeTimer ??= setTimeout(() => this.#round.abort(), changeDelay)
  }

  async #changeFailed(partition: number, error: unknown): Promise<void> {
    if (this.#stopping.signal.aborted) return
    const { name } = this.#options
    const text = `Partition ${partition} of group ${name} could not be claimed; the claim is retried`
    this.#failures.failed(text, error)
    await pause(retryDelay, this.#stopping.signal)
  }

  async #release(partition: number): Promise<void> {
    const processor = this.#partitions.get(partition)
    await processor?.release(handoverTimeout)
    if (processor !== undefined) this.#left.set(partition, processor.left())
    this.#partitions.delete(partition)
    this.#limit.notify()
  }

  async #claim(partition: number): Promise<void> {
    const { name, documents, assignment, self, source, handle } = this.#options
    const {
      clock,
      log,
      onDamaged,
      path = [name],
      start,
      backoff = backoffDefault,
      keyQueueMax,
    } = this.#options
    const document = [...path, String(partition)]
    const { signal } = this.#stopping
    const about = {
      group: name,
      partition,
      document,
      documents,
      assignment,
      self,
      source,
      log,
    }
    const remembered = this.#left.get(partition)
    const claimed = await claimPartition({ ...about, remembered, start, signal })
    this.#failures.succeeded()
    if (claimed === undefined || this.#isEnded) return
    if (claimed.isSetBack) this.#setBack++
    if (claimed.isDamaged) {
      this.#damaged++
      onDamaged?.(partition)
    }
    const processor = new PartitionProcessor<T>({
      ...claimed,
      document,
      documents,
      owner: self,
      serialExecutor: this.#serialExecutor,
      source,
      handle,
      clock,
      backoff,
      counters: this.#counters,
      ...(keyQueueMax !== undefined && { keyQueueMax }),
      log,
      onLost: () => this.#lost(partition, processor),
      onSettled: () => this.#limit.notify(),
      acquireSlot: slotSignal => this.#limit.acquire(slotSignal),
    })
    this.#partitions.set(partition, processor)
  }

  #lost(partition: number, lost: PartitionProcessor<T>): void {
    const { log, name } = this.#options
    log(
      'info',
      `Partition ${partition} of group ${name} is owned by another node now`,
      {},
    )
    this.#left.set(partition, lost.left())
    if (this.#partitions.get(partition) === lost) this.#partitions.delete(partition)
    this.#limit.notify()
    this.#round.abort()
  }

  /** Reads the source from the lowest position of all partitions, until the signal fires. */
  async #feed(round: AbortSignal): Promise<void> {
    const { source } = this.#options
    const partitions = [...this.#partitions]
    if (partitions.length === 0) return waitFor(round)
    const after = Math.min(...partitions.map(([, processor]) => processor.position))
    for await (const record of source.follow(after, round)) {
      this.#failures.succeeded()
      while (!this.#limit.hasRoom && !round.aborted) await this.#limit.change(round)
      if (round.aborted) return
      const { position, id } = record
      const mark = id === undefined ? undefined : { position, id }
      for (const [partition, processor] of partitions)
        if (partition === record.partition) processor.offer(record, mark)
        else processor.skipTo(position, mark)
    }
  }

  #countOpen(): number {
    let open = 0
    for (const processor of this.#partitions.values()) open += processor.open
    return open
  }
}

function waitFor(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve()
    onAbort(signal, () => resolve())
  })
}
