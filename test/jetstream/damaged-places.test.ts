// An operator deletes, empties or overwrites what is beside the log while nodes work: each damage is told once and shown,
// stops nothing else, and nothing is missed.

import { connect } from 'nats'
import t, { type Test } from 'tap'

import { publish, schedule } from '../../src/actor/effects.js'
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
const nc = await connect({ servers: server.url })
t.teardown(() => nc.close())
const { streams } = await nc.jetstreamManager()
const patience = { timeout: 60_000 }

const noted = defineTopic('noted')
const pen = defineActor({
  type: 'pen',
  publishes: [noted],
  initialState: 0,
  decide: { write: (_n, text: string) => [event('wrote', text), publish(noted, text)] },
  evolve: { wrote: n => n + 1 },
})
const alarm = defineActor({
  type: 'alarm',
  initialState: [] as string[],
  decide: {
    set: (_rung, { name, after }: { name: string; after: number }) => [
      event('set', name),
      schedule(name, { after }, 'ring', name),
    ],
    ring: (_rung, name: string) => event('rung', name),
  },
  evolve: { set: rung => rung, rung: (rung, name: string) => [...rung, name] },
})

function scene(t: Test) {
  const namespace = `d-${newId().slice(0, 8)}`
  const said: string[] = []
  const log = takingLog({
    warn: (_, message) => said.push(message),
    error: (_, message) => said.push(message),
  })
  const start = async (options: Partial<NodeOptions> = {}) => {
    const store = jetstream({ servers: server.url })
    const node = await startNode({ namespace, store, log, ...options })
    t.teardown(() => node.close({ timeout: 500 }))
    return node
  }
  const about = (text: string) => said.filter(line => line.includes(text))
  const groups = `KV_CAIRN_${namespace}_GROUPS`
  const overwrite = (document: string, value: string) =>
    nc
      .jetstream()
      .publish(`$KV.CAIRN_${namespace}_GROUPS.${document}`, Buffer.from(value))
  return { namespace, said, about, start, groups, overwrite }
}

/** Asks actors in turn through several nodes, until it is stopped; resolves with what was acknowledged. */
function load(nodes: readonly Node[]) {
  const written: string[] = []
  let isOver = false
  const work = async (worker: number) => {
    for (let i = 0; !isOver; i++) {
      const text = `${worker}-${i}`
      const node = nodes[i % nodes.length]!
      await node.spawn(pen, `p${(worker + i) % 20}`).ask('write', text)
      written.push(text)
    }
  }
  const working = Promise.all(Array.from({ length: 4 }, (_, worker) => work(worker)))
  return {
    written,
    async more(count: number) {
      const enough = written.length + count
      await until(() => written.length >= enough, patience)
    },
    async stop() {
      isOver = true
      await working
    },
  }
}

for (const how of ['purge', 'delete'] as const)
  await t.test(`the bucket of groups: ${how} under load`, async t => {
    const { said, start, groups, namespace } = scene(t)
    const events = new Map<string, number>()
    const messages = new Map<string, number>()
    const count = (seen: Map<string, number>, text: string) =>
      void seen.set(text, (seen.get(text) ?? 0) + 1)
    const reactors = [
      defineReactor({
        name: 'events',
        on: eventsOf(pen),
        handle: ({ data }) => count(events, data.data),
      }),
      defineReactor({
        name: 'messages',
        on: noted,
        handle: ({ data }) => count(messages, data as string),
      }),
    ]
    const nodes = [await start({ actors: [pen] }), await start({ reactors })]
    nodes.push(await start({ actors: [pen], reactors }))
    const work = load(nodes)
    await work.more(200)
    await (how === 'purge' ? streams.purge(groups) : streams.delete(groups))
    await work.more(400)
    await work.stop()
    await until(() => work.written.every(text => events.has(text)), patience)
    await until(() => work.written.every(text => messages.has(text)), patience)
    const { length } = work.written
    const handled = [...events.values()].reduce((sum, times) => sum + times, 0)
    t.ok(handled < 2 * length, `${handled} for ${length}: owners went on where they were`)
    t.ok(said.length > 0, 'it is told')
    t.ok(said.length <= nodes.length, `at most once by each node: ${said.join('\n')}`)
    const damage = nodes.flatMap(node => node.stats().damage)
    t.ok(damage.some(({ place, state }) => place === groups && state === 'healed'))
    const document = `$KV.CAIRN_${namespace}_GROUPS.publishers`
    await until(() => streams.getMessage(groups, { last_by_subj: document }), patience)
    t.pass('the publishers of topics are found again in the log')
  })

