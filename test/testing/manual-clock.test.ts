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
