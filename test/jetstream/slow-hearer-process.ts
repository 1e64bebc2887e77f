// A process that hears of commits in every way there is, and whose event loop a test blocks.

import {
  defineConsumer,
  defineReactor,
  eventsOf,
  jetstream,
  startNode,
} from '../../src/index.js'
import { type Heard, type Order, counter, notes, sums } from './slow-hearer-parts.js'

const [servers = '', namespace = '', ...ids] = process.argv.slice(2)
const heard: Heard = {
  watched: Object.fromEntries(ids.map(id => [id, []])),
  followed: [],
  reacted: {},
  consumed: [],
  rows: {},
  cached: {},
  interruptions: 0,
}
const reactor = defineReactor({
  name: 'hearer',
  on: eventsOf(counter),
  handle({ id }) {
    heard.reacted[id] = (heard.reacted[id] ?? 0) + 1
  },
})
await using node = await startNode({
  namespace,
  id: 'hearer',
  reactors: [reactor],
  projections: [sums],
  store: jetstream({ servers }),
})
const trigger = node.trigger(defineConsumer({ name: 'notes', on: notes }), message => {
  heard.consumed.push(message.payload as number)
})
await trigger.start()
await node.subscribeToEventStored(() => {}, {
  onInterrupted: () => heard.interruptions++,
})
const stop = new AbortController()
const { signal } = stop
const loops = ids.map(async id => {
  for await (const { version } of node.spawn(counter, id).watch({ from: 0, signal }))
    heard.watched[id]!.push(version)
})
loops.push(
  (async () => {
    for await (const { position } of node.store.follow({ signal }))
      heard.followed.push(position)
  })(),
)

process.on('message', (order: Order) => {
  // As a long computation does.
  if (order.kind === 'block')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, order.ms)
  else if (order.kind === 'report') void report()
  else stop.abort()
})
process.send!('ready')
await Promise.all(loops)
await trigger.stop()
process.disconnect()

async function report(): Promise<void> {
  for (const id of ids) {
    heard.rows[id] = await node.projection(sums).get(id)
    heard.cached[id] = node.store.cachedVersion({ type: counter.type, id })
  }
  process.send?.(heard)
}
