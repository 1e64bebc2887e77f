// A log or a queue that was restored to an earlier point while no node ran, and written on before its readers are back:
// none of them leaves anything out, though the place of each is beyond the point.

import { connect, type StoredMsg } from 'nats'
import t, { type Test } from 'tap'

import { publish, send } from '../../src/actor/effects.js'
import { newId } from '../../src/model/id.js'
import {
  defineActor,
  defineConsumer,
  defineProjection,
  defineReactor,
  defineTopic,
  event,
  eventsOf,
  jetstream,
  type Node,
  type NodeOptions,
  startNode,
} from '../../src/index.js'
import { takingLog } from '../support/log.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

await using server = await startNats()
const patience = { timeout: 60_000 }

const noted = defineTopic('noted')
const ledger = defineActor({
  type: 'ledger',
  initialState: [] as string[],
  decide: { note: (_state, text: string) => event('noted', text) },
  evolve: { noted: (state, text: string) => [...state, text] },
})
const pen = defineActor({
  type: 'pen',
  publishes: [noted],
  initialState: 0,
  decide: {
    write: (_state, text: string) => [
      event('wrote', text),
      publish(noted, text),
      send(ledger, 'all', 'note', text),
    ],
  },
  evolve: { wrote: n => n + 1 },
})
const texts = defineProjection({
  name: 'texts',
  from: pen,
  initial: [] as string[],
  when: { wrote: (row, { data }) => [...row, data] },
})
const erp = defineConsumer({ name: 'erp', on: noted })

/** The messages of a stream, and a way to make it again with these alone. */
async function copyOf(stream: string, upTo?: number) {
  const nc = await connect({ servers: server.url })
  const { streams } = await nc.jetstreamManager()
  const { config, state } = await streams.info(stream)
  const messages: (StoredMsg | undefined)[] = []
  for (let seq = state.first_seq; seq <= (upTo ?? state.last_seq); seq++)
    messages.push(await streams.getMessage(stream, { seq }).catch(() => undefined))
  return {
    async restore() {
      const metadata = Object.entries(config.metadata ?? {})
      const own = metadata.filter(([name]) => !name.startsWith('_nats'))
      await streams.delete(stream)
      await streams.add({ ...config, metadata: Object.fromEntries(own) })
      for (const message of messages)
        if (message !== undefined)
          await nc
            .jetstream()
            .publish(message.subject, message.data, { headers: message.header })
      await nc.close()
    },
  }
}

function scene(t: Test) {
  const namespace = `r-${newId().slice(0, 8)}`
  const warnings: string[] = []
  const log = takingLog({ warn: (_, message) => warnings.push(message) })
  const start = async (options: Partial<NodeOptions> = {}) => {
    const node = await startNode({
      namespace,
      store: jetstream({ servers: server.url }),
      log,
      ...options,
    })
    t.teardown(() => node.close({ timeout: 500 }))
    return node
  }
  return { stream: `CAIRN_${namespace}`, warnings, start }
}

const write = async (node: Node, ...all: readonly string[]) => {
  for (const text of all) await node.spawn(pen, 'p').ask('write', text)
}

