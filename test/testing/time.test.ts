// Time in tests: a clock that is moved, and what is due by it.

import t from 'tap'
import { assign, fromPromise, setup } from 'xstate'
import * as z from 'zod'

import {
  cancel,
  defineActor,
  defineConsumer,
  defineProjection,
  defineReactor,
  defineTopic,
  embedded,
  event,
  eventsOf,
  fromMachine,
  memory,
  RetryableError,
  schedule,
  send,
  startNode,
} from '../../src/index.js'
import { ManualClock, settled, testCluster } from '../../src/testing/index.js'

const second = 1_000
const hour = 3_600 * second

/** Rings at once and again and again, each time an hour and a second later. */
const bell = defineActor({
  type: 'bell',
  initialState: { rung: [] as readonly number[] },
  decide: {
    start: () => [event('started'), schedule('ring', { after: hour }, 'ring')],
    ring: (_state, _data: undefined, { now }) => [
      event('rung', now),
      schedule('ring', { after: hour + second }, 'ring'),
    ],
    stop: () => [event('stopped'), cancel('ring')],
  },
  evolve: {
    started: state => state,
    stopped: state => state,
    rung: ({ rung }, at: number) => ({ rung: [...rung, at] }),
  },
})

const counter = defineActor({
  type: 'counter',
  initialState: 0,
  decide: { add: (_state, by: number) => event('added', by) },
  evolve: { added: (state, by: number) => state + by },
})

for (const kind of ['memory', 'embedded'])
  void t.test(
    `${kind}: each firing is at its own moment, however far the clock goes`,
    async t => {
      const store = kind === 'memory' ? memory() : embedded({ dir: t.testdir() })
      await using cluster = await testCluster({ actors: [bell], store, nodes: 2 })
      const tower = cluster.node(0).spawn(bell, 'tower')
      await tower.ask('start')
      await cluster.advance(hour - 1)
      t.strictSame((await tower.state()).state.rung, [])
      await cluster.advance(1)
      t.strictSame((await tower.state()).state.rung, [hour])
      await cluster.advance(3 * hour)
      const rung = [hour, 2 * hour + second, 3 * hour + 2 * second]
      t.strictSame((await tower.state()).state.rung, rung)
      t.equal(cluster.clock.now(), 4 * hour)
      await tower.ask('stop')
      await cluster.advance(9 * hour)
      t.strictSame((await tower.state()).state.rung, rung)
      await cluster.check()
    },
  )

void t.test('a clock that is moved without a cluster wakes what waits', async t => {
  const clock = new ManualClock(Date.UTC(2030, 0, 1))
  await using node = await startNode({
    namespace: 'x',
    store: memory(),
    actors: [bell],
    clock,
  })
  const tower = node.spawn(bell, 'tower')
  await tower.ask('start')
  await node.settled()
  clock.advance(24 * hour)
  await node.settled()
  t.equal((await tower.state()).state.rung.length, 1, 'the next one is set from there')
})

void t.test('a machine waits by the clock, and its promises end', async t => {
  const machine = setup({
    types: { context: {} as { paid: number } },
    actors: {
      pay: fromPromise(async () => new Promise<number>(ok => setTimeout(ok, 30, 7))),
    },
  }).createMachine({
    id: 'order',
    context: { paid: 0 },
    initial: 'open',
    states: {
      open: { after: { [hour]: 'paying' } },
      paying: {
        invoke: {
          src: 'pay',
          onDone: {
            target: 'sent',
            actions: assign({ paid: ({ event }) => event.output }),
          },
        },
      },
      sent: { after: { [hour]: 'done' } },
      done: { type: 'final' },
    },
  })
  const order = fromMachine(machine)
  await using cluster = await testCluster({ actors: [order] })
  const ref = cluster.node(0).spawn(order, 'o')
  await ref.ask('xstate.init', undefined)
  await cluster.advance(hour)
  t.match((await ref.state()).state, { value: 'sent', context: { paid: 7 } })
  await cluster.advance(hour)
  t.equal(await ref.matches('done'), true)
})

