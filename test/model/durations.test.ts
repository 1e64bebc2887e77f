// Durations: counts by bound, and their sum.

import t from 'tap'

import { durationBounds, Durations } from '../../src/model/durations.js'

await t.test('a duration counts at the first bound that is not below it', async t => {
  const durations = new Durations()
  for (const ms of [0, 0.5, 0.6, 1, 9_999, 10_001, 60_000]) durations.add(ms)
  const { counts, sum } = durations.stats()
  t.equal(counts.length, durationBounds.length + 1)
  t.strictSame(
    [counts[0], counts[1], counts.at(-2), counts.at(-1)],
    [2, 2, 1, 2],
    'at most 0.5 ms, at most 1 ms, at most 10 s, longer',
  )
  t.equal(sum, 80_002.1)
  t.equal(
    counts.reduce((all, one) => all + one, 0),
    7,
  )
})
