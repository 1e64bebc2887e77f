// What a group reads: records in order, each in a lane, and with a key whose records must be
// handled one after another.

import { CairnError } from '../../model/errors.js'
import type { Position } from '../../model/version.js'
import type { HandlingResult } from './partition-processor.js'

export interface SourceRecord<T> {
  readonly position: Position
  readonly partition: number
  /** An actor's name, as a rule. */
  readonly key: string
  /** Absent where the record holds nothing for the group: it is passed by. */
  readonly value?: T
}

/**
 * A record of a newer build than this one, which may hold something for the group: it is held back
 * until a node that can read it has the lane.
 */
export interface Unreadable {
  readonly kind: 'unreadable'
  readonly position: Position
  readonly reason: string
}

/** How handling what cannot be read ends: it is tried again. */
export function deferredRecord({ position, reason }: Unreadable): HandlingResult {
  return {
    kind: 'again',
    error: new CairnError(
      'storage-failed',
      `The record at position ${position} cannot be read by this build, and waits: ${reason}.`,
      { details: { position } },
    ),
  }
}

export interface GroupSource<T> {
  readonly partitions: number
  /** Every record behind `after`, in order, and each new one as it comes, until the signal fires. */
  follow(after: Position, signal: AbortSignal): AsyncIterable<SourceRecord<T>>
  /** The records of one key, from one position up to another, both included. */
  ofKey(
    key: string,
    from: Position,
    upTo: Position,
    signal: AbortSignal,
  ): AsyncIterable<SourceRecord<T>>
  lastPosition(signal: AbortSignal): Promise<Position>
}
