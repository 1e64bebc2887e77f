import t from 'tap'

import { CairnError } from '../../src/model/errors.js'
import {
  abortedError,
  deferred,
  pause,
  raceSignal,
  throwIfAborted,
  withTimeout,
} from '../../src/model/wait.js'

const long = 60_000
const late = () => new CairnError('deadline-exceeded', 'too late')

await t.test('a deferred promise is settled from outside', async t => {
  const good = deferred<number>()
  good.resolve(7)
  t.equal(await good.promise, 7)
  const bad = deferred<number>()
  bad.reject(new Error('no'))
  await t.rejects(bad.promise, { message: 'no' })
})

await t.test('the error of an aborted signal names the work', async t => {
  throwIfAborted(undefined, 'nothing')
  throwIfAborted(new AbortController().signal, 'nothing')
  const reason = new Error('enough')
  const signal = AbortSignal.abort(reason)
  t.throws(() => throwIfAborted(signal, 'reading'), {
    code: 'aborted',
    message: /Stopped reading/,
  })
  t.equal(abortedError(signal, 'reading').cause, reason)
})

await t.test('a pause ends with its time or its signal, and never fails', async t => {
  await pause(1)
  await pause(long, AbortSignal.abort())
  const stop = new AbortController()
  const pausing = pause(long, stop.signal)
  stop.abort()
  await pausing
  t.pass('all have ended')
})

await t.test(
  'withTimeout ends by the promise, the deadline or the signal, whichever is first',
  async t => {
    const never = new Promise<never>(() => {})
    t.equal(await withTimeout(Promise.resolve(7), long, late), 7)
    await t.rejects(withTimeout(Promise.reject(new Error('no')), long, late), {
      message: 'no',
    })
    await t.rejects(withTimeout(never, 1, late), { code: 'deadline-exceeded' })
    const stop = new AbortController()
    const waiting = withTimeout(never, long, late, stop.signal, 'asking')
    stop.abort()
    await t.rejects(waiting, { code: 'aborted', message: /Stopped asking/ })
    const again = withTimeout(never, long, late, stop.signal)
    await t.rejects(again, { code: 'aborted' })
  },
)

await t.test(
  'raceSignal resolves like the promise, or with undefined when the signal fires',
  async t => {
    const never = new Promise<never>(() => {})
    t.equal(await raceSignal(Promise.resolve(7), undefined), 7)
    const stop = new AbortController()
    t.equal(await raceSignal(Promise.resolve(7), stop.signal), 7)
    await t.rejects(raceSignal(Promise.reject(new Error('no')), stop.signal), {
      message: 'no',
    })
    const waiting = raceSignal(never, stop.signal)
    stop.abort()
    t.equal(await waiting, undefined)
    t.equal(await raceSignal(never, stop.signal), undefined)
  },
)

await t.test(
  'a failure after the caller has stopped waiting is not an unhandled rejection',
  async t => {
    const unhandled: unknown[] = []
    const onUnhandled = (error: unknown) => unhandled.push(error)
    process.on('unhandledRejection', onUnhandled)
    t.teardown(() => process.off('unhandledRejection', onUnhandled))
    const aborted = AbortSignal.abort()
    const works = Array.from({ length: 3 }, () => deferred<never>())
    await t.rejects(withTimeout(works[0]!.promise, long, late, aborted), {
      code: 'aborted',
    })
    await t.rejects(withTimeout(works[1]!.promise, 1, late), {
      code: 'deadline-exceeded',
    })
    t.equal(await raceSignal(works[2]!.promise, aborted), undefined)
    for (const work of works) work.reject(new Error('late'))
    // Unhandled rejections are reported when the microtasks are done.
    await new Promise(resolve => {
      setImmediate(resolve)
    })
    t.strictSame(unhandled, [])
  },
)
