// Readers of messages under faults: lost notices, invalid records, later publishers, a large backlog,
// server restarts, handlers that never end.

import { connect, headers } from 'nats'
import t, { type Test } from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { publish, send } from '../../src/actor/effects.js'
import type { Backend } from '../../src/backend/backend.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { encode } from '../../src/codec/msgpack.js'
import { newId } from '../../src/model/id.js'
import { defineTopic } from '../../src/model/topic.js'
import { logSubject } from '../../src/nats/subjects.js'
import {
  defineReactor,
  type ReactorSpec,
} from '../../src/delivery/reactor/define-reactor.js'
import type { Message } from '../../src/delivery/messages/message.js'
import type { Node } from '../../src/runtime/node.js'
import type { NodeOptions } from '../../src/runtime/options.js'
import { startNode } from '../../src/runtime/start-node.js'
import { takingLog } from '../support/log.js'
import { onEachBackend } from '../support/backends.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

const patience = { timeout: 60_000 }
t.setTimeout(600_000)

const warnings: Error[] = []
process.on('warning', warning => warnings.push(warning))

const said = defineTopic('said')
const other = defineTopic('other.things')

const sink = defineActor({
  type: 'sink',
  initialState: 0,
  decide: { drop: (_state, n: number) => event('dropped', n) },
  evolve: { dropped: state => state + 1 },
})
const speaker = defineActor({
  type: 'speaker',
  publishes: [said],
  initialState: 0,
  decide: {
    say: (_state, n: number) => [event('spoke', n), publish(said, n)],
    twice: (_state, n: number) => [
      event('spoke', n),
      publish(said, n),
      publish(said, -n),
    ],
    drop: (_state, to: string[]) => [
      event('spoke', 0),
      ...to.map(id => send(sink, id, 'drop', 1)),
    ],
  },
  evolve: { spoke: state => state + 1 },
})

type Handle = ReactorSpec<typeof said>['handle']

function listener(
  name: string,
  handle: Handle = () => {},
  more: Partial<ReactorSpec<typeof said>> = {},
) {
  const heard: Message[] = []
  const reactor = defineReactor({
    name,
    on: said,
    async handle(message, context) {
      await handle(message, context)
      heard.push(message)
    },
    ...more,
  })
  return { heard, reactor }
}

const server = await startNats()
t.teardown(() => server[Symbol.asyncDispose]())

function place(t: Test, wrap = (backend: Backend) => backend) {
  const namespace = `m-${newId().slice(0, 8)}`
  const backend = wrap(jetstream({ servers: server.url }))
  return {
    namespace,
    backend,
    async start(options: Partial<NodeOptions>): Promise<Node> {
      const node = await startNode({ namespace, store: backend, ...options })
      t.teardown(() => node.close())
      return node
    },
  }
}

/** Appends to many actors concurrently, as speakers do. */
async function speak(node: Node, count: number, actors = 50): Promise<void> {
  const append = async (i: number) => {
    for (let n = i; n < count; n += actors)
      await node.store.append(
        { type: 'speaker', id: `s${i}` },
        [{ type: 'spoke', data: n }],
        { outbox: [{ kind: 'message', topic: 'said', version: 1, data: n }] },
      )
  }
  await Promise.all(Array.from({ length: actors }, (_, i) => append(i)))
}

const idsOf = (heard: readonly Message[]) => new Set(heard.map(({ id }) => id))

/** Duplicates are allowed; first deliveries are in order. */
function isInOrder(heard: readonly Message[]): boolean {
  const last = new Map<string, number>()
  const seen = new Set<string>()
  for (const { id, actor, position } of heard) {
    if (seen.has(id)) continue
    seen.add(id)
    if (position <= (last.get(actor!.id) ?? 0)) return false
    last.set(actor!.id, position)
  }
  return true
}