for (const how of ['purge', 'delete', 'delete while no node runs'] as const)
  await t.test(`the timers: ${how}`, async t => {
    const { about, start, namespace } = scene(t)
    const stream = `CAIRN_${namespace}_TIMERS`
    const first = await start({ actors: [alarm] })
    const set = async (node: Node, name: string, after: number) =>
      node.spawn(alarm, 'a').ask('set', { name, after })
    await set(first, 'early', 1)
    const rung = async (node: Node) => (await node.spawn(alarm, 'a').state()).state
    await until(async () => (await rung(first)).length === 1, patience)
    for (let i = 0; i < 10; i++) await set(first, `t${i}`, 3_000)
    await set(first, 'far', 3_600_000)
    await until(() => first.stats().courier.handled >= 12, patience)
    if (how === 'purge') await streams.purge(stream)
    if (how === 'delete') await streams.delete(stream)
    let node = first
    if (how === 'delete while no node runs') {
      await first.close()
      await streams.delete(stream)
      node = await start({ actors: [alarm] })
    }
    await set(node, 'late', 1)
    await until(async () => (await rung(node)).length === 12, patience)
    const names = await rung(node)
    t.equal(new Set(names).size, 12, 'each has rung once')
    t.ok(names.includes('late') && names.includes('t9') && !names.includes('far'))
    const pending: string[] = []
    for await (const { name } of node.timers()) pending.push(name)
    t.strictSame(pending, ['far'])
    t.equal(about(stream).length, 1, about(stream).join('\n'))
    const damage = node.stats().damage.filter(({ place }) => place === stream)
    t.match(damage, [{ state: 'healed' }])
  })

await t.test('a document of a consumer', async t => {
  const { said, start, overwrite, groups, namespace } = scene(t)
  const erp = defineConsumer({ name: 'erp', on: noted })
  const consumed: string[] = []
  const write = async (node: Node, ...all: readonly string[]) => {
    for (const text of all) await node.spawn(pen, 'p').ask('write', text)
    const trigger = node.trigger(
      erp,
      ({ payload }) => void consumed.push(payload as string),
    )
    await trigger.start()
    await until(() => consumed.includes(all.at(-1)!), patience)
    await trigger.stop()
  }
  const first = await start({ actors: [pen] })
  await write(first, 'a', 'b')
  await overwrite('consumer.erp', 'garbage')
  await write(first, 'c')
  t.strictSame(consumed, ['a', 'b', 'c'], 'it goes on where the process knows that it is')
  t.equal(first.stats().consumers.damaged, 1)
  t.match(first.stats().damage, [
    { place: 'document consumer.erp', problem: 'unreadable' },
  ])
  t.match(said, [/document of consumer erp cannot be read/])
  await streams.purge(groups, { filter: `$KV.CAIRN_${namespace}_GROUPS.consumer.erp` })
  await write(first, 'd')
  t.strictSame(consumed, ['a', 'b', 'c', 'd'])
  t.equal(said.length, 2, said.join('\n'))
  await first.close()

  await overwrite('consumer.erp', 'garbage again')
  const second = await start({ actors: [pen] })
  await t.rejects(second.consumer('erp').consume({ maxWait: 0 }), {
    code: 'storage-failed',
    message: /consumer erp cannot be read: .*cairn repair/,
  })
  await write(second, 'e')
  t.strictSame(consumed.slice(4), ['a', 'b', 'c', 'd', 'e'], 'a new process starts again')
  t.equal(said.length, 3, said.join('\n'))
})

