import { headers, type MsgHdrs } from 'nats'
import t, { type Test } from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import type { InterruptionReason } from '../../src/bus/bus.js'
import type { CommitStored } from '../../src/bus/notice.js'
import type { NoticeFilter } from '../../src/bus/notice-filter.js'
import type { ActorAddress } from '../../src/model/address.js'
import { logStream } from '../../src/nats/subjects.js'
import type { AppendOptions } from '../../src/store/event-store/event-store.js'
import { testNoticeBus, wireCache } from '../contract/bus.js'
import { commitHeaders, deposits, mustAppend } from '../contract/store/support.js'
import { freshNamespace, openNode, throwsCode } from '../jetstream/nodes.js'
import { startNats } from '../support/nats.js'
import { startProxy } from '../support/proxy.js'
import { until } from '../support/wait.js'

await using server = await startNats()
await testNoticeBus(t, 'JetStream', async () => ({
  backend: jetstream({ servers: server.url }),
}))

const actor = { type: 'account', id: 'alice' }

/** A node behind a proxy whose cache is updated by notices, and a node connected directly. */
async function listening(t: Test) {
  const namespace = freshNamespace()
  const proxy = await startProxy(server.url)
  const through = await openNode(proxy.url, { namespace, nodeId: 'listener' })
  const other = await openNode(server.url, { namespace, nodeId: 'other' })
  const received: InterruptionReason[] = []
  const subscription = await wireCache(
    { namespace, store: through.store, bus: through.bus },
    received,
  )
  t.teardown(async () => {
    await through[Symbol.asyncDispose]()
    await other[Symbol.asyncDispose]()
    await proxy[Symbol.asyncDispose]()
  })
  return { namespace, proxy, through, other, received, subscription }
}

await t.test('A3.2 malformed notices are counted and do not throw', async t => {
  const { namespace, through, other, subscription } = await listening(t)
  const { nc } = other.connection
  const stored = `cairn.${namespace}.stored`
  const sequence = (position: string) => {
    const lines = headers()
    lines.set('Nats-Sequence', position)
    return lines
  }
  const good = await mustAppend(other.store, actor, deposits(1))
  const garbage: [string, Uint8Array, MsgHdrs?][] = [
    [`${stored}.0.account.alice`, new Uint8Array()],
    [`${stored}.0.account.alice`, Buffer.from('not a notice')],
    [`${stored}.0.account`, Buffer.from('{}'), sequence('2')],
    [`${stored}.0.account.alice.more`, new Uint8Array(), sequence('2')],
    [`${stored}.0.9account.alice`, new Uint8Array(), sequence('2')],
    [`${stored}.0.account.%zz`, new Uint8Array(), sequence('2')],
    [`${stored}.0.account.alice`, new Uint8Array(), sequence('2')],
    [`${stored}.0.account.alice`, new Uint8Array(), sequence('-1')],
    [`${stored}.0.account.alice`, new Uint8Array(), sequence('NaN')],
    [`${stored}.0.account.alice`, new Uint8Array(), sequence('1e400')],
  ]
  for (const [subject, body, lines] of garbage)
    nc.publish(subject, body, lines === undefined ? {} : { headers: lines })
  await nc.flush()
  await until(() => subscription.stats().malformed === garbage.length)
  t.match(subscription.stats(), { commits: 1, handlerErrors: 0 })
  t.match(await mustAppend(other.store, actor, deposits(2)), { version: 2 })
  await until(() => through.store.cachedVersion(actor) === 2)
  t.equal(good.version, 1)
})

await t.test('a forged notice costs a read, not a version', async t => {
  const { namespace, through, other, received } = await listening(t)
  const { version, position } = await mustAppend(other.store, actor, deposits(1, 2, 3))
  await until(() => through.store.cachedVersion(actor) === version)
  const lines = headers()
  for (const [name, value] of Object.entries(commitHeaders(actor, 40)))
    lines.set(name, value)
  // At the true position, so the server's comparison alone would accept it.
  lines.set('Nats-Sequence', String(position))
  lines.set('Nats-Last-Sequence', '0')
  other.connection.nc.publish(`cairn.${namespace}.stored.0.account.alice`, '', {
    headers: lines,
  })
  await until(() => through.store.cachedVersion(actor) !== version)
  t.match(await mustAppend(through.store, actor, deposits(4)), { version: 4 })
  t.strictSame(received, ['gap'], 'a position that is not the next is a gap')
})

await t.test('a forged position does not hide later gaps', async t => {
  const { namespace, other, received } = await listening(t)
  const notice = (position: string) => {
    const lines = headers()
    lines.set('Nats-Sequence', position)
    other.connection.nc.publish(`cairn.${namespace}.stored.0.account.x`, '', {
      headers: lines,
    })
  }
  notice('1000000')
  await mustAppend(other.store, actor, deposits(1))
  await until(() => received.length === 1)
  await mustAppend(other.store, actor, deposits(2))
  notice('9')
  await until(() => received.length === 2)
  t.strictSame(received, ['gap', 'gap'])
})

