// Writes the checkpoint document of one partition while this node owns it.
//
// Owns the document's revision and the positions that were written last.
// CHECKPOINT-WRITER-1. Each write expects the revision of the one before. A conflict means that another node
//     has taken the partition: this one stops.
// CHECKPOINT-WRITER-2. No record after the `startLimit` of the document is started. So the next owner knows which
//     records may have been handled, even by an owner that does not know yet that it lost the partition.
// CHECKPOINT-WRITER-3. Progress is written within `saveDelay`; failures at once, so that attempts and the time of
//     the next one survive this node. With many deferred keys a write waits up to a second.
// CHECKPOINT-WRITER-4. A record is started only while a write that began in the last 1.5 s has succeeded, or after
//     another one: an owner that was frozen or cut off finds that the partition was taken before it handles, as the
//     first, what another one has handled.

import { isCairnError } from '../../model/errors.js'
import type { WriteLog } from '../../model/log.js'
import type { Position } from '../../model/version.js'
import { pause } from '../../model/wait.js'
import type { Document, DocumentKey, Documents } from '../../store/documents/documents.js'
import { FailureLog } from '../failure-log.js'
import type { Marks } from '../source/marks.js'
import type { PartitionLifetime } from './partition-lifetime.js'
import {
  decodePartitionState,
  type DeferredKey,
  encodePartitionState,
  type PartitionOwner,
} from './partition-state.js'

/** The claim of a partition as its document states it. */
export interface PartitionClaim {
  readonly revision: number
  readonly epoch: number
  readonly startLimit: Position
  readonly crashes: number
  /** When its write began, ms of the monotonic clock. */
  readonly confirmedAt: number
  /** Fields of the document that this build does not know. */
  readonly unknown?: Readonly<Record<string, unknown>> | undefined
}

export interface CheckpointWriterOptions {
  readonly document: DocumentKey
  readonly documents: Documents
  readonly claim: PartitionClaim
  readonly owner: PartitionOwner
  /** The floor when the partition was claimed. */
  readonly floor: Position
  /** Records up to here may have been handled by an earlier owner. */
  readonly maybeHandledUpTo: Position
  readonly log: WriteLog
  /** Called once when another owner has taken the partition (CHECKPOINT-WRITER-1). */
  readonly onLost: () => void
}

/** What a partition has done at one time. */
export interface Progress {
  /** The last record that was offered or skipped. */
  readonly position: Position
  readonly floor: Position
  readonly deferred: readonly DeferredKey[]
  readonly marks: Marks
}

export interface CheckpointedPartition {
  /** @param savedPosition the position at the last write */
  progress(savedPosition: Position): Progress
  deferredCount(): number
  /** Stops all work at once. */
  abandon(): void
}

/** CHECKPOINT-WRITER-2. Records that may be started after one write. */
export const startLimitStride = 10_000
/** CHECKPOINT-WRITER-4. Milliseconds: shorter than a node needs to be given up by the others. */
const confirmedFor = 1_500
/** Milliseconds until progress is written. */
const saveDelay = 200
const saveRetryDelay = 250

export class CheckpointWriter {
  readonly #options: CheckpointWriterOptions
  readonly #lifetime: PartitionLifetime
  readonly #partition: CheckpointedPartition
  readonly #failures: FailureLog
  #revision: number
  #position: Position
  #floor: Position
  #startLimit: Position
  #confirmedAt: number
  #isDirty = false
  #saving: Promise<void> | undefined
  #saveTimer: NodeJS.Timeout | undefined

  constructor(
    options: CheckpointWriterOptions,
    lifetime: PartitionLifetime,
    partition: CheckpointedPartition,
  ) {
    this.#options = options
    this.#lifetime = lifetime
    this.#partition = partition
    this.#failures = new FailureLog(options.log)
    this.#revision = options.claim.revision
    this.#position = options.floor
    this.#floor = options.floor
    this.#startLimit = options.claim.startLimit
    this.#confirmedAt = options.claim.confirmedAt
  }

  /** The floor in the document. */
  get floor(): Position {
    return this.#floor
  }

  get name(): string {
    return this.#options.document.join('.')
  }