await t.test('a reader without notices still reads everything', async t => {
  const deaf = (backend: Backend): Backend => ({
    ...backend,
    async open(options) {
      const open = await backend.open(options)
      const silent = { stats: () => ({}), unsubscribe: async () => {} } as never
      const bus = new Proxy(open.bus, {
        get: (target, name) =>
          name === 'subscribeToCommits'
            ? async () => silent
            : (Reflect.get(target, name) as () => void).bind(target),
      })
      return { ...open, bus }
    },
  })
  const { start } = place(t, deaf)
  const { heard, reactor } = listener('deaf')
  const node = await start({ actors: [speaker, sink], reactors: [reactor] })
  for (let n = 1; n <= 10; n++) await node.spawn(speaker, 'a').ask('say', n)
  await node.spawn(speaker, 'a').ask('drop', ['x'])
  await until(() => heard.length === 10, patience)
  await until(() => node.stats().courier.handled === 1, patience)
  t.ok(isInOrder(heard))
})

await t.test('invalid records are skipped and hide no commit', async t => {
  const { start, namespace } = place(t)
  const { heard, reactor } = listener('readers')
  const node = await start({ actors: [speaker], reactors: [reactor] })
  const nc = await connect({ servers: server.url })
  const foreign = (id: string) =>
    nc
      .jetstream()
      .publish(logSubject(namespace, { type: 'speaker', id }, 16), Buffer.from('no'))
  const ref = node.spawn(speaker, 'a')
  for (let n = 1; n <= 20; n++) {
    await ref.ask('say', n)
    await foreign(n % 2 === 0 ? 'a' : 'b')
    if (n % 5 === 0) await foreign('c')
  }
  await until(() => heard.length === 20, patience)
  t.ok(isInOrder(heard))
  await node.store.append({ type: 'speaker', id: 'a' }, [{ type: 'spoke' }])
  await foreign('a')
  await ref.ask('say', 21)
  await until(() => heard.length === 21, patience)
  await nc.close()
})

await t.test(
  'records of a newer build are deferred, and damaged commits are reported',
  async t => {
    const { start, namespace, backend } = place(t)
    const { heard, reactor } = listener('readers', () => {}, { retry: { max: 100 } })
    const lines: string[] = []
    const log = takingLog({ error: (_details, message) => lines.push(message) })
    const node = await start({
      actors: [speaker],
      reactors: [reactor],
      log,
    })
    await node.spawn(speaker, 'a').ask('say', 1)
    await until(() => heard.length === 1, patience)
    const nc = await connect({ servers: server.url })
    const write = async (id: string, wire: string, body: Uint8Array) => {
      const lines = headers()
      const all = {
        'Cairn-Wire': wire,
        'Cairn-Commit': newId(),
        'Cairn-Versions': '1-1',
        'Cairn-Events': 'spoke',
        'Cairn-Node': 'n',
        'Cairn-At': '1',
        'Cairn-Says': 'said',
      }
      for (const [name, value] of Object.entries(all)) lines.append(name, value)
      const subject = logSubject(namespace, { type: 'speaker', id }, 16)
      await nc.jetstream().publish(subject, body, { headers: lines })
    }
    await write('newer', '4', Buffer.from('of the future'))
    await write('damaged', '1', encode({ events: [] }))
    const future = headers()
    future.append('Cairn-Wire', '2')
    future.append('Cairn-Key', 'k')
    await nc
      .jetstream()
      .publish(`cairn.${namespace}.topic.said`, Buffer.from('x'), { headers: future })
    await node.publish(said, 'after it', { key: 'k' })
    await node.publish(said, 'beside it', { key: 'l' })
    await node.spawn(speaker, 'a').ask('say', 2)
    await until(() => heard.length === 3, patience)
    const failing = () => node.stats().reactors['readers']!.failing
    await until(() => failing() === 2, patience)
    await until(() => lines.some(line => /cannot be decoded and is skipped/.test(line)), {
      ...patience,
    })
    t.strictSame(
      heard.map(({ data }) => String(data)).toSorted(),
      ['1', '2', 'beside it'],
      'records of its key after it wait too',
    )
    await using open = await backend.open({ namespace, nodeId: 'looker' })
    t.equal((await open.documents.list(['reactor', 'readers'])).length, 32)
    await nc.close()
  },
)

