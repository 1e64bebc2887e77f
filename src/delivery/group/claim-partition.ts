// Claims a partition for this node: waits for its last owner, and writes the new one into its document.
//
// CLAIM-1. A node claims a partition when placement assigns it, and when its last owner has released it, has left, or
//     has not released it for `handoverTimeout`.
// CLAIM-2. When a source ends before the floor of a partition, it is another source than before: it was restored or
//     created again. The partition starts again from the first record.

import type { WriteLog } from '../../model/log.js'
import type { Position } from '../../model/version.js'
import { pause } from '../../model/wait.js'
import type { DocumentKey, Documents } from '../../store/documents/documents.js'
import type { RecordSource } from '../source/record-source.js'
import { type PartitionClaim, startLimitStride } from './checkpoint-writer.js'
import { suspiciousCrashes } from './deferred-keys.js'
import {
  decodePartitionState,
  type DeferredKey,
  encodePartitionState,
  initialPartitionState,
  type PartitionOwner,
} from './partition-state.js'

/** The assignment of partitions to nodes, as this node sees it. */
export interface PartitionAssignment {
  /** Whether placement assigns the partition to this node. */
  isOurs(partition: number): boolean
  /** Whether a node that owns a partition is still a member. */
  isAlive(owner: PartitionOwner): boolean | Promise<boolean>
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
  readonly source: Pick<RecordSource<unknown>, 'lastPosition'>
  readonly log: WriteLog
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
}

/** Milliseconds for a living owner to release a partition. */
export const handoverTimeout = 10_000
const handoverPollDelay = 50

/** Resolves with `undefined` when the partition is not this node's any more, or when the signal fires. */
export async function claimPartition(
  options: ClaimOptions,
): Promise<ClaimedPartition | undefined> {
  const { group, partition, document, documents } = options
  const { assignment, self, source, log, signal } = options
  const deadline = performance.now() + handoverTimeout
  while (!signal.aborted && assignment.isOurs(partition)) {
    const found = await documents.get(document)
    const state =
      found === undefined
        ? initialPartitionState
        : decodePartitionState(found.value, document.join('.'))
    const { owner, floor } = state
    const hasOtherOwner = owner !== undefined && !isSameOwner(owner, self)
    const isOwned = hasOtherOwner && (await assignment.isAlive(owner))
    if (isOwned && performance.now() < deadline) {
      await pause(handoverPollDelay, signal)
      continue
    }
    const epoch = state.epoch + 1
    // DEFERRED-KEYS-3: an owner that released the partition, or this node itself, has not crashed.
    const crashes = hasOtherOwner ? (state.crashes ?? 0) + 1 : 0
    const end = await source.lastPosition(signal)
    const startLimit = Math.max(state.startLimit ?? 0, end, floor) + startLimitStride
    const deferred = state.deferred.map(({ crashes: before = 0, ...one }) =>
      crashes === 0 ? one : { ...one, crashes: before + 1 },
    )
    const bytes = encodePartitionState({
      floor,
      deferred,
      owner: self,
      epoch,
      startLimit,
      ...(crashes > 0 && { crashes }),
    })
    const confirmedAt = performance.now()
    const revision = await documents.put(document, bytes, found?.revision ?? 0)
    if (revision === 'conflict') continue
    const claim = { revision, epoch, startLimit, crashes, confirmedAt }
    const last = await source.lastPosition(signal)
    if (last < floor) {
      // CLAIM-2.
      log(
        'warn',
        `Partition ${partition} of group ${group} starts again from its first record`,
        {
          floor,
          lastPosition: last,
        },
      )
      return { claim, floor: 0, deferred: [], maybeHandledUpTo: last, suspectsUpTo: 0 }
    }
    const maybeHandledUpTo = state.startLimit ?? last
    const isSuspicious = crashes >= suspiciousCrashes
    if (isSuspicious)
      log(
        'warn',
        `Partition ${partition} of group ${group} has lost ${crashes} nodes at the same position; its records are handled one by one`,
        { floor, failing: deferred.length },
      )
    // Records that are newer than the crash were not started by the owner that crashed.
    const suspectsUpTo = isSuspicious ? Math.min(maybeHandledUpTo, last) : 0
    return { claim, floor, deferred, maybeHandledUpTo, suspectsUpTo }
  }
  return undefined
}

function isSameOwner(one: PartitionOwner, other: PartitionOwner): boolean {
  return one.id === other.id && one.incarnation === other.incarnation
}
