// What tells a subscription with a filter that it has missed notices.

import t from 'tap'

import { SubjectContinuity } from '../../src/bus/subject-continuity.js'

const actor = (id: number | string) => ({ type: 'account', id: String(id) })

await t.test('a predecessor that was not seen was missed', async t => {
  const continuity = new SubjectContinuity()
  const steps: [
    id: string,
    position: number,
    previous: number | undefined,
    ok: boolean,
  ][] = [
    ['a', 10, 3, true],
    ['a', 12, 10, true],
    // Before the first that was seen, or never.
    ['b', 13, 9, true],
    ['c', 14, 0, true],
    // After it.
    ['d', 16, 11, false],
    ['d', 17, 16, true],
    ['a', 20, 18, false],
    // The predecessor is not known, as of a forged notice.
    ['a', 21, undefined, true],
    ['a', 21, 21, false],
    ['a', 5, 4, false],
  ]
  for (const [id, position, previous, ok] of steps)
    t.equal(continuity.continues(actor(id), position, previous), ok, `${id} ${position}`)
  continuity.clear()
  t.ok(continuity.continues(actor('a'), 30, 25), 'nothing is known any more')
})

await t.test('what is forgotten is not taken for missed', async t => {
  const continuity = new SubjectContinuity()
  let isWrong = false
  for (let i = 1; i <= 10_001; i++) isWrong ||= !continuity.continues(actor(i), i, 0)
  t.notOk(isWrong)
  t.ok(continuity.continues(actor(1), 10_002, 1), 'its position was forgotten')
  t.notOk(continuity.continues(actor('new'), 10_003, 5_000), 'the others were not')
})