await t.test('readers under faults', t =>
  onEachBackend(t, 'readers under faults', async (t, scene) => {
    await t.test(
      'a running reader receives the messages of a type that starts to publish later',
      async t => {
        const { start } = scene(t)
        const { heard, reactor } = listener('readers')
        const reader = await start({ reactors: [reactor] })
        const mute = defineActor({
          type: 'late',
          initialState: 0,
          decide: { say: (_state, n: number) => event('spoke', n) },
          evolve: { spoke: state => state + 1 },
        })
        const before = await start({ actors: [mute, speaker] })
        for (let n = 1; n <= 5; n++) {
          await before.spawn(mute, 'x').ask('say', n)
          await before.spawn(speaker, 'x').ask('say', n)
        }
        await until(() => heard.length === 5, patience)
        await before.close()
        const late = defineActor({
          type: 'late',
          publishes: [said],
          initialState: 0,
          decide: {
            say: (_state, n: number) => [event('spoke', n), publish(said, -n)],
          },
          evolve: { spoke: state => state + 1 },
        })
        const after = await start({ actors: [late] })
        for (let n = 6; n <= 10; n++) await after.spawn(late, 'x').ask('say', n)
        await until(() => heard.length === 10, patience)
        t.strictSame(
          heard.slice(5).map(({ id, data }) => [id, data]),
          [6, 7, 8, 9, 10].map(n => [`late/x/${n}#0`, -n]),
        )
        t.ok(reader.stats().reactors['readers'])
      },
    )

    await t.test(
      'messages of two topics with one id are two, and so are their effects',
      async t => {
        const { start } = scene(t)
        const heard: string[] = []
        const reactor = defineReactor({
          name: 'both',
          on: [said, other],
          async handle({ topic }, { spawn }) {
            await spawn(sink, 'x').ask('drop', 1)
            heard.push(topic)
          },
        })
        const node = await start({ actors: [sink], reactors: [reactor] })
        for (const topic of [said, other])
          await node.publish(topic, 1, { id: 'order-1', key: 'k' })
        await until(() => heard.length === 2, patience)
        t.strictSame(heard, ['said', 'other.things'])
        t.equal((await node.spawn(sink, 'x').state()).state, 2)
      },
    )

    await t.test('long and unusual ids are passed from reactor to reactor', async t => {
      const { start } = scene(t)
      const id = `${'é'.repeat(127)}\n#`
      const hops = 40
      let last = 0
      const handled: Message[] = []
      const reactor = defineReactor({
        name: 'a-name-that-is-quite-long-so-that-what-is-derived-grows-with-it',
        on: said,
        async handle(message, { spawn, publish }) {
          handled.push(message)
          const n = Number(message.data)
          await spawn(sink, 'x').send('drop', n)
          if (n < hops) await publish(said, n + 1)
          last = Math.max(last, n)
        },
      })
      const node = await start({ actors: [speaker, sink], reactors: [reactor] })
      await node.spawn(speaker, id).ask('say', 1)
      await until(() => last === hops, patience)
      await until(
        async () => (await node.spawn(sink, 'x').state()).state === hops,
        patience,
      )
      t.equal(new Set(handled.map(one => one.id)).size, hops)
      t.equal(new Set(handled.map(one => one.correlationId)).size, 1)
      await node.publish(said, hops, { id: 'm'.repeat(1_024) })
      await until(
        async () => (await node.spawn(sink, 'x').state()).state === hops + 1,
        patience,
      )
    })

    await t.test('only the unhandled messages of a commit are retried', async t => {
      const { start } = scene(t)
      const attempts: number[] = []
      const { reactor } = listener(
        'halves',
        ({ data }) => {
          attempts.push(Number(data))
          if (Number(data) < 0 && attempts.filter(n => n === data).length < 4)
            throw new Error('not yet')
        },
        { retry: { first: 5, max: 5 } },
      )
      const node = await start({ actors: [speaker], reactors: [reactor] })
      await node.spawn(speaker, 'a').ask('twice', 1)
      await node.spawn(speaker, 'a').ask('twice', 2)
      await until(() => attempts.filter(n => n === -2).length === 4, patience)
      t.strictSame(attempts, [1, -1, -1, -1, -1, 2, -2, -2, -2, -2])
    })

    await t.test(
      'a handler that never ends does not keep the node from closing, and its message is handled elsewhere',
      async t => {
        const { start } = scene(t)
        let aborted = 0
        let entered = 0
        const stuck = listener('stuck', async (_message, { signal }) => {
          entered++
          signal.addEventListener('abort', () => aborted++)
          await new Promise(() => {})
        })
        const node = await start({ actors: [speaker], reactors: [stuck.reactor] })
        for (let i = 0; i < 30; i++) await node.spawn(speaker, `a${i}`).ask('say', i)
        await until(() => entered === 30, patience)
        await node.close({ timeout: 500 })
        t.equal(aborted, 30, 'each was told')
        const well = listener('stuck')
        await start({ reactors: [well.reactor] })
        await until(() => idsOf(well.heard).size === 30, patience)
      },
    )

    await t.test(
      'a hundred commands at once, and handlers that listen to their signal, cause no warning',
      async t => {
        const { start } = scene(t)
        const waiting: (() => void)[] = []
        const slow = listener('slow', async (_message, { signal }) => {
          signal.addEventListener('abort', () => {})
          await new Promise<void>(resolve => waiting.push(resolve))
        })
        const node = await start({ actors: [speaker, sink], reactors: [slow.reactor] })
        const ids = Array.from({ length: 300 }, (_, i) => `x${i}`)
        await Promise.all(
          ids.map(async id => {
            await node.spawn(speaker, id).ask('say', 1)
            await node.spawn(speaker, id).ask('drop', ids.slice(0, 3))
          }),
        )
        await until(() => waiting.length === 300, patience)
        for (const go of waiting) go()
        await until(() => slow.heard.length === 300, patience)
        await until(() => node.stats().courier.handled === 300, patience)
        t.strictSame(
          warnings.map(({ message }) => message),
          [],
        )
      },
    )
  }),
)

