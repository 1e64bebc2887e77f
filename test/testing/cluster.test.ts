// A cluster in one process: what can be done to it, and what a check sees.

import t from 'tap'

import { defineActor, event, memory } from '../../src/index.js'
import { type Step, testCluster } from '../../src/testing/index.js'
import { until } from '../support/wait.js'

const counter = defineActor({
  type: 'counter',
  initialState: 0,
  decide: {
    add: (_state, by: number) => ({ events: event('added', by), reply: after => after }),
    value: state => ({ reply: state }),
    when: (_state, _data: undefined, { now }) => ({ reply: now }),
  },
  evolve: { added: (state, by: number) => state + by },
})

void t.test('commands go through any node, and the check counts them', async t => {
  await using cluster = await testCluster({ actors: [counter], seed: 1 })
  t.strictSame(cluster.running, [0, 1, 2])
  t.equal(cluster.seed, 1)
  for (const i of cluster.running) await cluster.node(i).spawn(counter, 'c').ask('add', 2)
  await cluster.node(0).spawn(counter, 'c').tell('add', 1)
  await until(async () => (await cluster.log()).length === 4, {
    describe: 'four commits',
  })
  const { reply } = await cluster.node(1).spawn(counter, 'c').ask('value')
  t.equal(reply, 7)
  t.strictSame(await cluster.check(), {
    actors: 1,
    commits: 4,
    events: 4,
    commands: 5,
    carriedOut: 4,
    duplicates: 0,
    refused: 0,
    unanswered: 1,
  })
})

void t.test('its clock is moved by hand', async t => {
  await using cluster = await testCluster({ actors: [counter], nodes: 1 })
  const c = cluster.node(0).spawn(counter, 'c')
  t.equal((await c.ask('when')).reply, 0)
  cluster.clock.advance(60_000)
  t.equal((await c.ask('when')).reply, 60_000)
})

void t.test(
  'in a partition both sides serve an actor, and one history comes of it',
  async t => {
    await using cluster = await testCluster({ actors: [counter] })
    cluster.partition([0], [1, 2])
    t.strictSame(
      cluster.running.map(i =>
        cluster
          .node(i)
          .members()
          .map(({ id }) => id),
      ),
      [['n0'], ['n1', 'n2'], ['n1', 'n2']],
    )
    for (let round = 0; round < 3; round++)
      await Promise.all(
        cluster.running.map(i => cluster.node(i).spawn(counter, 'c').ask('add', 1)),
      )
    const residents = cluster.running.map(i => cluster.node(i).stats().actors.residents)
    t.equal(residents[0], 1, 'the small side has it in memory')
    t.equal(residents[1]! + residents[2]!, 1, 'and so has the large one')
    cluster.heal()
    t.equal(cluster.node(0).members().length, 3)
    const { version } = await cluster.node(2).spawn(counter, 'c').ask('value')
    t.equal(version, 9)
    t.match(await cluster.check(), { carriedOut: 10 })
    t.equal(cluster.faults().partitions, 1)
  },
)

void t.test('what a crashed node had in flight is not acknowledged', async t => {
  await using cluster = await testCluster({ actors: [counter], nodes: 1 })
  cluster.delayAppends(1, { turns: 5 })
  const asked = cluster.node(0).spawn(counter, 'c').ask('add', 1, { commandId: 'one' })
  cluster.crash(0)
  await t.rejects(asked, { code: 'answer-lost', details: { commandId: 'one' } })
  t.throws(() => cluster.node(0), { code: 'node-closed', details: { running: [] } })
  t.equal(cluster.faults().crashes, 1)
  const { index } = await cluster.start()
  t.equal(index, 1)
  const outcome = await cluster
    .node(1)
    .spawn(counter, 'c')
    .ask('add', 1, { commandId: 'one' })
  t.equal(outcome.reply, 1, 'sent again it acts, or had acted, once')
  await cluster.check()
})

void t.test('the others see a crash at once, and a drain, and a start', async t => {
  await using cluster = await testCluster({ actors: [counter] })
  const seen = () =>
    cluster
      .node(1)
      .members()
      .map(({ id }) => id)
  cluster.crash(0)
  t.strictSame(seen(), ['n1', 'n2'])
  await cluster.drain(2)
  t.strictSame(seen(), ['n1'])
  await cluster.start()
  t.strictSame(seen(), ['n1', 'n3'])
  t.strictSame(cluster.running, [1, 3])
  for (let i = 0; i < 10; i++) await cluster.node(3).spawn(counter, `c${i}`).ask('add', 1)
  await cluster.check()
})

void t.test('an append whose outcome is unknown is stored, or not, or later', async t => {
  await using cluster = await testCluster({ actors: [counter], nodes: 2, seed: 4 })
  cluster.failAppends(1)
  for (let i = 0; i < 30; i++)
    await t.rejects(cluster.node(0).spawn(counter, `c${i}`).ask('add', 1), {
      code: 'outcome-unknown',
    })
  cluster.calm()
  await cluster.check()
  const stored = (await cluster.log()).length
  t.ok(stored > 10 && stored < 30, `${stored} of 30 are stored`)
  t.equal(cluster.faults().appendsFailed, 30)
})

