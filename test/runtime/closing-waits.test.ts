// What waits on a node when it closes ends at once: a loop without an error, a wait with `node-closed`.

import t from 'tap'

import {
  defineActor,
  defineConsumer,
  defineProjection,
  defineReactor,
  defineTopic,
  event,
  publish,
} from '../../src/index.js'
import { deferred } from '../../src/model/wait.js'
import { onEachBackend } from '../support/backends.js'
import { takingLog } from '../support/log.js'
import { until } from '../support/wait.js'

const topic = defineTopic('noted')
const counter = defineActor({
  type: 'counter',
  initialState: 0,
  publishes: [topic],
  decide: { add: () => [event('added'), publish(topic, 1)] },
  evolve: { added: state => state + 1 },
})
const sums = defineProjection({
  name: 'sums',
  from: counter,
  initial: 0,
  when: { added: sum => sum + 1 },
})
const hearer = defineConsumer({ name: 'hearer', on: topic })

/** Only the end of the node ends these waits. */
const timeout = Infinity

await onEachBackend(t, 'a node that closes', async (t, sceneOn) => {
  await t.test('ends what waits on it', async t => {
    const release = deferred<void>()
    const slow = defineReactor({ name: 'slow', on: topic, handle: () => release.promise })
    const lines: string[] = []
    const take = (_details: object, message: string) => void lines.push(message)
    const node = await sceneOn(t).start({
      actors: [counter],
      projections: [sums],
      reactors: [slow],
      log: takingLog({ warn: take, error: take }),
    })
    const mine = node.spawn(counter, 'a')
    const { position, version } = await mine.ask('add')
    const reader = node.projection(sums)
    t.equal(await reader.get('a', { after: position }), 1)
    await until(() => Object.values(node.stats().reactors).some(one => one.open > 0))
    const beyond = position + 1_000
    const seen = { watched: 0, rows: 0 }
    const loops = [
      (async () => {
        for await (const _ of mine.watch()) seen.watched++
      })(),
      (async () => {
        for await (const _ of reader.watch('a')) seen.rows++
      })(),
      (async () => {
        for await (const _ of node.store.follow());
      })(),
    ]
    const waits = {
      get: reader.get('a', { after: beyond, timeout }),
      list: reader.list({ after: beyond, timeout }),
      waitFor: reader.waitFor(beyond, { timeout }),
      entries: (async () => {
        for await (const _ of reader.entries({ after: beyond, timeout }));
      })(),
      until: mine.until(() => false, { timeout }),
      state: mine.state({ freshness: { after: version + 1 }, timeout }),
      nodeState: node.state(mine.address, { freshness: { after: version + 1 }, timeout }),
      settled: node.settled({ timeout }),
    }
    await node.consumer(hearer).declare()
    const consumed = node.consumer(hearer).consume({ batch: 9, maxWait: timeout })
    const outcomes = Object.entries(waits).map(
      async ([name, wait]) =>
        [
          name,
          await wait.then(
            () => 'resolved',
            (error: { code?: string }) => error.code,
          ),
        ] as const,
    )
    const ofConsumer = consumed.then(
      () => 'messages',
      (error: { code?: string }) => error.code,
    )
    await until(() => seen.watched === 1 && seen.rows === 1)
    const closed = node.close()
    // At once, while a handler still runs.
    await loops[1]
    release.resolve()
    t.strictSame(
      Object.fromEntries(await Promise.all(outcomes)),
      Object.fromEntries(Object.keys(waits).map(name => [name, 'node-closed'])),
    )
    t.match(await ofConsumer, /^(node-closed|messages)$/)
    await closed
    await Promise.all(loops)
    t.strictSame(lines, [], 'without a warning')
  })
})
