import t from 'tap'

import { AckCost, type StoredTime } from '../../src/nats/ack-cost.js'

/** Storage times of positions 1, 2, 3 …, with these microseconds between them. */
function timesOf(...between: number[]): StoredTime[] {
  let at = 999_990
  return [0, ...between].map((step, i) => {
    at += step
    const second = String(Math.floor(at / 1_000_000)).padStart(2, '0')
    // Go's format: without trailing zeros, and without an empty fraction.
    const fraction = String(at % 1_000_000)
      .padStart(6, '0')
      .replace(/0+$/, '')
    const time = `2026-01-01T00:00:${second}${fraction && `.${fraction}`}Z`
    return { position: i + 1, time }
  })
}

const many = (step: number) => Array.from({ length: 40 }, () => step)

await t.test(
  'a server that waits for its disk is distinguished from one that does not',
  async t => {
    const waiting = new AckCost()
    t.equal(waiting.waitsForDisk, undefined, 'unknown at first')
    waiting.update(timesOf(...many(127)), 0)
    t.equal(waiting.waitsForDisk, true)
    t.equal(waiting.cost?.toFixed(3), '0.127')
    const quick = new AckCost()
    quick.update(timesOf(...many(6)), 0)
    t.equal(quick.waitsForDisk, false)
    t.equal(quick.cost?.toFixed(3), '0.006')
  },
)

await t.test('ACK-COST-1: pauses of an idle server do not count', async t => {
  const cost = new AckCost()
  cost.update(timesOf(...many(5).map((step, i) => (i % 3 === 0 ? step : 4_000))), 0)
  t.equal(cost.waitsForDisk, false)
})

await t.test('ACK-COST-1: commits that are not adjacent do not count', async t => {
  const cost = new AckCost()
  const alternate = timesOf(...many(500), ...many(500)).filter((_, i) => i % 2 === 0)
  cost.update(alternate, 0)
  t.equal(cost.waitsForDisk, undefined)
})

await t.test('too few times, or invalid ones, change nothing', async t => {
  const cost = new AckCost()
  cost.update(timesOf(...many(127)), 0)
  cost.update(timesOf(1, 2, 3), 10)
  cost.update(
    timesOf(...many(1)).map(({ position }) => ({ position, time: 'soon' })),
    20,
  )
  cost.update([], 30)
  t.equal(cost.waitsForDisk, true)
})

await t.test('ACK-COST-2: the cost is measured again, less often each time', async t => {
  const cost = new AckCost()
  t.ok(cost.isDue(0))
  cost.update(timesOf(...many(127)), 0)
  t.notOk(cost.isDue(999))
  t.ok(cost.isDue(1_000))
  t.equal(cost.waitsForDisk, true, 'the result is valid until then')
  cost.update(timesOf(...many(6)), 1_000)
  t.equal(cost.waitsForDisk, false)
  t.notOk(cost.isDue(2_999))
  t.ok(cost.isDue(3_000))
  let now = 3_000
  for (let i = 0; i < 10; i++) {
    cost.update(timesOf(...many(6)), now)
    now += 60_000
  }
  t.ok(cost.isDue(now), 'after a minute at the latest')
  cost.reset()
  t.equal(cost.waitsForDisk, undefined)
  t.equal(cost.cost, undefined)
  t.ok(cost.isDue(now))
})
