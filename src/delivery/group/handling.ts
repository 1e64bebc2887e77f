// The contract between a partition and the handler of its records.

import { CairnError } from '../../model/errors.js'
import type { Position } from '../../model/version.js'
import type { UnreadableRecord } from '../source/record-source.js'

/** Facts about one attempt at a record, beside its value. */
export interface DeliveryAttempt {
  readonly position: Position
  /** From 1; the next owner of the partition continues the count. */
  readonly attempt: number
  /** Time of the first attempt, ms since 1970. */
  readonly firstAt: number
  /** Of the partition's ownership: it grows with each owner, and is the same for all attempts of one (CLAIM-5). */
  readonly epoch: number
  /** The node of the attempt before this one ended during it (DEFERRED-KEYS-3). */
  readonly isAfterCrash: boolean
  /** Another owner may have handled the record before, completely or in part. */
  readonly mayBeRepeat: boolean
  /** Fires when the partition is lost, or when the node's time to finish is used up. */
  readonly signal: AbortSignal
}

/**
 * How handling ended. `retry`: handle the record again after `after` milliseconds; by default the group's
 * backoff decides. An aborted attempt does not count: it was interrupted because the partition is released.
 */
export type HandlingResult =
  | { readonly kind: 'done' }
  | {
      readonly kind: 'retry'
      readonly error: unknown
      readonly after?: number
      readonly isAborted?: boolean
    }

export const done: HandlingResult = { kind: 'done' }

export function isAborted(result: HandlingResult): boolean {
  return result.kind === 'retry' && result.isAborted === true
}

/** Handles a record. An error that it throws means `retry`. */
export type RecordHandler<T> = (
  value: T,
  attempt: DeliveryAttempt,
) => Promise<HandlingResult>

/** The result for a record that this build cannot read: it is retried. */
export function retryUnreadable({ position, reason }: UnreadableRecord): HandlingResult {
  return {
    kind: 'retry',
    error: new CairnError(
      'storage-failed',
      `The record at position ${position} cannot be read by this build and is retried: ${reason}.`,
      { details: { position } },
    ),
  }
}
