// cairn status, top and why: one look, looks again and again, and what led to what.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { contract } from '../../src/actor/contract.js'
import { publish, schedule, send } from '../../src/actor/effects.js'
import { event } from '../../src/actor/event.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { defineTopic } from '../../src/model/topic.js'
import { defineProjection } from '../../src/projection/define-projection.js'
import { startNode } from '../../src/runtime/start-node.js'
import { cairn } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { homesOf, jsonLines } from './support.js'

const patience = { timeout: 60_000 }
const shipped = defineTopic('orders.shipped')

const parcel = defineActor({
  type: 'parcel',
  initialState: 0,
  decide: { send: () => event('sent'), track: () => event('tracked') },
  evolve: { sent: state => state + 1, tracked: state => state + 1 },
})
const order = defineActor({
  type: 'order',
  publishes: [shipped],
  initialState: 0,
  decide: {
    place: () => [
      event('placed'),
      publish(shipped, 'o'),
      send(parcel, 'p', 'send'),
      schedule('soon', { at: Date.now() }, 'remind'),
      schedule('later', { after: 86_400_000 }, 'remind'),
      // The last one: it holds back what follows it.
      send(contract('nobody'), 'x', 'wait'),
    ],
    remind: () => event('reminded'),
  },
  evolve: { placed: state => state + 1, reminded: state => state + 1 },
})
const tracker = defineReactor({
  name: 'tracker',
  on: shipped,
  handle: async (_message, { spawn }) => void (await spawn(parcel, 'q').ask('track')),
})
const counts = defineProjection({
  name: 'counts',
  from: order,
  initial: 0,
  when: { placed: row => row + 1 },
})

await using server = await startNats()
for (const { name, store, flags } of homesOf(server, t.testdir()))
  await t.test(`on ${name}`, async t => {
    const where = ['--ns', 'shop', ...flags]
    const parts = { actors: [order, parcel], reactors: [tracker], projections: [counts] }
    const node = await startNode({ namespace: 'shop', store, id: 'n1', ...parts })
    t.teardown(() => node.close())
    await node.spawn(order, 'o').ask('place')
    await until(async () => (await node.store.lastPosition()) === 4, patience)
    await until(() => node.stats().courier.failing === 1, patience)
    await until(() => node.stats().timers.handled === 1, patience)

    const [shown] = jsonLines(await cairn('status', ...where, '--json'))
    t.match(shown, {
      namespace: 'shop',
      position: 4,
      nodes: [{ id: 'n1', types: ['order', 'parcel'] }],
      projections: [{ name: 'counts', state: 'live' }],
      timers: { counted: true },
      damage: [],
    })
    // The courier sets the first timer again, for a moment, each time that it tries the failing command of that commit again.
    const { count } = shown!['timers'] as { count: number }
    t.ok(count === 1 || count === 2, `${count} timers`)
    const groups = shown!['groups'] as { group: string; health: string }[]
    t.match(
      groups.find(({ group }) => group === 'courier'),
      { failing: 1, health: 'watch' },
    )
    const status = await cairn('status', ...where)
    t.match(status.stdout, /^log {2}shop {2}4 commits, the last at \S+$/m)
    t.match(status.stdout, /^node {2}n1 {2}\S+ {2}order,parcel {2}good$/m)
    t.match(status.stdout, /^timers {2}[12] set, the next is due at/m)

    const top = jsonLines(
      await cairn('top', ...where, '--json', '--count', '2', '--interval', '100'),
    )
    t.match(top, [
      { position: 4, commitsPerSecond: null },
      { position: 4, commitsPerSecond: 0 },
    ])
    const lines = await cairn('top', ...where, '--count', '1')
    t.match(lines.lines, [
      / shop {2}at 4 {2}1 nodes {2}\d+ waiting {2}1 failing {2}0 dead/,
    ])

    interface Shown {
      relation: string
      kind: string
      what: string
      position: number
      by: string
    }
    const why = async (position: number) =>
      jsonLines<Shown>(await cairn('why', String(position), ...where, '--json'))
    const first = await why(1)
    t.match(first[0], { relation: 'cause', kind: 'outside', by: 'from outside' })
    t.match(first[1], { relation: 'this', what: 'order/o v1 placed', position: 1 })
    const effects = first.slice(2)
    const of = (what: RegExp) => effects.find(one => what.test(one.what))
    t.match(of(/^message on orders\.shipped order\/o\/1#0$/), { kind: 'entry' })
    t.match(of(/^parcel\/q v1 tracked/), { kind: 'commit', by: 'reactor tracker' })
    t.match(of(/^parcel\/p v1 sent/), { kind: 'commit', by: 'command' })
    t.match(of(/^command wait to nobody\/x/), { kind: 'entry', by: /no commit yet/ })
    t.match(of(/^order\/o v2 reminded/), { kind: 'commit', by: 'timer' })
    t.match(of(/^timer later/), { kind: 'entry', by: 'waits' })
    t.equal(effects.length, 6)
    const tracked = of(/tracked/)!.position
    t.match(
      (await why(tracked)).map(({ relation, what }) => [relation, what]),
      [
        ['cause', /^command /],
        ['cause', 'order/o v1 placed'],
        ['this', 'parcel/q v1 tracked'],
      ],
    )
    const plain = await cairn('why', String(tracked), ...where)
    t.match(plain.stdout, /^\d {4}> parcel\/q v1 tracked|> parcel\/q v1 tracked/m)
    t.match(plain.stderr, /Nothing that is stored was caused by it/)
    t.match(await cairn('why', '99', ...where), {
      code: 2,
      stderr: /the last one of shop is at 4/,
    })
    t.match(await cairn('why', 'x', ...where), {
      code: 2,
      stderr: /"x" is not a position/,
    })
  })
