// More is asked than can be handled: what is accepted is answered, the rest is refused, and Cairn's own work goes on.

import t from 'tap'

import { defineActor, defineTopic, event, jetstream, startNode } from '../../src/index.js'
import { Connection } from '../../src/nats/connection.js'
import { propertyOf } from '../../src/model/thrown.js'
import { startNats } from '../support/nats.js'
import { freshNamespace } from './nodes.js'
import { until } from '../support/wait.js'

await using server = await startNats()

const countingAs = (type: string) =>
  defineActor({
    type,
    initialState: 0,
    decide: { count: () => event('counted') },
    evolve: { counted: n => n + 1 },
  })
const [tally, other] = [countingAs('tally'), countingAs('other')]

const unhandled: unknown[] = []
process.on('unhandledRejection', error => unhandled.push(error))

/** How many calls ended with which code; `ok` for a result. */
function counting() {
  const ended: Record<string, number> = {}
  const count = (key: string) => (ended[key] = (ended[key] ?? 0) + 1)
  return {
    ended,
    add: (call: Promise<unknown>) =>
      call.then(
        () => count('ok'),
        (error: unknown) => count(String(propertyOf(error, 'code'))),
      ),
  }
}

/** A node that hosts the types, and one that sends to it. */
async function pair() {
  const namespace = freshNamespace()
  const store = () => jetstream({ servers: server.url })
  const host = await startNode({
    namespace,
    store: store(),
    id: 'host',
    actors: [tally, other],
  })
  const sender = await startNode({ namespace, store: store(), id: 'sender' })
  return {
    host,
    sender,
    [Symbol.asyncDispose]: async () => {
      await sender.close()
      await host.close()
    },
  }
}

/** Ends that tell a caller the truth about a call that was not carried out. */
const fair = ['ok', 'queue-full', 'mailbox-full', 'deadline-exceeded', 'outcome-unknown']

for (const [title, from, actors] of [
  ['from another node', 'sender', 500],
  ['on the node itself', 'host', 10],
] as const)
  await t.test(`a flood ${title} is answered or refused, and leaves nothing`, async t => {
    await using nodes = await pair()
    const node = nodes[from]
    const { ended, add } = counting()
    const calls: Promise<unknown>[] = []
    for (let i = 0; i < 18_000; i++)
      calls.push(
        add(
          node.ask({ type: 'tally', id: `t${i % actors}` }, 'count', undefined, {
            timeout: 30_000,
          }),
        ),
      )
    await Promise.all(calls)
    t.strictSame(
      Object.keys(ended).filter(code => !fair.includes(code)),
      [],
    )
    t.ok(
      ended.ok! > 500 && (ended['queue-full'] ?? 0) + (ended['mailbox-full'] ?? 0) > 0,
      JSON.stringify(ended),
    )
    t.match(await node.ask({ type: 'tally', id: 't0' }, 'count'), { ok: true })
    for (const { members, stats } of [nodes.host, nodes.sender]) {
      t.strictSame(
        members().map(({ id }) => id),
        ['host'],
      )
      t.equal(stats().actors.open, 0)
    }
    const { refused } = node.stats().router
    t.equal(refused > 0, from === 'sender', 'they are counted where they are refused')
    t.strictSame(unhandled, [])
  })

await t.test('one flooded actor leaves room for all others', async t => {
  await using nodes = await pair()
  const { sender } = nodes
  const hot = counting()
  const calm = counting()
  const calls: Promise<unknown>[] = []
  const bounds = { timeout: 30_000 }
  const ask = (type: string, id: string) =>
    sender.ask({ type, id }, 'count', undefined, bounds)
  for (let i = 0; i < 20_000; i++) calls.push(hot.add(ask('tally', 'hot')))
  // They come last, and the others fill the queue.
  for (let i = 0; i < 200; i++) calls.push(calm.add(ask('other', `c${i}`)))
  await Promise.all(calls)
  t.strictSame(calm.ended, { ok: 200 })
  t.ok(hot.ended.ok! > 0)
  t.ok(20_000 - hot.ended.ok! > 0, 'not all of the flood')
})

await t.test(
  'appends, messages and durable commands are refused by load, too',
  async t => {
    await using nodes = await pair()
    const { host } = nodes
    const topic = defineTopic('load.test')
    type Work = (i: number, bounds: { signal?: AbortSignal }) => Promise<unknown>
    const works: Record<string, [limit: number, work: Work]> = {
      append: [
        16_384,
        (i, bounds) =>
          host.store.append({ type: 'raw', id: `r${i}` }, [{ type: 'added' }], bounds),
      ],
      publish: [16_384, (_, bounds) => host.publish(topic, {}, bounds)],
      send: [
        16_384,
        (i, bounds) =>
          host.send({ type: 'tally', id: `s${i}` }, 'count', undefined, bounds),
      ],
      transact: [
        1_000,
        (i, bounds) => host.transact(tx => tx.load(tally, `x${i}`), bounds),
      ],
    }
    for (const [name, [limit, work]] of Object.entries(works)) {
      const { ended, add } = counting()
      const cancel = new AbortController()
      const { signal } = cancel
      const calls = Array.from({ length: limit + 100 }, (_, i) =>
        add(work(i, { signal })),
      )
      await until(() => ended['queue-full'] === 100, { describe: `${name} is refused` })
      // Most of them were not sent yet, and never are.
      cancel.abort()
      await Promise.all(calls)
      t.equal(ended['queue-full'], 100, name)
      await until(() => work(limit + 200, {}).then(() => true), {
        describe: `${name} is accepted again`,
      })
    }
    t.strictSame(unhandled, [])
  },
)

await t.test(
  "Cairn's own requests pass those of users, which fill all slots",
  async t => {
    const connection = await Connection.open({ servers: server.url }, 'test', 'test')
    try {
      const { requests } = connection
      const silent = connection.nc.subscribe('silent')
      connection.nc.subscribe('echo', {
        callback: (_, message) => void message.respond(),
      })
      const nothing = new Uint8Array()
      const full = counting()
      const cancel = new AbortController()
      for (let i = 0; i < 70_000; i++)
        void full.add(
          requests.request('silent', nothing, 60_000, { signal: cancel.signal }),
        )
      await until(() => full.ended['queue-full'] === 70_000 - 4_096 - 65_536)
      const own = await requests.request('echo', nothing, 60_000, { isReserved: true })
      t.equal(own.kind, 'message')
      const many = await requests.requestMany('echo', nothing, 60_000, () => true)
      t.equal(many.kind, 'message', 'and so do readers')
      cancel.abort()
      await until(() => full.ended.ok === 4_096 + 65_536)
      silent.unsubscribe()
    } finally {
      await connection.close()
    }
  },
)