void t.test('a command sent again after an unknown outcome acts once', async t => {
  await using cluster = await testCluster({ actors: [counter], seed: 5 })
  for (let i = 0; i < 30; i++) {
    const ref = cluster.node(i % 3).spawn(counter, `c${i}`)
    const commandId = `add ${i}`
    cluster.failAppends(1)
    await t.rejects(ref.ask('add', 1, { commandId }), { code: 'outcome-unknown' })
    cluster.failAppends(0)
    const outcome = await ref.ask('add', 1, { commandId })
    t.match(outcome, { version: 1, reply: 1 })
  }
  const { duplicates } = await cluster.check()
  t.ok(duplicates > 0 && duplicates < 30, `${duplicates} had been stored`)
})

void t.test('dropped notices leave no node with a wrong belief', async t => {
  await using cluster = await testCluster({ actors: [counter] })
  cluster.dropNotices(0.7)
  for (let i = 0; i < 60; i++)
    await cluster
      .node(i % 3)
      .spawn(counter, `c${i % 4}`)
      .ask('add', 1)
  await cluster.check()
  t.ok(cluster.faults().noticesDropped > 60, 'of three times sixty')
  const interruptions = cluster.running.map(
    i => cluster.node(i).stats().notices.interruptions,
  )
  t.ok(
    interruptions.every(count => count > 0),
    `interruptions: ${interruptions.join(', ')}`,
  )
})

void t.test('requests that come twice take effect once', async t => {
  await using cluster = await testCluster({ actors: [counter] })
  cluster.duplicateRequests(1)
  for (let i = 0; i < 60; i++)
    await cluster
      .node(i % 3)
      .spawn(counter, `c${i % 5}`)
      .ask('add', 1)
  const { commits } = await cluster.check()
  t.equal(commits, 60)
  t.ok(cluster.faults().requestsDuplicated > 20, 'of those that went to another node')
})

void t.test('a seed repeats the faults', async t => {
  const run = async (seed: number) => {
    await using cluster = await testCluster({ actors: [counter], seed })
    cluster.failAppends(0.5)
    const codes: string[] = []
    for (let i = 0; i < 40; i++)
      await cluster
        .node(i % 3)
        .spawn(counter, `c${i}`)
        .ask('add', 1)
        .then(
          () => codes.push('ok'),
          (error: { code: string }) => codes.push(error.code),
        )
    await cluster.check()
    return codes
  }
  const first = await run(11)
  t.strictSame(await run(11), first)
  t.notSame(await run(12), first)
})

void t.test(
  'a seed repeats the order of what happens, and different seeds differ',
  async t => {
    // Not within `run`: what waits for nothing but the cluster is repeated as well.
    const run = async (seed: number) => {
      const steps: Step[] = []
      await using cluster = await testCluster({
        actors: [counter],
        seed,
        onStep: step => steps.push(step),
      })
      cluster.delayAppends(0.5)
      const outcomes = await Promise.all(
        [0, 1, 2, 0, 1, 2].map(i => cluster.node(i).spawn(counter, 'c').ask('add', 1)),
      )
      cluster.partition([0], [1, 2])
      await Promise.all(
        cluster.running.map(i => cluster.node(i).spawn(counter, 'c').ask('add', 1)),
      )
      await cluster.check()
      return { steps, outcomes, log: await cluster.log() }
    }
    const first = await run(21)
    t.strictSame(await run(21), first)
    t.notSame((await run(22)).steps, first.steps)
  },
)

void t.test('within a cluster, time passes at once', async t => {
  await using cluster = await testCluster({ actors: [counter], nodes: 1 })
  await cluster.run(async () => {
    const begun = Date.now()
    await new Promise(resolve => setTimeout(resolve, 3_600_000))
    t.ok(Date.now() >= begun + 3_600_000)
    await cluster.node(0).spawn(counter, 'c').ask('add', 1)
    t.equal(cluster.clock.now(), 0, 'the clock of the actors is still moved by hand')
  })
  await cluster.check()
})

void t.test('what is not in memory is not simulated', async t => {
  const steps: Step[] = []
  await using cluster = await testCluster({
    actors: [counter],
    nodes: 1,
    store: { ...memory(), kind: 'embedded' },
    onStep: step => steps.push(step),
  })
  await cluster.run(() => cluster.node(0).spawn(counter, 'c').ask('add', 1))
  await cluster.check()
  t.strictSame(steps, [])
})

void t.test('what cannot be is refused', async t => {
  await using cluster = await testCluster({ actors: [counter], nodes: 2 })
  t.throws(() => cluster.dropNotices(1.5), { code: 'invalid-option' })
  t.throws(() => cluster.failAppends(NaN), { code: 'invalid-option' })
  t.throws(() => cluster.delayAppends(0.5, { turns: -1 }), { code: 'invalid-option' })
  t.throws(() => cluster.partition([0], [0, 1]), { code: 'invalid-option' })
  t.throws(() => cluster.crash(7), { code: 'node-closed' })
  await t.rejects(cluster.drain(7), { code: 'node-closed' })
  await t.rejects(testCluster({ actors: [counter], seed: -1 }), {
    code: 'invalid-option',
  })
  await t.rejects(testCluster({ actors: [counter], namespace: 'No!' }), {
    code: 'invalid-namespace',
  })
})

void t.test('a check waits for what is open, and gives up in time', async t => {
  await using cluster = await testCluster({ actors: [counter], nodes: 1, seed: 3 })
  cluster.delayAppends(1, { turns: 1_000_000 })
  const asked = cluster.node(0).spawn(counter, 'c').ask('add', 1)
  const lost = t.rejects(asked, { code: 'answer-lost' })
  await t.rejects(cluster.check({ timeout: 1 }), {
    message: /not quiet after 1 ms: 1 commands are not answered. Repeat with seed 3/,
  })
  cluster.crash(0)
  await lost
})