  /** Whether the record may be started before another write (CHECKPOINT-WRITER-2, CHECKPOINT-WRITER-4). */
  allowsStart(position: Position): boolean {
    return (
      position <= this.#startLimit && performance.now() - this.#confirmedAt < confirmedFor
    )
  }

  /** Writes progress after `saveDelay`. */
  saveSoon(): void {
    if (!this.#lifetime.isReading || this.#saveTimer !== undefined) return
    this.#saveTimer = setTimeout(() => {
      this.#saveTimer = undefined
      this.save()
    }, saveDelay)
    this.#saveTimer.unref()
  }

  save(): void {
    this.#isDirty = true
    if (this.#lifetime.isReading) this.#saving ??= this.#saveAll()
  }

  /**
   * Resolves when the present progress is stored, or when the partition is not read any more: with false
   * then, and no record may be started.
   */
  async saved(): Promise<boolean> {
    this.save()
    await this.#saving
    return this.#lifetime.isReading
  }

  /** Resolves when no write is in progress. */
  async settled(): Promise<void> {
    await this.#saving
  }

  cancelTimer(): void {
    clearTimeout(this.#saveTimer)
    this.#saveTimer = undefined
  }

  /** Writes the last checkpoint. It gives up ownership when all handlers have ended. */
  async saveLast(): Promise<void> {
    await this.#put(this.#lifetime.isIdle)
  }

  /** Writes until no change is left. Never rejects. */
  async #saveAll(): Promise<void> {
    while (this.#isDirty && !this.#lifetime.isEnded) {
      this.#isDirty = false
      try {
        await this.#put(false)
        this.#failures.succeeded()
        // CHECKPOINT-WRITER-3: a document with many keys is not written for each of them.
        const rest = this.#isDirty
          ? Math.floor(this.#partition.deferredCount() / 32) * saveDelay
          : 0
        if (rest > 0) await pause(Math.min(1_000, rest), this.#lifetime.finishing)
      } catch (error) {
        this.#isDirty = true
        if (isCairnError(error, 'store-closed') || !this.#lifetime.isReading) break
        this.#failures.failed(
          `The checkpoint of ${this.name} could not be written; the write is retried`,
          error,
        )
        await pause(saveRetryDelay, this.#lifetime.interrupting)
      }
    }
    this.#saving = undefined
  }

  /** CHECKPOINT-WRITER-1. */
  async #put(isRelease: boolean): Promise<void> {
    const { documents, document, owner, claim, maybeHandledUpTo } = this.#options
    const { position, ...progress } = this.#partition.progress(this.#position)
    const { floor } = progress
    // After a release nothing is started, but an earlier owner may have started records.
    const startLimit = isRelease
      ? Math.max(position, maybeHandledUpTo)
      : Math.max(this.#startLimit, position + startLimitStride)
    const bytes = encodePartitionState({
      ...(!isRelease && { owner }),
      ...progress,
      ...(claim.unknown && { unknown: claim.unknown }),
      epoch: claim.epoch,
      startLimit,
      // The count grows from owner to owner while the floor stays the same.
      ...(!isRelease && floor === this.#options.floor && { crashes: claim.crashes }),
    })
    const beganAt = performance.now()
    let revision: number | 'conflict'
    try {
      revision = await documents.put(document, bytes, this.#revision)
    } catch (error) {
      if (!isCairnError(error, 'outcome-unknown')) throw error
      revision = await this.#resolveUnknown(bytes, await documents.get(document))
    }
    if (revision === 'conflict') return this.#lost()
    this.#revision = revision
    this.#position = position
    this.#floor = floor
    this.#startLimit = startLimit
    this.#confirmedAt = beganAt
  }

  /** Finds out whether a write with an unknown outcome was stored; writes again when it was not. */
  async #resolveUnknown(
    bytes: Uint8Array,
    current: Document | undefined,
  ): Promise<number | 'conflict'> {
    const { documents, document, claim } = this.#options
    if ((current?.revision ?? 0) === this.#revision)
      return documents.put(document, bytes, this.#revision)
    const isOurs =
      current !== undefined &&
      decodePartitionState(current.value, this.name).epoch === claim.epoch
    return isOurs ? current.revision : 'conflict'
  }

  #lost(): void {
    if (this.#lifetime.isEnded) return
    this.#partition.abandon()
    this.#options.onLost()
  }
}
