import t from 'tap'

import { AckCost } from '../../src/nats/ack-cost.js'

/** Pairs one after another, until none are due; returns how many it took. */
function measure(
  cost: AckCost,
  pair: () => { refused: number; stored: number },
  now = 0,
) {
  let pairs = 0
  for (; cost.isDue(now); pairs++) cost.add(pair(), now)
  return pairs
}

await t.test(
  'a server that waits for its disk is told from one that does not',
  async t => {
    const waiting = new AckCost()
    t.equal(waiting.waits, undefined, 'nobody knows at first')
    measure(waiting, () => ({ refused: 0.07, stored: 0.22 }))
    t.equal(waiting.waits, true)
    const quick = new AckCost()
    measure(quick, () => ({ refused: 0.07, stored: 0.08 }))
    t.equal(quick.waits, false)
    t.match(quick.cost?.toFixed(2), '0.01')
  },
)

await t.test('A1: slow moments do not count', async t => {
  const cost = new AckCost()
  let i = 0
  measure(cost, () => ({ refused: 0.1 + (i++ % 5), stored: 0.11 + (i % 7) }))
  t.equal(cost.waits, false)
})

await t.test('what is lost in the variation of a slow network is not seen', async t => {
  const cost = new AckCost()
  const pairs = measure(cost, () => ({ refused: 50, stored: 51 }))
  t.equal(cost.waits, false)
  t.ok(pairs < 5, 'and nobody waits long for it')
})

await t.test('pairs that come to nothing end in a verdict, too', async t => {
  const cost = new AckCost()
  for (let i = 0; cost.isDue(0); i++) {
    cost.add(undefined, 0)
    if (i > 100) throw new Error('there is no verdict')
  }
  t.equal(cost.waits, false)
  t.equal(cost.cost, undefined)
})

await t.test('A2: a verdict is looked at again, and later each time', async t => {
  const cost = new AckCost()
  // A hard beginning: everything is slow, storing most of all.
  measure(cost, () => ({ refused: 0.3, stored: 0.5 }))
  t.equal(cost.waits, true)
  t.notOk(cost.isDue(999))
  t.ok(cost.isDue(1_000))
  t.equal(cost.waits, true, 'until then it holds')
  measure(cost, () => ({ refused: 0.07, stored: 0.09 }), 1_000)
  t.equal(cost.waits, false)
  t.notOk(cost.isDue(2_999))
  t.ok(cost.isDue(3_000))
  let now = 3_000
  for (let i = 0; i < 10; i++) {
    measure(cost, () => ({ refused: 0.07, stored: 0.09 }), now)
    now += 60_000
  }
  t.ok(cost.isDue(now), 'at the latest after a minute')
  cost.forget()
  t.equal(cost.waits, undefined)
  t.equal(cost.cost, undefined)
})
