// node.on: what a program hears of its node.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { embedded } from '../../src/backend/embedded.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { memory } from '../../src/backend/memory.js'
import { defineConsumer } from '../../src/delivery/consumer/define-consumer.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { defineTopic } from '../../src/model/topic.js'
import type { NodeEventName, NodeEvents } from '../../src/runtime/node-events.js'
import { startNode } from '../../src/runtime/start-node.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

const topic = defineTopic('t')
const fragile = defineActor({
  type: 'fragile',
  initialState: 0,
  decide: { go: () => event('went') },
  evolve: {
    went(): number {
      throw new Error('cannot be folded')
    },
  },
})
const reactor = defineReactor({
  name: 'failing',
  on: topic,
  retry: { attempts: 1 },
  handle() {
    throw new TypeError('smtp down')
  },
})

await t.test('dead letters and parked actors are told, also of consumers', async t => {
  await using node = await startNode({
    namespace: 'x',
    store: memory(),
    actors: [fragile],
    reactors: [reactor],
  })
  const dead: NodeEvents['dead-letter'][] = []
  const parked: NodeEvents['parked'][] = []
  node.on('dead-letter', letter => void dead.push(letter))
  node.on('parked', failure => void parked.push(failure))
  // A listener that fails affects no other, whatever it throws.
  node.on('dead-letter', () => {
    throw Object.create(null)
  })
  // oxlint-disable-next-line typescript/no-misused-promises -- a promise that is rejected is what is tested
  node.on('dead-letter', async () => Promise.reject(new Error('nobody awaits this')))
  await node.publish(topic, 1, { id: 'm1' })
  await until(() => dead.length === 1)
  t.match(dead[0], {
    reactor: 'failing',
    messageId: 'm1',
    topic: 't',
    reason: 'max-attempts-exhausted',
    attempts: 1,
    error: { name: 'TypeError', message: 'smtp down' },
  })
  const consumer = node.consumer(defineConsumer({ name: 'erp', on: topic }))
  const [message] = await consumer.consume({ maxWait: 10_000 })
  await consumer.term(message!.ackToken, 'refused')
  t.match(dead[1], { reactor: 'consumer:erp', reason: 'terminal' })
  await t.rejects(node.spawn(fragile, 'one').ask('go'), { code: 'actor-parked' })
  t.match(parked, [
    { actor: { type: 'fragile', id: 'one' }, error: { code: 'actor-parked' } },
  ])
})

await t.test('a listener can be removed, and names are checked', async t => {
  await using node = await startNode({
    namespace: 'x',
    store: memory(),
    reactors: [reactor],
  })
  const heard: string[] = []
  const off = node.on('dead-letter', ({ messageId }) => void heard.push(messageId))
  const all: string[] = []
  node.on('dead-letter', ({ messageId }) => void all.push(messageId))
  await node.publish(topic, 1, { id: 'first' })
  await until(() => all.length === 1)
  off()
  await node.publish(topic, 1, { id: 'second' })
  await until(() => all.length === 2)
  t.strictSame(heard, ['first'])
  t.throws(() => node.on('deadletter' as NodeEventName, () => {}), {
    code: 'invalid-option',
    message: /no event "deadletter": it has dead-letter, parked/,
  })
  t.throws(() => node.on('parked', undefined as never), { code: 'invalid-option' })
})

await t.test('a damaged checkpoint is told', async t => {
  const store = embedded({ dir: t.testdir() })
  const options = { namespace: 'x', store, reactors: [reactor], log: false } as const
  {
    await using node = await startNode(options)
    const dead: string[] = []
    node.on('dead-letter', ({ messageId }) => void dead.push(messageId))
    await node.publish(topic, 1, { key: 'k' })
    await until(() => dead.length === 1)
  }
  await using open = await store.open({ namespace: 'x', nodeId: 'damage' })
  let damaged = 0
  for (let partition = 0; partition < open.partitions; partition++) {
    const key = ['reactor', 'failing', 'topic', String(partition)]
    const found = await open.documents.get(key)
    if (found === undefined) continue
    await open.documents.put(key, Buffer.from('garbage'), found.revision)
    damaged++
  }
  t.ok(damaged > 0)
  await using node = await startNode(options)
  const told: NodeEvents['checkpoint-damaged'][] = []
  node.on('checkpoint-damaged', one => void told.push(one))
  await until(() => told.length === damaged)
  t.match(told[0], { group: 'reactor.failing' })
})

await t.test('a lost connection is told, and that it is made again', async t => {
  await using server = await startNats()
  await using node = await startNode({
    namespace: 'x',
    store: jetstream({ servers: server.url }),
  })
  const told: string[] = []
  node.on('disconnected', ({ server: at }) => void told.push(`lost ${at}`))
  node.on('reconnected', ({ server: at }) => void told.push(`again ${at}`))
  await server.restart()
  await until(() => told.length >= 2)
  t.match(told[0], /^lost nats:\/\//)
  t.match(told.at(-1), /^again nats:\/\//)
})
