// Sending many dead letters again, to the end and interrupted. `npm run test:reactors` does it with 50,000.

import t, { type Test } from 'tap'

import type { Backend } from '../../../src/backend/backend.js'

import { onEachBackend } from '../../support/backends.js'
import { startNode } from '../../../src/runtime/start-node.js'
import { ailing, areHandled, giveUpMany, counting } from './redrive.js'

const timeout = 60_000
t.setTimeout(300_000)
const count = 300

/** Starts nodes of a namespace, on a backend that is watched. */
function starter(t: Test, namespace: string, store: Backend) {
  return async (options: object) => {
    const node = await startNode({ namespace, store, ...options })
    t.teardown(() => node.close())
    return node
  }
}

await onEachBackend(
  t,
  'all dead letters are sent again, each once, with bounded concurrency',
  async (t, on) => {
    const { namespace, backend } = on(t)
    const watched = counting(backend)
    const sick = ailing()
    const start = starter(t, namespace, watched.backend)
    const node = await giveUpMany(start, sick, count, timeout)
    sick.recover()
    t.equal(await node.deadLetters.retryAll(), count)
    const { again } = await areHandled(t, node, sick, count, timeout)
    t.equal(again, 0, 'none is handled twice')
    t.equal(watched.calls.puts, count)
    t.equal(watched.calls.removes, count)
    t.ok(watched.calls.openMax <= 64, `${watched.calls.openMax} at a time`)
    t.equal(sick.seen.calls, 2 * count, 'no attempt too many')
  },
)

await onEachBackend(
  t,
  'an interrupted redrive of all dead letters continues with the next call',
  async (t, on) => {
    const { namespace, backend } = on(t)
    let left = 100
    const watched = counting(backend, () => {
      // The message is stored for its reactor, and the dead letter still exists.
      if (left-- <= 0) throw new Error('its process ended')
    })
    const sick = ailing()
    const start = starter(t, namespace, watched.backend)
    const node = await giveUpMany(start, sick, count, timeout)
    sick.recover()
    await t.rejects(node.deadLetters.retryAll(), /its process ended/)
    const rest = await node.deadLetters.retryAll({ dryRun: true })
    t.ok(rest >= count - 100 && rest < count, `${rest} are left`)
    left = Infinity
    t.equal(await node.deadLetters.retryAll(), rest)
    const { again } = await areHandled(t, node, sick, count, timeout)
    t.ok(again <= 64, `${again} of those under way were handled again`)
  },
)
