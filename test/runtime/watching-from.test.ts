// A watch from a version, and a loop that has fallen behind, go on at every version: also at one within a commit.

import t from 'tap'

import { httpHandler } from '../../src/doors/http.js'
import { defineActor, event } from '../../src/index.js'
import type { Node } from '../../src/runtime/node.js'
import { deferred } from '../../src/model/wait.js'
import { eventsOf } from '../http/shop.js'
import { onEachBackend } from '../support/backends.js'
import { until } from '../support/wait.js'

const counter = defineActor({
  type: 'counter',
  initialState: { sum: 0 },
  decide: {
    add: (_state, count: number) => Array.from({ length: count }, () => event('added')),
  },
  evolve: { added: ({ sum }) => ({ sum: sum + 1 }) },
})

const span = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i)

await onEachBackend(t, 'reading on from a version', async (t, sceneOn) => {
  await t.test('every version of every commit', async t => {
    const scene = sceneOn(t)
    const owner = await scene.start({ actors: [counter] })
    const other = await scene.start({ actors: [] })
    const mine = owner.spawn(counter, 'a')
    // Commits 1, 2 to 10, 11 to 20, 21.
    for (const count of [1, 9, 10, 1]) await mine.ask('add', count)
    const http = await httpHandler(owner, { anonymous: ['reader'] })
    t.teardown(() => http.close())
    for (const node of [owner, other])
      for (const from of span(0, 21)) {
        const ref = node.spawn(counter, 'a')
        const wanted = span(from + 1, 21)
        t.strictSame(await watched(node, { from }, wanted.length), wanted)
        const read: number[] = []
        for await (const one of ref.events({ from: Math.max(1, from) }))
          if (one.kind === 'event') read.push(one.version)
        t.strictSame(read, span(Math.max(1, from), 21))
      }
    for (const from of [0, 5, 19]) {
      const seen = await watched(owner, { from, latest: true }, 1)
      t.strictSame(seen, [21], `the last version only, from ${from}`)
    }
    for (const from of [0, 5, 10, 15, 20]) {
      const request = new Request('http://127.0.0.1/v1/actors/counter/a/watch', {
        headers: { 'last-event-id': String(from) },
      })
      const sent = await eventsOf(await http.fetch(request), 21 - from)
      const versions = sent.map(({ data }) => data.version)
      t.strictSame(versions, span(from + 1, 21), `Last-Event-ID ${from}`)
    }
  })

  await t.test('a loop that falls behind within a commit goes on there', async t => {
    const scene = sceneOn(t)
    const owner = await scene.start({ actors: [counter] })
    const other = await scene.start({ actors: [] })
    const mine = owner.spawn(counter, 'slow')
    for (const node of [owner, other]) {
      const { version: start } = await mine.ask('add', 1)
      const { promise: mayGo, resolve: go } = deferred<void>()
      const seen: number[] = []
      const ended = (async () => {
        for await (const { version, state } of node
          .spawn(counter, 'slow')
          .watch({ from: start })) {
          seen.push(version)
          t.equal(state.sum, version)
          if (seen.length === 5) await mayGo
          if (seen.length === 751) return
        }
      })()
      for (const count of [150, 300, 300]) await mine.ask('add', count)
      await until(() => seen.length === 5)
      // What this one has seen was held at the same time for the slow one.
      await watched(node, { from: start }, 750, 'slow')
      await mine.ask('add', 1)
      go()
      await ended
      t.strictSame(seen, span(start + 1, start + 751))
    }
  })
})

/** The first versions that a watch yields, each with the state that belongs to it. */
async function watched(
  node: Node,
  options: { from: number; latest?: boolean },
  count: number,
  id = 'a',
): Promise<number[]> {
  const seen: number[] = []
  if (count === 0) return seen
  for await (const { version, state } of node.spawn(counter, id).watch(options)) {
    if (state.sum !== version) throw new Error(`state ${state.sum} at version ${version}`)
    if (seen.push(version) === count) break
  }
  return seen
}

await onEachBackend(
  t,
  'a watch by a definition of before says that it is behind',
  async (t, sceneOn) => {
    const scene = sceneOn(t)
    const later = defineActor({
      type: 'counter',
      version: 2,
      initialState: { sum: 0 },
      decide: { like: () => [event('added'), event('liked')] },
      evolve: { added: ({ sum }) => ({ sum: sum + 1 }), liked: state => state },
    })
    const owner = await scene.start({ actors: [later] })
    const client = await scene.start({ actors: [] })
    await owner.spawn(later, 'a').ask('like')
    const versions: number[] = []
    const watching = async () => {
      for await (const { version } of client.spawn(counter, 'a').watch({ from: 0 }))
        versions.push(version)
    }
    await t.rejects(watching(), { code: 'version-behind', retryable: true })
    t.strictSame(versions, [1], 'up to the event that it does not know')
    t.equal((await owner.spawn(later, 'a').ask('like')).version, 4, 'it is not parked')
  },
)
