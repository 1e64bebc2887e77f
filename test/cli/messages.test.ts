// cairn messages: waiting and failing messages, shown with no node running.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { contract } from '../../src/actor/contract.js'
import { publish, send } from '../../src/actor/effects.js'
import { memory } from '../../src/backend/memory.js'
import { defineTopic } from '../../src/model/topic.js'
import { backlogs } from '../../src/delivery/backlog.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { startNode } from '../../src/runtime/start-node.js'
import { cairn } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { homesOf, jsonLines } from './support.js'

const patience = { timeout: 60_000 }
const ended = defineTopic('trips.ended')
const mailed = defineTopic('mails.sent')

const trip = defineActor({
  type: 'trip',
  publishes: [ended],
  initialState: 0,
  decide: {
    end: (_state, n: number) => [
      event('ended', n),
      publish(ended, n),
      send(contract('nobody'), 'x', 'charge', n),
    ],
  },
  evolve: { ended: state => state + 1 },
})

await using server = await startNats()
const dir = t.testdir()

const homes = homesOf(server, dir)

for (const { name, store, flags } of homes)
  await t.test(
    `A1.6 a failing message is shown with its attempts and error, on ${name}`,
    async t => {
      const namespace = 'shown'
      const messages = (...args: string[]) =>
        cairn('messages', '--ns', namespace, ...flags, ...args)
      const jsonOf = async (...args: string[]) =>
        jsonLines(await messages('--json', ...args))
      await cairn('namespaces', 'create', namespace, ...flags)
      const nothing = await messages()
      t.strictSame([nothing.code, nothing.stdout], [0, ''])
      t.match(nothing.stderr, /No node has run a reactor in this namespace yet/)

      let broken = true
      const handled: unknown[] = []
      const receipts = defineReactor({
        name: 'receipts',
        on: [ended, mailed],
        handle({ data, actor }) {
          if (broken && (actor?.id === 'bad' || data === 'bad'))
            throw new Error('the printer is out of paper')
          handled.push(data)
        },
      })
      const mails = defineReactor({
        name: 'mails',
        on: mailed,
        handle: ({ data }) => void handled.push(data),
      })
      const start = () =>
        startNode({ namespace, store, actors: [trip], reactors: [receipts, mails] })
      const node = await start()
      for (const id of ['bad', 'good'])
        for (const n of [1, 2]) await node.spawn(trip, id).ask('end', n)
      await node.publish(mailed, 'bad', { key: 'k' })
      await node.publish(mailed, 'after', { key: 'k' })
      await node.spawn(trip, 'x').send('end', 3)
      await until(() => handled.length === 5 && node.stats().courier.failing === 3, {
        ...patience,
      })
      await until(() => node.stats().reactors['receipts']!.failing === 2, patience)
      await node.close()

      const views = await jsonOf('--all')
      t.strictSame(
        views.map(({ group, source, topics }) => [group, source, topics]),
        [
          ['mails', 'log', ['mails.sent']],
          ['mails', 'topics', ['mails.sent']],
          ['receipts', 'log', ['mails.sent', 'trips.ended']],
          ['receipts', 'topics', ['mails.sent', 'trips.ended']],
          ['courier', 'log', []],
          ['inbox', 'inbox', []],
        ],
      )
      t.strictSame(
        views.map(({ waiting, counted, end }) => [waiting, counted, end]),
        [
          [0, true, 5],
          [0, true, 2],
          [2, true, 5],
          [2, true, 2],
          [5, true, 5],
          [0, true, 1],
        ],
      )
      const [, , log, topics, courier] = views as { failing: Record<string, unknown>[] }[]
      t.match(log!.failing, [
        { key: 'trip/bad', position: 1, error: 'the printer is out of paper' },
      ])
      t.ok(Number(log!.failing[0]!['attempts']) >= 1)
      t.ok(Date.parse(String(log!.failing[0]!['nextAt'])) > 0)
      t.match(topics!.failing, [{ key: 'key/k', position: 1 }])
      t.equal(courier!.failing.length, 3)

      const plain = await messages()
      t.match(
        plain.stdout,
        /^receipts {2}log {2}on mails\.sent,trips\.ended {2}at \d+ of 5 {2}2 waiting(, \d+ s late)? {2}1 failing {2}0 dead {2}watch$/m,
      )
      t.match(
        plain.stdout,
        /^ {2}trip\/bad {2}position 1 {2}attempt \d+ failed, next \S+ {2}the printer is out of paper$/m,
      )
      const one = await jsonOf('--topic', 'trips.ended')
      t.strictSame(
        one.map(({ group, waiting }) => [group, waiting]),
        [
          ['receipts', 2],
          ['receipts', 0],
        ],
      )

      // Failing messages are retried, and succeed once the fault is repaired.
      broken = false
      const mended = await start()
      await until(() => handled.length === 9, patience)
      await until(() => mended.stats().reactors['receipts']!.failing === 0, patience)
      await mended.close()
      const after = await jsonOf()
      t.strictSame(
        after.map(({ waiting, failing }) => [waiting, failing]),
        Array.from({ length: 4 }, () => [0, []]),
      )
    },
  )

await t.test('at most 10,000 records are counted', async t => {
  const store = memory()
  const options = { namespace: 'long', store }
  const idle = defineReactor({ name: 'idle', on: ended, handle: () => {} })
  const node = await startNode({ ...options, actors: [trip], reactors: [idle] })
  await until(() => node.stats().reactors['idle']!.partitions === 16, patience)
  await node.close()
  await using open = await store.open({ namespace: 'long', nodeId: 'looker' })
  for (let n = 0; n < 10_050; n++)
    await open.store.append({ type: 'trip', id: `${n % 7}` }, [{ type: 'ended' }], {
      outbox: [{ kind: 'message', topic: 'trips.ended', version: 1, data: n }],
    })
  const first = await backlogs(open).next()
  t.match(first.value, { waiting: 10_000, isCounted: false, end: 10_050, floor: 0 })
})
