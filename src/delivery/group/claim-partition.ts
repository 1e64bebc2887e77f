// Claims a partition for this node: waits for its last owner, and writes the new one into its document.
//
// CLAIM-1. A node claims a partition when placement assigns it, and when its last owner has released it, has left, or
//     has not released it for `handoverTimeout`.
// CLAIM-2. The partition goes on where its checkpoint is certainly right about the source (resume.ts).
// CLAIM-3. A damaged document counts as none, and is replaced by the claim. One of a newer build is left as it is; the
//     claim waits.
// CLAIM-4. Where there is no document, a node that has owned the partition goes on where it had left it: what is handled
//     up to there stays handled, and the records after it are read again. Any other node starts where the group begins.
// CLAIM-5. The epoch grows with each claim. Without a document that tells the one before, it is the time in ms, which is more
//     than any partition has had claims.

import { messageOf } from '../../model/errors.js'
import type { WriteLog } from '../../model/log.js'
import type { OwnerFate } from '../../model/partition.js'
import type { Position } from '../../model/version.js'
import { pause } from '../../model/wait.js'
import type { Document, DocumentKey, Documents } from '../../store/documents/documents.js'
import { type Marks, marksUpTo } from '../source/marks.js'
import { type PartitionClaim, startLimitStride } from './checkpoint-writer.js'
import { suspiciousCrashes } from './deferred-keys.js'
import {
  decodePartitionState,
  type DeferredKey,
  encodePartitionState,
  initialPartitionState,
  isDamaged,
  type PartitionOwner,
  type PartitionState,
  type Start,
} from './partition-state.js'
import { resumeAfter, type ResumableSource } from './resume.js'

/** The assignment of partitions to nodes, as this node sees it. */
export interface PartitionAssignment {
  /** Whether placement assigns the partition to this node. */
  isOurs(partition: number): boolean
  /** What has become of a node that owns a partition. */
  fateOf(owner: PartitionOwner): OwnerFate | Promise<OwnerFate>
  /** Calls back when one of the two may have changed; the returned function stops that. */
  onChange(listener: () => void): () => void
}

export interface ClaimOptions {
  readonly group: string
  readonly partition: number
  readonly document: DocumentKey
  readonly documents: Documents
  readonly assignment: PartitionAssignment
  readonly self: PartitionOwner
  readonly source: ResumableSource
  readonly log: WriteLog
  /** How this node had left the partition, if it has owned it (CLAIM-4). */
  readonly remembered?: PartitionState | undefined
  /** Where the group begins. Default: with the first record. */
  readonly start?: Start | undefined
  /** Fires when the group stops. */
  readonly signal: AbortSignal
}

/** A claimed partition, as its processor starts with it. */
export interface ClaimedPartition {
  readonly claim: PartitionClaim
  readonly floor: Position
  readonly deferred: readonly DeferredKey[]
  /** Records up to here may have been handled by an earlier owner. */
  readonly maybeHandledUpTo: Position
  /** Records up to here may have crashed the earlier owners; 0 for none. */
  readonly suspectsUpTo: Position
  readonly marks: Marks
  /** The floor is lower than in the document, because the source is another one (CLAIM-2). */
  readonly isSetBack: boolean
  /** The document was damaged, or removed since this node has owned the partition (CLAIM-3, CLAIM-4). */
  readonly isDamaged: boolean
}

/** Milliseconds for a living owner to release a partition. */
export const handoverTimeout = 10_000
const handoverPollDelay = 50
/** Characters of a damaged document in the log. */
const bytesShown = 400

