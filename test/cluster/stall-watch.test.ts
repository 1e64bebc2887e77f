import t from 'tap'

import { StallWatch } from '../../src/cluster/stall-watch.js'
import { deferred } from '../../src/model/wait.js'

/** Blocks this thread, as a stopped process is blocked. */
const block = (ms: number) =>
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

function watched() {
  let calls = 0
  let caughtUp = deferred<void>()
  const watch = new StallWatch(() => {
    calls++
    caughtUp = deferred<void>()
    return caughtUp.promise
  })
  t.teardown(() => watch.close())
  return {
    watch,
    get calls() {
      return calls
    },
    /** Resolves once the watch has heard of it. */
    end: async (error?: Error) => {
      if (error === undefined) caughtUp.resolve()
      else caughtUp.reject(error)
      await new Promise(resolve => setImmediate(resolve))
    },
  }
}

await t.test(
  'STALL-1 what is read after a stall may have waited for all of it',
  async t => {
    const scene = watched()
    t.equal(scene.watch.waited(), 0, 'no stall')
    block(400)
    t.ok(scene.watch.waited() >= 400, 'before the timer has fired')
    t.ok(scene.watch.waited() >= 400, 'and again')
    await new Promise(resolve => setTimeout(resolve, 1))
    t.ok(scene.watch.waited() >= 400, 'and after the timer')
    t.equal(scene.calls, 1)
  },
)

await t.test('STALL-2 a stall is over once what had arrived is read', async t => {
  const scene = watched()
  block(400)
  t.ok(scene.watch.waited() >= 400)
  await scene.end()
  t.equal(scene.watch.waited(), 0)
  block(350)
  const second = scene.watch.waited()
  t.ok(second >= 350 && second < 400 + 350, 'the next one counts by itself')
  await scene.end(new Error('the connection is lost'))
  t.equal(scene.watch.waited(), 0, 'what was not read is lost')
})

await t.test('a stall in a stall: the first end does not count', async t => {
  const scene = watched()
  block(400)
  scene.watch.waited()
  const { end } = scene
  block(400)
  t.ok(scene.watch.waited() >= 400)
  t.equal(scene.calls, 2)
  await end()
  t.equal(scene.watch.waited(), 0)
})