await t.test(
  'P5 a lost connection is reported, and the cache is unverified afterwards',
  async t => {
    const { proxy, through, other, received } = await listening(t)
    await mustAppend(other.store, actor, deposits(1))
    await until(() => through.store.cachedVersion(actor) === 1)
    proxy.refuse(true)
    proxy.cut()
    await until(() => received.length === 1)
    t.strictSame(received, ['disconnected'])
    t.equal(through.store.cachedVersion(actor), undefined)
    await mustAppend(other.store, actor, deposits(2))
    proxy.refuse(false)
    await until(() => received.length === 2)
    t.strictSame(received, ['disconnected', 'reconnected'])
    t.equal(
      through.store.cachedVersion(actor),
      undefined,
      'a notice was missed in the meantime',
    )
    t.match(await mustAppend(through.store, actor, deposits(3)), { version: 3 })
    await mustAppend(other.store, actor, deposits(4))
    await until(() => through.store.cachedVersion(actor) === 4)
    t.pass('later commits have notices again')
  },
)

await t.test(
  'P5 a notice lost on an open connection is detected by the next one',
  async t => {
    const { namespace, through, other, received } = await listening(t)
    const bob = { type: 'account', id: 'bob' }
    await mustAppend(other.store, actor, deposits(1))
    await until(() => through.store.cachedVersion(actor) === 1)
    // A commit without a notice: republishing is off for a short time.
    const manager = await other.connection.nc.jetstreamManager()
    const name = logStream(namespace)
    const { config } = await manager.streams.info(name)
    const { republish } = config
    await manager.streams.update(name, { ...config, republish: undefined as never })
    await mustAppend(other.store, actor, deposits(2))
    await manager.streams.update(name, { ...config, republish: republish! })
    t.equal(through.store.cachedVersion(actor), 1, 'the notice was missed')
    await mustAppend(other.store, bob, deposits(3))
    await until(() => through.store.cachedVersion(bob) === 1)
    t.strictSame(received, ['gap'])
    t.equal(through.store.cachedVersion(actor), undefined)
    t.match(await mustAppend(through.store, actor, deposits(4)), { version: 3 })
  },
)

await t.test('BUS-6 the server sends only the notices that match', async t => {
  const namespace = freshNamespace()
  await using writer = await openNode(server.url, { namespace })
  const types = Array.from({ length: 10 }, (_, i) => `type${i}`)
  /** Messages that the connection gets for 200 commits of ten types. */
  const countFor = async (filter: NoticeFilter, wanted: number) => {
    await using listener = await openNode(server.url, { namespace })
    let count = 0
    const subscription = await listener.bus.subscribeToCommits(
      namespace,
      () => count++,
      filter,
    )
    const { nc } = listener.connection
    const before = nc.stats().inMsgs
    for (let i = 0; i < 200; i++)
      await mustAppend(
        writer.store,
        { type: types[i % 10]!, id: `a${i % 20}` },
        deposits(1),
      )
    await until(() => count === wanted)
    await nc.flush()
    t.match(subscription.stats(), { commits: wanted, interruptions: 0 })
    return nc.stats().inMsgs - before
  }
  t.equal(await countFor({}, 200), 200)
  t.equal(await countFor({ type: 'type3' }, 20), 20)
  t.equal(await countFor({ actor: { type: 'type3', id: 'a13' } }, 10), 10)
})

await t.test('BUS-3 a loss is noticed by a subscription with a filter', async t => {
  const namespace = freshNamespace()
  await using node = await openNode(server.url, { namespace })
  const [bob, carol] = ['bob', 'carol'].map(id => ({ type: 'account', id }))
  const seen: Record<string, string[]> = { type: [], actor: [] }
  for (const [name, filter] of Object.entries({
    type: { type: 'account' },
    actor: { actor },
  }))
    await node.bus.subscribeToCommits(
      namespace,
      ({ actor: of, header }) => seen[name]!.push(`${of.id} ${header.lastVersion}`),
      { ...filter, onInterrupted: reason => seen[name]!.push(reason) },
    )
  const other = { type: 'other', id: 'x' }
  for (const one of [bob!, actor, other, actor])
    await mustAppend(node.store, one, deposits(1))
  await until(() => seen['actor']!.length === 2)
  // Commits without notices: republishing is off for a short time.
  const manager = await node.connection.nc.jetstreamManager()
  const name = logStream(namespace)
  const { config } = await manager.streams.info(name)
  const { republish } = config
  await manager.streams.update(name, { ...config, republish: undefined as never })
  for (const one of [actor, carol!, other]) await mustAppend(node.store, one, deposits(1))
  await manager.streams.update(name, { ...config, republish: republish! })
  for (const one of [other, bob!, carol!, actor, actor])
    await mustAppend(node.store, one, deposits(1))
  await until(() => seen['actor']!.length === 5 && seen['type']!.length === 9)
  const before = ['alice 1', 'alice 2']
  t.strictSame(seen['actor'], [...before, 'gap', 'alice 4', 'alice 5'])
  t.strictSame(
    seen['type'],
    ['bob 1', ...before, 'bob 2', 'gap', 'carol 2', 'gap', 'alice 4', 'alice 5'],
    'with the next notice of each actor that lost one',
  )
})

