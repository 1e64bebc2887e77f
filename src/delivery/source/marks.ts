// The marks of a reader in one source: how they are kept, and what they tell.
//
// MARKS-1. A position is trusted while the source holds the record of the newest mark. What was stored after that record
//     differs from what was read only if the record differs, too: a log is only ever appended to, or restored to a point.
// MARKS-2. Older marks are kept ever further apart, a few dozen for a log of any length: where the newest one does not
//     hold, the others tell up to where the source is the same.

import type { Mark } from '../../model/mark.js'
import { isCount, type Position } from '../../model/version.js'
import type { RecordSource } from './record-source.js'

/** Newest first. */
export type Marks = readonly Mark[]

/** MARKS-2. How much further from the newest mark the second next one is, at least. */
const spread = 4

/** Adds the newest mark, and leaves out older ones that have become too dense. */
export function withMark(marks: Marks, newest: Mark): Marks {
  if (marks[0]?.position === newest.position) return marks
  const older = marks.filter(({ position }) => position < newest.position)
  const distance = ({ position }: Mark) => newest.position - position
  const kept = [newest]
  for (const [i, mark] of older.entries()) {
    const next = older[i + 1]
    const isDense =
      next !== undefined && distance(next) <= spread * Math.max(1, distance(kept.at(-1)!))
    if (!isDense) kept.push(mark)
  }
  return kept
}

/** The marks up to a position. */
export function marksUpTo(marks: Marks, position: Position): Marks {
  return marks.filter(mark => mark.position <= position)
}

/**
 * The position after which a reader goes on that has read a source up to `position`: a lower one if it is another source
 * now. Then it is the newest mark that the source holds; 0 for none (MARKS-1). A source that ends before the position is
 * another one also for a reader without marks.
 *
 * @param last the last position of the source
 */
export async function trustedUpTo(
  position: Position,
  marks: Marks,
  source: Pick<RecordSource<unknown>, 'idAt'>,
  last: Position,
  signal: AbortSignal,
): Promise<Position> {
  for (const [i, mark] of marks.entries()) {
    if (mark.position > last) continue
    const id = await source.idAt?.(mark.position, signal)
    // A record that was removed proves nothing: the newest mark is trusted without it, an older one is not.
    const isNewest = i === 0
    if (isNewest && (id === undefined || id === mark.id) && last >= position)
      return position
    if (id === mark.id) return Math.min(mark.position, position)
  }
  return marks.length === 0 && last >= position ? position : 0
}

/** As documents store them: `[position, id]`. */
export function encodeMarks(marks: Marks): (readonly [Position, string])[] {
  return marks.map(({ position, id }) => [position, id])
}

/** Anything else than marks is none: a position without marks is valid. */
export function decodeMarks(stored: unknown): Marks {
  if (!Array.isArray(stored)) return []
  return stored.flatMap((one: unknown): Marks => {
    if (!Array.isArray(one)) return []
    const [position, id] = one as readonly unknown[]
    return isCount(position) && typeof id === 'string' ? [{ position, id }] : []
  })
}
