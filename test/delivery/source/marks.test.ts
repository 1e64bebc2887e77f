// The marks of a reader: which are kept, and up to where they show a source to be the same.

import t from 'tap'

import type { Mark } from '../../../src/model/mark.js'
import {
  decodeMarks,
  encodeMarks,
  type Marks,
  trustedUpTo,
  withMark,
} from '../../../src/delivery/source/marks.js'
import { randomFrom } from '../../../src/testing/random.js'

const { signal } = new AbortController()
const marksAt = (...positions: readonly number[]): Marks =>
  positions.map(position => ({ position, id: `c${position}` }))

/** A source whose first `shared` records are those of the marks; `removed` are missing. */
const sourceOf = (shared: number, ...removed: readonly number[]) => ({
  idAt: async (position: number) => {
    if (removed.includes(position)) return undefined
    return position <= shared ? `c${position}` : `d${position}`
  },
})

await t.test(
  'MARKS-2 few marks remain of many, and they thin out with the distance',
  async t => {
    const random = randomFrom(7, 'marks')
    let marks: Marks = []
    let position = 0
    for (let i = 0; i < 20_000; i++) {
      position += 1 + Math.floor(random() * 400)
      marks = withMark(marks, { position, id: `c${position}` })
    }
    t.ok(marks.length < 40, `${marks.length} marks up to ${position}`)
    t.equal(marks[0]!.position, position)
    const distances = marks.slice(1).map(mark => position - mark.position)
    t.strictSame(
      distances,
      distances.toSorted((a, b) => a - b),
      'newest first',
    )
    for (const [i, distance] of distances.slice(1).entries())
      t.ok(
        distance <= Math.max(4 * distances[i]!, 2_000),
        `${distances[i]} then ${distance}`,
      )
    t.ok(marks.at(-1)!.position <= 400, 'the first one is kept')
  },
)

await t.test(
  'a mark at the same position, or before others, replaces what is not older',
  async t => {
    const marks = marksAt(30, 20, 10)
    t.equal(withMark(marks, { position: 30, id: 'c30' }), marks)
    const back: Mark = { position: 20, id: 'd20' }
    t.strictSame(withMark(marks, back), [back, ...marksAt(10)])
  },
)

await t.test(
  'MARKS-1 a position is trusted as far as the source is the same',
  async t => {
    const marks = marksAt(100, 90, 60)
    const cases: readonly [
      shared: number,
      position: number,
      last: number,
      trusted: number,
    ][] = [
      [200, 100, 200, 100], // The same log, which has grown.
      [100, 95, 100, 95], // A position before its newest mark.
      [95, 100, 300, 90], // Restored to 95, and written on.
      [95, 100, 95, 90], // Restored to 95.
      [89, 70, 300, 60],
      [95, 80, 300, 80], // Restored after the position.
      [10, 100, 300, 0], // Nothing shows what is the same.
      [100, 100, 40, 0],
    ]
    for (const [shared, position, last, trusted] of cases)
      t.equal(
        await trustedUpTo(position, marks, sourceOf(shared), last, signal),
        trusted,
        `shared up to ${shared}, at ${position} of ${last}`,
      )
  },
)

await t.test(
  'without marks, and without records, only the end of the source counts',
  async t => {
    t.equal(await trustedUpTo(50, [], sourceOf(0), 60, signal), 50)
    t.equal(await trustedUpTo(50, [], sourceOf(0), 40, signal), 0)
    const marks = marksAt(50, 40)
    t.equal(await trustedUpTo(50, marks, sourceOf(50, 50), 60, signal), 50, 'removed')
    t.equal(await trustedUpTo(50, marks, sourceOf(40, 50), 45, signal), 40)
    t.equal(await trustedUpTo(50, marks, sourceOf(45, 40), 60, signal), 0, 'not certain')
  },
)

await t.test(
  'stored marks are read as they were written, and anything else as none',
  async t => {
    const marks = marksAt(3, 1)
    t.strictSame(decodeMarks(encodeMarks(marks)), marks)
    for (const stored of [
      undefined,
      null,
      7,
      'x',
      {},
      [[1]],
      [['1', 'a']],
      [[-1, 'a']],
      [null],
    ])
      t.strictSame(decodeMarks(stored), [])
  },
)
