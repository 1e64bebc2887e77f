// Lag in time: how old the oldest is that waits, of reactors, the inbox and projections, and what that means.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { memory } from '../../src/backend/memory.js'
import {
  type Health,
  healthOf,
  healthOfLag,
  lagLimitsOf,
} from '../../src/delivery/health.js'
import { eventsOf } from '../../src/delivery/messages/event-topic.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { defineTopic } from '../../src/model/topic.js'
import { defineProjection } from '../../src/projection/define-projection.js'
import { startNode } from '../../src/runtime/start-node.js'
import { until } from '../support/wait.js'

const meter = defineActor({
  type: 'meter',
  initialState: {},
  decide: { read: (_state, value: number) => event('read', value) },
  evolve: { read: state => state },
})

await t.test('the age of the oldest that waits is the lag of its reader', async t => {
  let now = 1_000_000
  let isBroken = true
  const handled: unknown[] = []
  const work = () => {
    if (isBroken) throw new Error('on purpose')
  }
  const topic = defineTopic<{ n: number }>('things')
  const retry = { attempts: 1_000, first: 1, max: 5 }
  const node = await startNode({
    namespace: 'lag',
    store: memory(),
    log: false,
    clock: { now: () => now },
    actors: [meter],
    reactors: [
      defineReactor({
        name: 'events',
        on: eventsOf(meter),
        retry,
        handle({ id }) {
          work()
          handled.push(id)
        },
      }),
      defineReactor({ name: 'things', on: topic, retry, handle: work }),
    ],
    projections: [
      defineProjection({
        name: 'sums',
        from: meter,
        key: () => 'sum',
        initial: 0,
        when: {
          read(sum) {
            work()
            return sum + 1
          },
        },
      }),
    ],
    lagLimits: { watch: 30, critical: 90 },
  })
  t.teardown(() => node.close())
  const backlogOf = async (group: string, source: string) => {
    for await (const one of node.backlogs({ all: true }))
      if (one.group === group && one.source === source) return one
    return undefined
  }
  const lags = () => {
    const { reactors, projections } = node.stats()
    return [
      reactors['events']!.lagSeconds,
      reactors['things']!.lagSeconds,
      projections['sums']!.builds[0]?.lagSeconds,
    ]
  }
  t.strictSame(lags().slice(0, 2), [0, 0])

  await node.spawn(meter, 'a').ask('read', 1)
  await node.publish(topic, { n: 1 })
  // Nobody hosts it.
  await node.send({ type: 'nobody', id: 'x' }, 'wait', undefined)
  now += 60_000
  await until(() => lags().every(lag => lag === 60), {
    describe: `60 s, as ${String(lags())}`,
  })
  for (const [group, source] of [
    ['events', 'log'],
    ['things', 'topics'],
    ['inbox', 'inbox'],
  ] as const)
    t.match(await until(() => backlogOf(group, source)), {
      waiting: 1,
      oldestAt: 1_000_000,
      lagSeconds: 60,
      health: 'watch',
    })
  const builds = async () => {
    for await (const { builds } of node.projectionStatuses()) return builds
    return []
  }
  t.match(await builds(), [{ lagSeconds: 60 }])
  now += 40_000
  t.match(await backlogOf('events', 'log'), { lagSeconds: 100, health: 'critical' })

  isBroken = false
  await until(() => lags().every(lag => lag === 0), { describe: 'nothing is late' })
  t.equal(handled.length, 1)
  t.match(
    await until(async () => {
      const found = await backlogOf('events', 'log')
      return found?.waiting === 0 && found
    }),
    { lagSeconds: 0, health: 'good', oldestAt: undefined },
  )
})

await t.test('limits have defaults, and wrong ones are refused', async t => {
  const of = (lagSeconds: number): Health =>
    healthOf({ waiting: 1, failing: [], dead: 0, lagSeconds })
  t.strictSame([of(59), of(60), of(600)], ['good', 'watch', 'critical'])
  t.equal(healthOfLag(5, lagLimitsOf({ watch: 5 })), 'watch')
  for (const limits of [
    { watch: 0 },
    { critical: 10 },
    { watch: 700 },
    { watch: '1' },
    { warn: 1 },
  ])
    t.throws(() => lagLimitsOf(limits as never), { code: 'invalid-option' })
  await t.rejects(
    startNode({ namespace: 'lag', store: memory(), lagLimits: { watch: -1 } }),
    { code: 'invalid-option' },
  )
})
