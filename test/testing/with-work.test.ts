// Specifications and clusters with work: it is named with the events, replaced by a function of the test, and waited for.

import t from 'tap'

import {
  cancel,
  defineActor,
  defineWork,
  event,
  type FailedWork,
  perform,
} from '../../src/index.js'
import { given, testCluster, withWork } from '../../src/testing/index.js'

const charge = defineWork(
  'charge',
  async (_input: { cents: number }): Promise<{ receipt: string }> => {
    throw new Error('no test calls it')
  },
)

const order = defineActor({
  type: 'order',
  performs: [charge],
  initialState: { status: 'new' },
  decide: {
    pay: (_state, { cents }: { cents: number }) => [
      event('paying', { cents }),
      perform(
        charge,
        { cents },
        { done: 'charged', failed: 'notCharged', retry: { attempts: 3 } },
      ),
    ],
    charged: (_state, { receipt }: { receipt: string }) => event('paid', { receipt }),
    notCharged: (_state, { error, attempts }: FailedWork<'charge', { cents: number }>) =>
      event('failed', { why: `${error.message}, ${attempts} times` }),
    giveUp: () => [event('failed', { why: 'given up' }), cancel(charge)],
  },
  evolve: {
    paying: (_state, _data: { cents: number }) => ({ status: 'paying' }),
    paid: (_state, { receipt }: { receipt: string }) => ({ status: `paid: ${receipt}` }),
    failed: (_state, { why }: { why: string }) => ({ status: why }),
  },
})

const done = { done: 'charged', failed: 'notCharged', retry: { attempts: 3 } } as const

void t.test('a specification names the work', async t => {
  given(order)
    .when('pay', { cents: 7 })
    .thenEvents(event('paying', { cents: 7 }), perform(charge, { cents: 7 }, done))
  given(order, [event('paying', { cents: 7 })])
    .when('giveUp')
    .thenEvents(event('failed', { why: 'given up' }), cancel(charge))
  const other = () =>
    given(order)
      .when('pay', { cents: 7 })
      .thenOutbox(perform(charge, { cents: 8 }, done))
  t.throws(
    other,
    /perform charge \{[\s\S]*cents: 8[\s\S]*perform charge \{[\s\S]*cents: 7/,
  )
  const unnamed = () =>
    given(order)
      .when('pay', { cents: 7 })
      .thenEvents(event('paying', { cents: 7 }))
      .thenState({ status: 'paying' })
  t.throws(unnamed, /effects that are not named/)
})

void t.test('a cluster runs what stands in for the work, and waits for it', async t => {
  const keys: string[] = []
  const tested = withWork(order, charge, async ({ cents }, { key }) => {
    keys.push(key)
    await new Promise(resolve => setTimeout(resolve, 20))
    if (cents > 100) throw new Error('declined')
    return { receipt: `r-${cents}` }
  })
  await using cluster = await testCluster({ actors: [tested], seed: 1 })
  const node = cluster.node(0)
  await node.spawn(tested, 'a').ask('pay', { cents: 7 })
  await cluster.settled()
  t.equal((await node.spawn(tested, 'a').state()).state.status, 'paid: r-7')

  await node.spawn(tested, 'b').ask('pay', { cents: 700 })
  await cluster.settled()
  t.equal((await node.spawn(tested, 'b').state()).state.status, 'paying')
  await cluster.advance(3_000)
  const { state } = await node.spawn(tested, 'b').state()
  t.equal(state.status, 'declined, 3 times', 'retries go by the clock of the test')
  t.strictSame(keys, ['order/a/1#0', 'order/b/1#0', 'order/b/1#0', 'order/b/1#0'])
  await cluster.check()
})

void t.test('work survives the crash of its node', async t => {
  let begun = 0
  const tested = withWork(order, charge, async () => {
    // The first owner never gets an answer.
    if (++begun === 1) await new Promise(() => {})
    return { receipt: `r-${begun}` }
  })
  await using cluster = await testCluster({ actors: [tested], nodes: 3, seed: 2 })
  await cluster.node(0).spawn(tested, 'a').ask('pay', { cents: 7 })
  const owner = cluster.running.find(
    index => cluster.node(index).stats().children.running > 0,
  )!
  cluster.crash(owner)
  const left = cluster.node(cluster.running[0]!)
  await cluster.run(async () => {
    await left.spawn(tested, 'a').until(({ status }) => status === 'paid: r-2')
  })
  await cluster.settled()
  t.equal(begun, 2)
  await cluster.check()
})

void t.test('what is not performed cannot be replaced', async t => {
  const other = defineWork('other', (_input: number) => 1)
  t.throws(() => withWork(order, other, () => 2), { code: 'invalid-definition' })
  t.throws(() => withWork(order, charge, 1 as never), { code: 'invalid-definition' })
})
