// Where a claimed partition goes on: after the floor of its checkpoint, or earlier, where the source is not the one that
// the checkpoint is from. A log can have been restored to an earlier point and written on, and a stream deleted and made
// again; the checkpoints are kept elsewhere. Nothing may be left out then: what is read again is handled again.
//
// RESUME-1. A source that holds the record of the newest mark is the one that was read. In any other, reading goes on
//     after the newest mark that it holds; after none, from its first record (MARKS-1).
// RESUME-2. A source that ends before the floor is another one, also where a checkpoint has no marks.
// RESUME-3. In a source that removes what is handled, a record up to the floor that is still there, and that no deferred
//     key stands for, was not handled in this source: reading goes on before it.

import type { Position } from '../../model/version.js'
import { trustedUpTo } from '../source/marks.js'
import type { RecordSource } from '../source/record-source.js'
import type { PartitionState } from './partition-state.js'

export type ResumableSource = Pick<
  RecordSource<unknown>,
  'lastPosition' | 'idAt' | 'left'
>

/**
 * Resolves with the position to go on after, which is the floor or below it.
 *
 * @param last the last position of the source
 */
export async function resumeAfter(
  { floor, marks = [], deferred }: PartitionState,
  partition: number,
  source: ResumableSource,
  last: Position,
  signal: AbortSignal,
): Promise<Position> {
  const trusted = await trustedUpTo(floor, marks, source, last, signal)
  if (trusted < floor) return trusted // RESUME-1, RESUME-2.
  if (floor === 0 || source.left === undefined) return floor
  const positions = new Map(deferred.map(({ key, position }) => [key, position]))
  for await (const { position, partition: itsOwn, key } of source.left(floor, signal))
    if (itsOwn === partition && position < (positions.get(key) ?? Infinity))
      return position - 1 // RESUME-3.
  return floor
}
