// The clock that stands still.

import t from 'tap'

import { ManualClock } from '../../src/testing/index.js'

void t.test('it stands still until it is moved, also back', async t => {
  const clock = new ManualClock()
  t.equal(clock.now(), 0)
  t.equal(clock.now(), 0)
  clock.advance(50)
  clock.advance(0)
  t.equal(clock.now(), 50)
  clock.set(20)
  t.equal(clock.now(), 20)
  t.equal(new ManualClock(7).now(), 7)
})

void t.test('it refuses what is no time', async t => {
  const clock = new ManualClock(5)
  for (const wrong of [-1, 0.5, NaN, Infinity]) {
    t.throws(() => new ManualClock(wrong), { code: 'invalid-option' })
    t.throws(() => clock.set(wrong), { code: 'invalid-option' })
    t.throws(() => clock.advance(wrong), { code: 'invalid-option' })
  }
  t.equal(clock.now(), 5, 'and stays where it was')
})

void t.test('a wait ends when it has been moved far enough, or is given up', async t => {
  const clock = new ManualClock(100)
  const ended: string[] = []
  const never = new AbortController()
  const given = new AbortController()
  const short = clock.wait(10, never.signal).then(() => ended.push('short'))
  const long = clock.wait(20, never.signal).then(() => ended.push('long'))
  const over = clock.wait(30, given.signal).then(() => ended.push('given up'))
  await clock.wait(0, never.signal)
  clock.advance(9)
  given.abort()
  await over
  t.strictSame(ended, ['given up'])
  clock.advance(1)
  await short
  t.strictSame(ended, ['given up', 'short'])
  clock.set(120)
  await long
  t.strictSame(ended, ['given up', 'short', 'long'])
  await clock.wait(1, AbortSignal.abort())
})
