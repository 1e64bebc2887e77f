// 1,000 drawn statecharts as actors of real nodes that are restarted and crash, beside plain XState, each with up to 60
// events. `STATECHARTS=n` runs n of them from a new seed, and `SEED=n` only those of its batch.

import t from 'tap'

import { newSeed } from '../../src/testing/random.js'
import { type Lived, liveThrough } from './lived-statecharts.js'

const { SEED: seed, STATECHARTS: many } = process.env
const count = Number(many ?? 1_000)
/** Statecharts that share a node. */
const batch = 250

t.setTimeout(180_000 + count * 400)

await t.test(
  'a drawn statechart that lives on nodes is what it is in XState',
  async t => {
    const first = many === undefined ? 1 : newSeed()
    const starts =
      seed === undefined
        ? Array.from({ length: Math.ceil(count / batch) }, (_, i) => first + i * batch)
        : [Number(seed)]
    const all: Lived[] = []
    for (const start of starts) {
      const lived = await liveThrough(Array.from({ length: batch }, (_, i) => start + i))
      all.push(lived)
      for (const { seed: at, what } of lived.differences)
        t.comment(
          `seed ${at}: ${what}. Again: SEED=${start} npm test -- test/machine/lived-statecharts.test.ts`,
        )
    }
    const differences = all.flatMap(one => one.differences)
    for (const { seed: at, what, found, wanted } of differences.slice(0, 3))
      t.strictSame(found, wanted, `seed ${at}: ${what}`)
    const charts = starts.length * batch
    t.equal(differences.length, 0, `no difference in ${charts} statecharts`)
    const names = [
      'accepted',
      'rejected',
      'delays',
      'restarts',
      'crashes',
      'ended',
    ] as const
    const sum = Object.fromEntries(
      names.map(name => [name, all.reduce((n, one) => n + one[name], 0)]),
    ) as Record<(typeof names)[number], number>
    t.comment(
      `${charts} statecharts on nodes: ${sum.accepted} events accepted, ${sum.rejected} rejected, ${sum.delays} delays, ` +
        `${sum.restarts} restarts, ${sum.crashes} crashes, ${sum.ended} ended early`,
    )
    // Statecharts that do nothing would prove nothing.
    t.ok(sum.accepted >= 2 * charts && sum.rejected >= charts && sum.delays * 4 >= charts)
    t.ok(sum.restarts >= 5 * starts.length && sum.crashes >= 5 * starts.length)
    t.ok(sum.ended * 10 <= charts, `${sum.ended} ended early`)
  },
)
