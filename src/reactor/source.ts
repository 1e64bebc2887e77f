// What a group reads: records in order, each in a lane, and with a key whose records must be
// handled one after another.

import type { Position } from '../model/version.js'

export interface SourceRecord<T> {
  readonly position: Position
  readonly lane: number
  /** An actor's name, as a rule. */
  readonly key: string
  /** Absent where the record holds nothing for the group: it is passed by. */
  readonly value?: T
}

export interface GroupSource<T> {
  readonly lanes: number
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