void t.test(
  'retries of a reactor go by the clock, and what it sends has acted',
  async t => {
    const attempts: number[] = []
    const clock = new ManualClock()
    const charging = defineReactor({
      name: 'charging',
      on: eventsOf(counter),
      retry: { attempts: 4, first: hour, factor: 2, max: 9 * hour },
      async handle(_message, context) {
        attempts.push(clock.now())
        if (attempts.length < 3) throw new Error('not yet')
        await context.spawn(bell, 'b').send('start')
      },
    })
    const sums = defineProjection({
      name: 'sums',
      from: bell,
      initial: { events: 0 },
      when: {
        started: ({ events }) => ({ events: events + 1 }),
        rung: ({ events }) => ({ events: events + 1 }),
      },
    })
    await using cluster = await testCluster({
      actors: [counter, bell],
      reactors: [charging],
      projections: [sums],
      clock,
    })
    await cluster.node(1).spawn(counter, 'c').ask('add', 1)
    await cluster.settled()
    t.strictSame(attempts, [0], 'a retry that is not due is not waited for')
    await cluster.advance(4 * hour)
    t.strictSame(attempts, [0, hour, 3 * hour])
    t.strictSame(await cluster.node(2).projection(sums).get('b'), { events: 2 })
  },
)

void t.test('a message that a trigger refuses comes back by the clock', async t => {
  const placed = defineTopic('placed', { schema: z.number() })
  const erp = defineConsumer({ name: 'erp', on: placed, attempts: 9 })
  await using cluster = await testCluster({ actors: [counter], nodes: 1 })
  const node = cluster.node(0)
  const seen: number[] = []
  const trigger = node.trigger(erp, () => {
    seen.push(cluster.clock.now())
    if (seen.length < 4) throw new RetryableError('not yet', { after: hour })
  })
  await trigger.start()
  await node.publish(placed, 1)
  await cluster.settled()
  t.strictSame(seen, [0])
  await cluster.advance(24 * hour)
  t.strictSame(seen, [0, hour, 2 * hour, 3 * hour])
})

void t.test('an actor that is to restart by the clock holds nothing up', async t => {
  let broken = true
  const frail = defineActor({
    type: 'frail',
    initialState: 0,
    supervision: { onFailure: 'restart', backoff: { first: hour, max: hour } },
    decide: { add: (_state, by: number) => event('added', by) },
    evolve: {
      added: (state, by: number) => {
        if (broken && state + by > 1) throw new Error('overflow')
        return state + by
      },
    },
  })
  const sender = defineActor({
    type: 'sender',
    initialState: 0,
    decide: { go: () => [event('gone'), send(frail, 'f', 'add', 1)] },
    evolve: { gone: state => state + 1 },
  })
  await using cluster = await testCluster({ actors: [frail, sender] })
  const ref = cluster.node(0).spawn(sender, 's')
  await ref.ask('go')
  await cluster.settled()
  await cluster
    .node(0)
    .store.append({ type: 'frail', id: 'f' }, [event('added', 1)], { expected: 1 })
  await ref.ask('go')
  await cluster.settled()
  broken = false
  await cluster.advance(hour)
  t.equal((await cluster.node(1).spawn(frail, 'f').state()).state, 3)
})

void t.test('nodes of one process settle together, whatever store they have', async t => {
  const store = embedded({ dir: t.testdir() })
  const seen: unknown[] = []
  const reactors = [
    defineReactor({
      name: 'seen',
      on: eventsOf(counter),
      async handle({ data }) {
        await new Promise(resolve => setTimeout(resolve, 5))
        seen.push(data)
      },
    }),
  ]
  await using a = await startNode({ namespace: 'x', store, actors: [counter], reactors })
  await using b = await startNode({ namespace: 'x', store, actors: [counter], reactors })
  for (let i = 0; i < 20; i++) await a.spawn(counter, `c${i}`).send('add', i)
  await settled([a, b])
  t.equal(seen.length, 20)
})

void t.test('a wait for what never acts says what has not', async t => {
  const never = defineReactor({
    name: 'never',
    on: eventsOf(counter),
    timeout: Infinity,
    handle: () => new Promise(() => {}),
  })
  await using node = await startNode({
    namespace: 'x',
    store: memory(),
    actors: [counter],
    reactors: [never],
  })
  await node.spawn(counter, 'c').ask('add', 1)
  await t.rejects(node.settled({ timeout: 50 }), {
    code: 'deadline-exceeded',
    message: /reactor\.never handles 1 records/,
  })
  await t.rejects(node.settled({ signal: AbortSignal.abort() }), { code: 'aborted' })
  await t.rejects(node.settled({ timeOut: 50 } as object), { code: 'invalid-option' })
  await node.close({ timeout: 10 })
})

void t.test('one node of a cluster may be started with other options', async t => {
  await using cluster = await testCluster({ actors: [bell], nodes: 1, timers: 'passive' })
  const tower = cluster.node(0).spawn(bell, 'tower')
  await tower.ask('start')
  await cluster.advance(hour)
  t.strictSame((await tower.state()).state.rung, [], 'no node fires timers')
  await cluster.start({ timers: 'active' })
  await cluster.settled()
  t.strictSame((await tower.state()).state.rung, [hour])
})