await t.test('a document of a partition whose owner lives', async t => {
  const { about, start, overwrite } = scene(t)
  const seen: string[] = []
  const reactor = defineReactor({
    name: 'r',
    on: eventsOf(pen),
    handle: ({ id }) => void seen.push(id),
  })
  const node = await start({ actors: [pen], reactors: [reactor] })
  const write = () => node.spawn(pen, 'p').ask('write', 'x')
  await write()
  await until(() => seen.length === 1, patience)
  for (let partition = 0; partition < 16; partition++)
    await overwrite(`reactor.r.log.${partition}`, 'garbage')
  await until(async () => {
    await write()
    return node.stats().reactors['r']!.damaged > 0
  }, patience)
  const { version } = await write()
  await until(() => seen.includes(`pen/p/${version}`), patience)
  t.ok(seen.filter(id => id === 'pen/p/1').length <= 2, 'it does not start again')
  const told = about('is damaged; its partition goes on where this node has left it')
  t.equal(told.length, node.stats().reactors['r']!.damaged)
})

await t.test('the log of a new namespace is not read for publishers', async t => {
  const { start, namespace } = scene(t)
  await start({ actors: [alarm] })
  const document = `$KV.CAIRN_${namespace}_GROUPS.publishers`
  const stored = await streams.getMessage(`KV_CAIRN_${namespace}_GROUPS`, {
    last_by_subj: document,
  })
  t.ok(stored, 'none of its actors publishes, and that is stored before the node serves')
})

await t.test('the publishers of a topic that no node hosts', async t => {
  const { start, overwrite, about } = scene(t)
  const heard: string[] = []
  const reactor = defineReactor({
    name: 'r',
    on: noted,
    handle: ({ data }) => void heard.push(data as string),
  })
  const writer = await start({ actors: [pen] })
  for (const text of ['a', 'b']) await writer.spawn(pen, 'p').ask('write', text)
  await writer.close()
  await overwrite('publishers', 'garbage')
  await overwrite('topics.noted', 'garbage')
  const node = await start({ reactors: [reactor] })
  await until(() => heard.length === 2, patience)
  t.strictSame(heard, ['a', 'b'])
  await until(() => node.stats().damage.length > 0, patience)
  t.equal(about('publishers of topics is damaged').length, 1)
})

for (const how of ['purge', 'delete'] as const)
  await t.test(`the read models: ${how}`, async t => {
    const { start, namespace } = scene(t)
    const texts = defineProjection({
      name: 'texts',
      from: pen,
      initial: [] as string[],
      when: { wrote: (row, { data }) => [...row, data] },
    })
    const node = await start({ actors: [pen], projections: [texts] })
    const write = async (...all: readonly string[]) => {
      for (const text of all) await node.spawn(pen, 'p').ask('write', text)
    }
    const row = () => node.projection(texts).get('p')
    await write('a', 'b')
    await until(async () => (await row())?.length === 2, patience)
    const views = `KV_CAIRN_${namespace}_VIEWS`
    await (how === 'purge' ? streams.purge(views) : streams.delete(views))
    await until(async () => (await row())?.length === 2, patience)
    await write('c')
    await until(async () => (await row())?.includes('c'), patience)
    t.strictSame(await row(), ['a', 'b', 'c'])
  })

await t.test('a stream that cannot be found again is told once and waits', async t => {
  const { about, start, namespace } = scene(t)
  const stream = `CAIRN_${namespace}_INBOX`
  const node = await start({ actors: [pen] })
  const { config } = await streams.info(stream)
  await streams.delete(stream)
  const damage = () => node.stats().damage.find(({ place }) => place === stream)
  for (let i = 0; i < 3; i++)
    await t.rejects(node.spawn(pen, 'p').send('write', 'x'), { code: 'foreign-stream' })
  await until(() => damage()?.state === 'open', patience)
  t.equal((await node.spawn(pen, 'p').ask('write', 'x')).version, 1, 'others go on')
  const metadata = Object.entries(config.metadata ?? {})
  const own = metadata.filter(([name]) => !name.startsWith('_nats'))
  await streams.add({ ...config, metadata: Object.fromEntries(own) })
  await node.spawn(pen, 'p').send('write', 'y')
  await until(async () => (await node.spawn(pen, 'p').state()).version === 2, patience)
  await until(() => damage()?.state === 'healed', patience)
  t.equal(about(stream).length, 1, about(stream).join('\n'))
})
