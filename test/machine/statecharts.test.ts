// 1,000 drawn statecharts beside plain XState, each with up to 60 events. `STATECHARTS=n` runs n of them from a new
// seed, and `SEED=n` only that one.

import t from 'tap'

import { newSeed } from '../../src/testing/random.js'
import { compareStatechart, type Difference } from './statecharts.js'

const { SEED: seed, STATECHARTS: many } = process.env
const count = Number(many ?? 1_000)

t.setTimeout(120_000 + count * 200)

void t.test('drawn statecharts are what they are in XState', t => {
  const first = many === undefined ? 1 : newSeed()
  const seeds =
    seed === undefined
      ? Array.from({ length: count }, (_, i) => first + i)
      : [Number(seed)]
  const differences: Difference[] = []
  const sum = { accepted: 0, rejected: 0, delays: 0, children: 0, ended: 0, twins: 0 }
  for (const each of seeds) {
    const { difference, ...counts } = compareStatechart(each)
    for (const [name, value] of Object.entries(counts))
      sum[name as keyof typeof sum] += value
    if (difference === undefined) continue
    differences.push(difference)
    t.comment(
      `seed ${each}: ${difference.what}. Again: SEED=${each} npm test -- test/machine/statecharts.test.ts`,
    )
  }
  for (const { seed, what, found, wanted } of differences.slice(0, 3))
    t.strictSame(found, wanted, `seed ${seed}: ${what}`)
  t.equal(differences.length, 0, `no difference in ${seeds.length} statecharts`)
  t.comment(
    `${seeds.length} statecharts: ${sum.accepted} events accepted, ${sum.rejected} rejected, ${sum.delays} delays, ` +
      `${sum.children} states with child machines, ${sum.ended} with references to ended ones`,
  )
  // Statecharts that do nothing would prove nothing.
  if (seed === undefined)
    for (const [name, value] of Object.entries({ ...sum, twins: count }))
      t.ok(value >= count, name)
  t.ok(sum.twins * 20 <= seeds.length, `${sum.twins} ended early`)
  t.end()
})