/** Resolves with `undefined` when the partition is not this node's any more, or when the signal fires. */
export async function claimPartition(
  options: ClaimOptions,
): Promise<ClaimedPartition | undefined> {
  const { group, partition, document, documents } = options
  const { assignment, self, source, log, signal } = options
  const deadline = performance.now() + handoverTimeout
  while (!signal.aborted && assignment.isOurs(partition)) {
    const found = await documents.get(document)
    const read = readState(found, options)
    const { state } = read
    const { owner, crashes: before = 0, ...kept } = state
    const { floor, marks = [] } = kept
    const hasOtherOwner = owner !== undefined && !isSameOwner(owner, self)
    const fate = hasOtherOwner ? await assignment.fateOf(owner) : undefined
    if (fate === 'reached' && performance.now() < deadline) {
      await pause(handoverPollDelay, signal)
      continue
    }
    const epoch = Math.max(state.epoch + 1, read.isKnown ? 0 : Date.now()) // CLAIM-5.
    // DEFERRED-KEYS-3: an owner that released the partition, or this node itself, has not crashed; neither has one that
    // runs and is not reached.
    const hasCrashed = fate === 'ended'
    const end = await source.lastPosition(signal)
    const hasRecords = end > floor || state.deferred.length > 0
    // No record can have ended an owner that had none: such ends are ordinary ones.
    const crashes = hasOtherOwner && hasRecords ? before + Number(hasCrashed) : 0
    const startLimit = Math.max(state.startLimit ?? 0, end, floor) + startLimitStride
    const deferred = state.deferred.map(({ crashes: before = 0, ...one }) =>
      hasOtherOwner ? { ...one, crashes: before + Number(hasCrashed) } : one,
    )
    const bytes = encodePartitionState({
      ...kept,
      deferred,
      owner: self,
      epoch,
      startLimit,
      ...(crashes > 0 && { crashes }),
    })
    const confirmedAt = performance.now()
    const revision = await documents.put(document, bytes, found?.revision ?? 0)
    if (revision === 'conflict') continue
    const { unknown } = state
    const claim = { revision, epoch, startLimit, crashes, confirmedAt, unknown }
    const last = await source.lastPosition(signal)
    const resumed = await resumeAfter(state, partition, source, last, signal)
    if (resumed < floor) {
      const text = `Partition ${partition} of group ${group} goes back: its source is not the one that it has read`
      log('warn', text, { floor, resumesAfter: resumed, lastPosition: last })
      return {
        claim,
        floor: resumed,
        // Records after it are read again, and those of these keys with them.
        deferred: deferred.filter(({ position }) => position <= resumed),
        marks: marksUpTo(marks, resumed),
        maybeHandledUpTo: last,
        suspectsUpTo: 0,
        isSetBack: true,
        isDamaged: read.isDamaged,
      }
    }
    const maybeHandledUpTo = state.startLimit ?? last
    const isSuspicious = crashes >= suspiciousCrashes
    // Records that are newer than the crash were not started by the owner that crashed.
    const suspectsUpTo = isSuspicious ? Math.min(maybeHandledUpTo, last) : 0
    return {
      claim,
      floor,
      deferred,
      marks,
      maybeHandledUpTo,
      suspectsUpTo,
      isSetBack: false,
      isDamaged: read.isDamaged,
    }
  }
  return undefined
}

interface ReadState {
  readonly state: PartitionState
  /** The state is that of the document. */
  readonly isKnown: boolean
  readonly isDamaged: boolean
}

/** CLAIM-3, CLAIM-4. */
function readState(
  found: Document | undefined,
  {
    document,
    log,
    remembered,
    start,
  }: Pick<ClaimOptions, 'document' | 'log' | 'remembered' | 'start'>,
): ReadState {
  const initial =
    start === undefined
      ? initialPartitionState
      : { ...initialPartitionState, floor: start.position, marks: start.marks }
  const state = remembered ?? initial // CLAIM-4.
  if (found === undefined)
    return { state, isKnown: false, isDamaged: remembered !== undefined }
  const name = document.join('.')
  try {
    const known = decodePartitionState(found.value, name)
    return { state: known, isKnown: true, isDamaged: false }
  } catch (error) {
    if (!isDamaged(error)) throw error
    const bytes = Buffer.from(found.value).toString('base64').slice(0, bytesShown)
    const next =
      remembered === undefined
        ? 'starts again where the group begins'
        : 'goes on where this node has left it'
    const text = `Checkpoint ${name} is damaged; its partition ${next}`
    log('error', text, { reason: messageOf(error), bytes, floor: state.floor })
    return { state, isKnown: false, isDamaged: true }
  }
}

function isSameOwner(one: PartitionOwner, other: PartitionOwner): boolean {
  return one.id === other.id && one.incarnation === other.incarnation
}
