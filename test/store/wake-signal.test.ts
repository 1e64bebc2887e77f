import t from 'tap'

import { WakeSignal } from '../../src/store/wake-signal.js'

const never = new AbortController().signal
const long = 60_000

await t.test('a ring wakes those who wait for less, and nobody else', async t => {
  const bell = new WakeSignal()
  const woken: string[] = []
  const early = bell.wait(3, long, never).then(() => woken.push('after 3'))
  const late = bell.wait(5, long, never).then(() => woken.push('after 5'))
  bell.raise(3)
  bell.raise(5)
  await early
  t.strictSame(woken, ['after 3'])
  bell.raise(6)
  await late
  t.strictSame(woken, ['after 3', 'after 5'])
})

await t.test('who comes late does not sleep', async t => {
  const bell = new WakeSignal()
  bell.raise(7)
  await bell.wait(6, long, never)
  t.equal(bell.position, 7)
})

await t.test('a ring for less than the last changes nothing', async t => {
  const bell = new WakeSignal()
  bell.raise(7)
  bell.raise(3)
  t.equal(bell.position, 7)
})

await t.test('a wait ends with its time, its signal, or a call to all', async t => {
  const bell = new WakeSignal()
  await bell.wait(0, 1, never)
  const stop = new AbortController()
  const waiting = bell.wait(0, long, stop.signal)
  stop.abort()
  await waiting
  await bell.wait(0, long, stop.signal)
  const called = [bell.wait(0, long, never), bell.wait(9, long, never)]
  bell.wakeAll()
  await Promise.all(called)
  t.equal(bell.position, 0)
})
