// A signal that many share has one listener, and none when nobody listens.

import { getEventListeners } from 'node:events'

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { embedded } from '../../src/backend/embedded.js'
import { memory } from '../../src/backend/memory.js'
import { offAbort, onAbort } from '../../src/model/on-abort.js'
import { startNode } from '../../src/runtime/start-node.js'

const countOf = (signal: AbortSignal) => getEventListeners(signal, 'abort').length

await t.test('all listeners of a signal are one, which goes with the last', async t => {
  const { signal } = new AbortController()
  const listeners = Array.from({ length: 100 }, () => () => {})
  for (const listener of listeners) onAbort(signal, listener)
  t.equal(countOf(signal), 1)
  for (const listener of listeners.slice(1)) offAbort(signal, listener)
  t.equal(countOf(signal), 1)
  offAbort(signal, listeners[0]!)
  t.equal(countOf(signal), 0)
  offAbort(signal, listeners[0]!)
  onAbort(undefined, () => {})
})

await t.test('each is called once, also those that are added anew', async t => {
  const controller = new AbortController()
  const { signal } = controller
  const calls: string[] = []
  const removed = () => calls.push('removed')
  onAbort(signal, removed)
  offAbort(signal, removed)
  onAbort(signal, () => calls.push('a'))
  onAbort(signal, () => calls.push('b'))
  controller.abort()
  controller.abort()
  t.strictSame(calls, ['a', 'b'])
})

await t.test('many calls with one signal warn of nothing, and leave nothing', async t => {
  const counter = defineActor({
    type: 'counter',
    initialState: 0,
    decide: { add: (_state, n: number) => event('added', n) },
    evolve: { added: (state, n: number) => state + n },
  })
  const warnings: Error[] = []
  const onWarning = (warning: Error) => void warnings.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  for (const store of [memory(), embedded({ dir: t.testdir() })]) {
    await using node = await startNode({ namespace: 'x', store, actors: [counter] })
    const { signal } = new AbortController()
    const one = (i: number) => node.spawn(counter, `a${i % 10}`)
    await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        await one(i).ask('add', 1, { signal })
        await one(i).state({ signal })
        await one(i).send('add', 1, { signal })
      }),
    )
    t.equal(countOf(signal), 0, store.kind)
    t.equal((await one(0).state({ signal })).version >= 10, true)
  }
  await new Promise(resolve => setImmediate(resolve))
  t.strictSame(warnings, [])
})