await t.test(
  'a reader catches up with 10,000 messages in bounded memory while the server restarts and nodes close',
  async t => {
    const { start } = place(t)
    const total = 10_000
    const openMax = 64
    const node = await start({ actors: [speaker] })
    await speak(node, total)
    let open = 0
    let most = 0
    const heard: Message[] = []
    const make = () =>
      defineReactor({
        name: 'catching-up',
        on: said,
        openMax,
        async handle(message) {
          most = Math.max(most, ++open)
          await new Promise(done => setImmediate(done))
          heard.push(message)
          open--
        },
      })
    const first = await start({ reactors: [make()] })
    await until(() => heard.length > 1_000, patience)
    const { open: waiting } = first.stats().reactors['catching-up']!
    t.ok(waiting <= openMax, `${waiting} are open, and ${openMax} may be`)
    await first.close()
    const atClose = heard.length
    t.ok(atClose < total, `closed while catching up, at ${atClose}`)
    await until(() => open === 0, patience)
    t.equal(heard.length, atClose, 'nothing is handled after closing')
    await start({ reactors: [make()] })
    await until(() => heard.length > atClose + 1_000, patience)
    await server.restart()
    await until(() => idsOf(heard).size === total, patience)
    await until(
      () =>
        node
          .spawn(speaker, 'after')
          .ask('say', 1, { commandId: 'after' })
          .catch(() => 0),
      patience,
    )
    await until(() => idsOf(heard).size === total + 1, patience)
    t.ok(isInOrder(heard))
    t.ok(most <= openMax)
    t.ok(heard.length < total + 2_000, `${heard.length - total} were repeated`)
    t.strictSame(
      warnings.map(({ message }) => message),
      [],
    )
  },
)
