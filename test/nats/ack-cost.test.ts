import t from 'tap'

import { AckCost, type StoredTime } from '../../src/nats/ack-cost.js'

/** Stamps at positions 1, 2, 3 …, so many microseconds one behind the other. */
function stampsOf(...between: number[]): StoredTime[] {
  let at = 999_990
  return [0, ...between].map((step, i) => {
    at += step
    const second = String(Math.floor(at / 1_000_000)).padStart(2, '0')
    // As Go writes it: without the zeros at the end, and without a fraction of nothing.
    const fraction = String(at % 1_000_000)
      .padStart(6, '0')
      .replace(/0+$/, '')
    const time = `2026-01-01T00:00:${second}${fraction && `.${fraction}`}Z`
    return { position: i + 1, time }
  })
}

const many = (step: number) => Array.from({ length: 40 }, () => step)

await t.test(
  'a server that waits for its disk is told from one that does not',
  async t => {
    const waiting = new AckCost()
    t.equal(waiting.waitsForDisk, undefined, 'nobody knows at first')
    waiting.update(stampsOf(...many(127)), 0)
    t.equal(waiting.waitsForDisk, true)
    t.equal(waiting.cost?.toFixed(3), '0.127')
    const quick = new AckCost()
    quick.update(stampsOf(...many(6)), 0)
    t.equal(quick.waitsForDisk, false)
    t.equal(quick.cost?.toFixed(3), '0.006')
  },
)

await t.test(
  'A1: that the server had nothing to do now and then does not count',
  async t => {
    const cost = new AckCost()
    cost.update(stampsOf(...many(5).map((step, i) => (i % 3 === 0 ? step : 4_000))), 0)
    t.equal(cost.waitsForDisk, false)
  },
)

await t.test('A1: who are no neighbours say nothing', async t => {
  const cost = new AckCost()
  const alternate = stampsOf(...many(500), ...many(500)).filter((_, i) => i % 2 === 0)
  cost.update(alternate, 0)
  t.equal(cost.waitsForDisk, undefined)
})

await t.test('too few, or what is no time, changes nothing', async t => {
  const cost = new AckCost()
  cost.update(stampsOf(...many(127)), 0)
  cost.update(stampsOf(1, 2, 3), 10)
  cost.update(
    stampsOf(...many(1)).map(({ position }) => ({ position, time: 'soon' })),
    20,
  )
  cost.update([], 30)
  t.equal(cost.waitsForDisk, true)
})

await t.test('A2: a verdict is looked at again, and later each time', async t => {
  const cost = new AckCost()
  t.ok(cost.isDue(0))
  cost.update(stampsOf(...many(127)), 0)
  t.notOk(cost.isDue(999))
  t.ok(cost.isDue(1_000))
  t.equal(cost.waitsForDisk, true, 'until then it holds')
  cost.update(stampsOf(...many(6)), 1_000)
  t.equal(cost.waitsForDisk, false)
  t.notOk(cost.isDue(2_999))
  t.ok(cost.isDue(3_000))
  let now = 3_000
  for (let i = 0; i < 10; i++) {
    cost.update(stampsOf(...many(6)), now)
    now += 60_000
  }
  t.ok(cost.isDue(now), 'at the latest after a minute')
  cost.reset()
  t.equal(cost.waitsForDisk, undefined)
  t.equal(cost.cost, undefined)
  t.ok(cost.isDue(now))
})