await t.test('every reader of a log that was restored and written on', async t => {
  const { stream, warnings, start } = scene(t)
  const events: string[] = []
  const messages: string[] = []
  const seen = defineReactor({
    name: 'events',
    on: eventsOf(pen),
    handle: ({ data }) => void events.push(data.data),
  })
  const heard = defineReactor({
    name: 'messages',
    on: noted,
    handle: ({ data }) => void messages.push(data as string),
  })
  const readers = {
    actors: [pen, ledger],
    reactors: [seen, heard],
    projections: [texts],
  }
  const consumed: string[] = []
  const consumeAll = async (node: Node, last: string) => {
    const consumer = node.consumer(erp)
    while (!consumed.includes(last))
      for (const { ackToken, payload } of await consumer.consume({ batch: 50 })) {
        consumed.push(payload as string)
        await consumer.ack(ackToken)
      }
  }
  const notes = async (node: Node) => (await node.spawn(ledger, 'all').state()).state
  const isDone = (node: Node, last: string, count: number) =>
    until(
      async () =>
        events.includes(last) &&
        messages.includes(last) &&
        (await notes(node)).length === count &&
        (await node.projection(texts).get('p'))?.at(-1) === last,
      patience,
    )
  const first = await start(readers)
  const early = ['e1', 'e2', 'e3', 'e4', 'e5', 'e6']
  await write(first, ...early)
  await isDone(first, 'e6', 6)
  const backup = await copyOf(stream)
  await write(first, 'l1', 'l2', 'l3', 'l4')
  await isDone(first, 'l4', 10)
  await consumeAll(first, 'l4')
  await first.close()

  await backup.restore()
  for (const list of [events, messages, consumed, warnings]) list.length = 0
  const next = Array.from({ length: 12 }, (_, i) => `n${i}`)
  const writer = await start()
  for (const text of next)
    await writer.store.append({ type: 'pen', id: 'p' }, [{ type: 'wrote', data: text }], {
      outbox: [
        { kind: 'message', topic: 'noted', version: 1, data: text },
        {
          kind: 'command',
          actor: { type: 'ledger', id: 'all' },
          type: 'note',
          data: text,
        },
      ],
    })
  await writer.close()
  const node = await start(readers)
  await isDone(node, 'n11', 18)
  await consumeAll(node, 'n11')
  for (const [name, list] of Object.entries({ events, messages, consumed }))
    t.strictSame(
      list.filter(text => text.startsWith('n')),
      next,
      name,
    )
  t.strictSame(await notes(node), [...early, ...next], 'each command took effect once')
  t.strictSame(await node.projection(texts).get('p'), [...early, ...next])
  const { courier, reactors, projections, consumers } = node.stats()
  t.ok(courier.setBack > 0)
  t.ok(reactors['events']!.setBack > 0 && reactors['messages']!.setBack > 0)
  t.equal(projections['texts']!.setBack, 1)
  t.equal(consumers.setBack, 1)
  const about = (text: string) => warnings.filter(one => one.includes(text)).length
  t.equal(about('Consumer erp goes back'), 1)
  t.equal(about('Projection texts is rebuilt'), 1)
  t.equal(about('of group courier goes back'), courier.setBack)
  await node.close()

  warnings.length = 0
  events.length = 0
  const again = await start(readers)
  await write(again, 'again')
  await isDone(again, 'again', 19)
  t.strictSame(events, ['again'], 'nothing is read a second time')
  t.strictSame(
    warnings.filter(text => /goes back|is rebuilt/.test(text)),
    [],
  )
})

await t.test('a reader of topics whose stream was restored and written on', async t => {
  const { stream, start } = scene(t)
  const seen: string[] = []
  const reactor = defineReactor({
    name: 'r',
    on: noted,
    handle: ({ data }) => void seen.push(data as string),
  })
  const first = await start({ reactors: [reactor] })
  for (const text of ['a', 'b', 'c', 'd']) await first.publish(noted, text)
  await until(() => seen.length === 4)
  await first.close()
  await (await copyOf(`${stream}_TOPICS`, 2)).restore()
  const writer = await start()
  for (const text of ['v', 'w', 'x', 'y', 'z']) await writer.publish(noted, text)
  await writer.close()
  await start({ reactors: [reactor] })
  await until(() => seen.includes('z'))
  t.strictSame(
    seen
      .slice(4)
      .filter(text => text >= 'v')
      .toSorted(),
    ['v', 'w', 'x', 'y', 'z'],
  )
})

await t.test(
  'RESUME-3 commands that a restored inbox holds again take effect once',
  async t => {
    const { stream, start } = scene(t)
    const first = await start({ actors: [ledger], timers: 'passive' })
    const notes = async (node: Node) => (await node.spawn(ledger, 'all').state()).state
    // Nobody hosts the pen, so its command waits in the inbox.
    await first.send({ type: 'pen', id: 'p' }, 'write', 'waiting')
    await first.send({ type: 'ledger', id: 'all' }, 'note', 'one')
    await until(async () => (await notes(first)).length === 1)
    const backup = await copyOf(`${stream}_INBOX`)
    await first.close()
    const second = await start({ actors: [ledger, pen] })
    await until(async () => (await notes(second)).length === 2)
    for (let i = 0; i < 20; i++)
      await second.send({ type: 'ledger', id: `${i}` }, 'note', 'more')
    await until(async () => (await second.spawn(ledger, '19').state()).state.length === 1)
    await second.close()

    await backup.restore()
    const writer = await start()
    for (let i = 0; i < 40; i++)
      await writer.send({ type: 'ledger', id: `${i}` }, 'note', 'new')
    await writer.close()
    const node = await start({ actors: [ledger, pen] })
    const states = () =>
      Promise.all(
        Array.from(
          { length: 40 },
          async (_, i) => (await node.spawn(ledger, `${i}`).state()).state,
        ),
      )
    await until(
      async () => (await states()).every(state => state.at(-1) === 'new'),
      patience,
    )
    const backend = jetstream({ servers: server.url })
    await using open = await backend.open({ namespace: node.namespace, nodeId: 'looks' })
    await until(async () => {
      for await (const _ of open.queues.inbox.read()) return false
      return true
    })
    t.strictSame(await notes(node), ['one', 'waiting'], 'what had been handled before')
  },
)
