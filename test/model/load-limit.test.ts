// LOAD-LIMIT-1 to LOAD-LIMIT-4, with a clock that stands still.

import t from 'tap'

import { CairnError, refusal } from '../../src/model/errors.js'
import { delayFor, LoadLimit } from '../../src/model/load-limit.js'

let now = 1_000
const { now: systemNow } = performance
performance.now = () => now
t.teardown(() => {
  performance.now = systemNow
})

const timeout = 10_000

/** Opens work until it is refused. */
function fill(limit: LoadLimit, most: number, given = timeout): number {
  let opened = 0
  for (; opened < most && limit.open < limit.limitFor(given); opened++) limit.enter()
  return opened
}

/** Lets `count` pieces of work end over `ms`, each after `took`. */
function finish(limit: LoadLimit, count: number, ms: number, took: number): void {
  for (let i = 0; i < count; i++) {
    now += ms / count
    limit.finished(now - took)
  }
}

void t.test('without a standing queue only the maximum holds', t => {
  const limit = new LoadLimit(5_000, 100)
  t.equal(fill(limit, 10_000), 5_000, 'a burst')
  // Some of it is quick.
  for (let i = 0; i < 20; i++) finish(limit, 100, 100, i === 0 ? 1 : 10)
  t.equal(limit.isOverloaded, false)
  t.equal(fill(limit, 10_000), 2_000)
  t.end()
})

void t.test('a standing queue is limited to what ends in time at its rate', t => {
  const limit = new LoadLimit(50_000, 100)
  fill(limit, 20_000)
  // 1,000 a second, and the quickest takes 300 ms.
  for (let i = 0; i < 20; i++) finish(limit, 100, 100, 300)
  t.equal(limit.isOverloaded, true)
  const most = limit.limitFor(timeout)
  t.ok(Math.abs(most - delayFor(timeout)) < 50, `${most} for one a millisecond`)
  t.ok(limit.limitFor(400) < most, 'less for work with less time')
  t.ok(limit.limitFor(60_000) > most, 'more for work with more time')
  t.equal(fill(limit, 10), 0, 'the queue is longer')
  while (limit.open > 200) finish(limit, 100, 100, 300)
  finish(limit, 100, 100, 300)
  t.equal(fill(limit, 10), 10, 'and accepts when it is shorter')
  finish(limit, 50, 200, 5)
  t.equal(limit.isOverloaded, false, 'quick work ends it')
  t.end()
})

void t.test('what is measured on little work, or on none, limits nothing', t => {
  const limit = new LoadLimit(50_000, 100)
  for (let i = 0; i < 20; i++) {
    fill(limit, 5)
    finish(limit, 5, 200, 1_000)
  }
  t.equal(limit.isOverloaded, false, 'a slow actor')
  fill(limit, 1_000)
  now += 500
  for (let i = 0; i < 5; i++) limit.withdrawn()
  t.equal(limit.isOverloaded, false)
  t.end()
})

void t.test('where nothing ends in time, the least is still tried', t => {
  const limit = new LoadLimit(50_000, 100)
  fill(limit, 1_000)
  now += 10_000
  for (let i = 0; i < 200; i++) limit.givenUp()
  t.equal(limit.isOverloaded, true)
  t.equal(limit.limitFor(timeout), 100)
  for (let i = 0; i < 740; i++) limit.givenUp()
  t.equal(fill(limit, 1_000), 40)
  finish(limit, 100, 200, 5)
  t.equal(limit.isOverloaded, false)
  t.end()
})

void t.test('work runs if it is admitted', async t => {
  const limit = new LoadLimit(1, 1)
  const refuse = (most: number) => refusal('queue-full', 'full', { limit: most })
  let end = () => {}
  const first = limit.run(timeout, refuse, () => new Promise<void>(done => (end = done)))
  await t.rejects(
    limit.run(timeout, refuse, async () => t.fail('refused work runs')),
    { code: 'queue-full', details: { limit: 1 } },
  )
  end()
  await first
  const failed = new CairnError('deadline-exceeded', 'late')
  await t.rejects(
    limit.run(timeout, refuse, () => Promise.reject(failed)),
    failed,
  )
  t.equal(limit.open, 0)
})

void t.test('an error of a refusal costs no stack, and others keep theirs', t => {
  t.notMatch(refusal('queue-full', 'full', {}).stack, /load-limit/)
  t.match(new CairnError('queue-full', 'full').stack, /load-limit/)
  t.end()
})
