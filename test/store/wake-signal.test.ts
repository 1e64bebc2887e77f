import t from 'tap'

import { WakeSignal } from '../../src/store/wake-signal.js'

const never = new AbortController().signal
const long = 60_000

await t.test(
  'raising wakes the readers that wait for a lower position, and no others',
  async t => {
    const wakeSignal = new WakeSignal()
    const woken: string[] = []
    const early = wakeSignal.wait(3, long, never).then(() => woken.push('after 3'))
    const late = wakeSignal.wait(5, long, never).then(() => woken.push('after 5'))
    wakeSignal.raise(3)
    wakeSignal.raise(5)
    await early
    t.strictSame(woken, ['after 3'])
    wakeSignal.raise(6)
    await late
    t.strictSame(woken, ['after 3', 'after 5'])
  },
)

await t.test(
  'a reader that waits for a position raised before does not sleep',
  async t => {
    const wakeSignal = new WakeSignal()
    wakeSignal.raise(7)
    await wakeSignal.wait(6, long, never)
    t.equal(wakeSignal.position, 7)
  },
)

await t.test('raising to a lower position changes nothing', async t => {
  const wakeSignal = new WakeSignal()
  wakeSignal.raise(7)
  wakeSignal.raise(3)
  t.equal(wakeSignal.position, 7)
})

await t.test('a wait ends at its timeout, by its signal, or by wakeAll', async t => {
  const wakeSignal = new WakeSignal()
  await wakeSignal.wait(0, 1, never)
  const stop = new AbortController()
  const waiting = wakeSignal.wait(0, long, stop.signal)
  stop.abort()
  await waiting
  await wakeSignal.wait(0, long, stop.signal)
  const woken = [wakeSignal.wait(0, long, never), wakeSignal.wait(9, long, never)]
  wakeSignal.wakeAll()
  await Promise.all(woken)
  t.equal(wakeSignal.position, 0)
})