await t.test('P5 notices continue after the server was killed and restarted', async t => {
  await using own = await startNats()
  const namespace = freshNamespace()
  await using a = await openNode(own.url, { namespace })
  await using b = await openNode(own.url, { namespace })
  const received: InterruptionReason[] = []
  await wireCache({ namespace, store: b.store, bus: b.bus }, received)
  await mustAppend(a.store, actor, deposits(1))
  await until(() => b.store.cachedVersion(actor) === 1)
  await own.kill()
  await until(() => received.includes('disconnected'))
  await own.restart()
  await until(() => received.includes('reconnected'))
  await mustAppend(a.store, actor, deposits(2))
  await until(() => b.store.cachedVersion(actor) === 2)
  t.match(await mustAppend(b.store, actor, deposits(3)), { version: 3 })
})

await t.test(
  'subscribing while the server is unreachable waits for it, or for the signal',
  async t => {
    const { namespace, proxy, through, other } = await listening(t)
    proxy.refuse(true)
    proxy.cut()
    await until(() => !through.connection.connected)
    const stop = new AbortController()
    const handler = () => t.fail('never')
    const given = through.bus.subscribeToEventStored(namespace, handler, {
      signal: stop.signal,
    })
    const refused = throwsCode(t, 'aborted', () => given, namespace)
    const versions: number[] = []
    const made = through.bus.subscribeToEventStored(namespace, ({ version }) =>
      versions.push(version),
    )
    stop.abort()
    await refused
    proxy.refuse(false)
    await made
    await mustAppend(other.store, actor, deposits(1, 2))
    await until(() => versions.length === 2)
    t.strictSame(versions, [1, 2])
  },
)

await t.test(
  'a node receives the same notices of its own commits as other nodes',
  async t => {
    const namespace = freshNamespace()
    await using writer = await openNode(server.url, { namespace, nodeId: 'writer' })
    await using other = await openNode(server.url, { namespace, nodeId: 'other' })
    const received = { own: [] as CommitStored[], others: [] as CommitStored[] }
    await writer.bus.subscribeToCommits(namespace, notice => received.own.push(notice))
    await other.bus.subscribeToCommits(namespace, notice => received.others.push(notice))
    const odd = { type: 'account', id: 'ä.b*c %' }
    const appends: [ActorAddress, number[], AppendOptions?][] = [
      [actor, [1]],
      [actor, [2, 3, 4]],
      [odd, [5], { command: { id: 'c 1,ü', reply: 7 } }],
      [
        odd,
        [6],
        { correlationId: 'why', causationId: 'what', traceparent: '00-1-2-01', at: 1.5 },
      ],
      [actor, [7], { outbox: [{ kind: 'command', actor: odd, type: 'go', data: 1 }] }],
      [actor, [10], { inboxPosition: 9, behaviorVersion: 3 }],
      [actor, [8, 9], { commands: [1, 1].map((events, i) => ({ id: `p${i}`, events })) }],
    ]
    for (const [to, amounts, options] of appends)
      await mustAppend(writer.store, to, deposits(...amounts), options)
    await until(
      () =>
        received.own.length === appends.length &&
        received.others.length === appends.length,
    )
    t.strictSame(received.own, received.others)
  },
)

await t.test('a notice of another commit at the same position is delivered', async t => {
  const namespace = freshNamespace()
  await using node = await openNode(server.url, { namespace })
  const received: CommitStored[] = []
  await node.bus.subscribeToCommits(namespace, notice => received.push(notice))
  const { position } = await mustAppend(node.store, actor, deposits(1))
  await until(() => received.length === 1)
  // As after the stream was created again and another node has written its first commit.
  const lines = headers()
  for (const [name, value] of Object.entries(commitHeaders(actor, 1)))
    lines.set(name, value)
  lines.set('Nats-Sequence', String(position))
  const subject = `cairn.${namespace}.stored.0.account.alice`
  node.connection.nc.publish(subject, '', { headers: lines })
  await until(() => received.length === 2)
  t.match(received[1], {
    position,
    header: { nodeId: 'elsewhere', commitId: 'injected-1' },
  })
})
