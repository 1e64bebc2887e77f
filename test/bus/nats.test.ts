import { headers, type MsgHdrs } from 'nats'
import t, { type Test } from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import type { InterruptionReason } from '../../src/bus/bus.js'
import type { CommitStored } from '../../src/bus/notice.js'
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

/** A store behind a proxy whose cache listens, and one that talks to the server. */
async function listening(t: Test) {
  const namespace = freshNamespace()
  const proxy = await startProxy(server.url)
  const through = await openNode(proxy.url, { namespace, nodeId: 'listener' })
  const other = await openNode(server.url, { namespace, nodeId: 'other' })
  const heard: InterruptionReason[] = []
  const subscription = await wireCache(
    { namespace, store: through.store, bus: through.bus },
    heard,
  )
  t.teardown(async () => {
    await through[Symbol.asyncDispose]()
    await other[Symbol.asyncDispose]()
    await proxy[Symbol.asyncDispose]()
  })
  return { namespace, proxy, through, other, heard, subscription }
}

await t.test('A3.2 malformed notices are counted, never thrown', async t => {
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

await t.test(
  'a made-up notice that continues nothing known costs a read, not a version',
  async t => {
    const { namespace, through, other, heard } = await listening(t)
    const { version, position } = await mustAppend(other.store, actor, deposits(1, 2, 3))
    await until(() => through.store.cachedVersion(actor) === version)
    const lines = headers()
    for (const [name, value] of Object.entries(commitHeaders(actor, 40)))
      lines.set(name, value)
    // At the true position, so that the server's comparison alone would let it pass.
    lines.set('Nats-Sequence', String(position))
    lines.set('Nats-Last-Sequence', '0')
    other.connection.nc.publish(`cairn.${namespace}.stored.0.account.alice`, '', {
      headers: lines,
    })
    await until(() => through.store.cachedVersion(actor) !== version)
    t.match(await mustAppend(through.store, actor, deposits(4)), { version: 4 })
    t.strictSame(heard, ['gap'], 'a position that is not the next is a gap')
  },
)

await t.test(
  'a position that somebody made up does not hide the gaps after it',
  async t => {
    const { namespace, other, heard } = await listening(t)
    const notice = (position: string) => {
      const lines = headers()
      lines.set('Nats-Sequence', position)
      other.connection.nc.publish(`cairn.${namespace}.stored.0.account.x`, '', {
        headers: lines,
      })
    }
    notice('1000000')
    await mustAppend(other.store, actor, deposits(1))
    await until(() => heard.length === 1)
    await mustAppend(other.store, actor, deposits(2))
    notice('9')
    await until(() => heard.length === 2)
    t.strictSame(heard, ['gap', 'gap'])
  },
)

await t.test(
  'P5 a lost connection is told, and the cache is not believed after it',
  async t => {
    const { proxy, through, other, heard } = await listening(t)
    await mustAppend(other.store, actor, deposits(1))
    await until(() => through.store.cachedVersion(actor) === 1)
    proxy.refuse(true)
    proxy.cut()
    await until(() => heard.length === 1)
    t.strictSame(heard, ['disconnected'])
    t.equal(through.store.cachedVersion(actor), undefined)
    await mustAppend(other.store, actor, deposits(2))
    proxy.refuse(false)
    await until(() => heard.length === 2)
    t.strictSame(heard, ['disconnected', 'reconnected'])
    t.equal(through.store.cachedVersion(actor), undefined, 'one was missed meanwhile')
    t.match(await mustAppend(through.store, actor, deposits(3)), { version: 3 })
    await mustAppend(other.store, actor, deposits(4))
    await until(() => through.store.cachedVersion(actor) === 4)
    t.pass('what is stored after it is heard again')
  },
)

await t.test(
  'P5 a notice that is lost on a living connection is noticed by the next',
  async t => {
    const { namespace, through, other, heard } = await listening(t)
    const bob = { type: 'account', id: 'bob' }
    await mustAppend(other.store, actor, deposits(1))
    await until(() => through.store.cachedVersion(actor) === 1)
    // A commit that the server does not announce: republishing is off for a moment.
    const manager = await other.connection.nc.jetstreamManager()
    const name = logStream(namespace)
    const { config } = await manager.streams.info(name)
    const { republish } = config
    await manager.streams.update(name, { ...config, republish: undefined as never })
    await mustAppend(other.store, actor, deposits(2))
    await manager.streams.update(name, { ...config, republish: republish! })
    t.equal(through.store.cachedVersion(actor), 1, 'it was missed')
    await mustAppend(other.store, bob, deposits(3))
    await until(() => through.store.cachedVersion(bob) === 1)
    t.strictSame(heard, ['gap'])
    t.equal(through.store.cachedVersion(actor), undefined)
    t.match(await mustAppend(through.store, actor, deposits(4)), { version: 3 })
  },
)

await t.test('P5 notices go on after the server was killed and restarted', async t => {
  await using own = await startNats()
  const namespace = freshNamespace()
  await using a = await openNode(own.url, { namespace })
  await using b = await openNode(own.url, { namespace })
  const heard: InterruptionReason[] = []
  await wireCache({ namespace, store: b.store, bus: b.bus }, heard)
  await mustAppend(a.store, actor, deposits(1))
  await until(() => b.store.cachedVersion(actor) === 1)
  await own.kill()
  await until(() => heard.includes('disconnected'))
  await own.restart()
  await until(() => heard.includes('reconnected'))
  await mustAppend(a.store, actor, deposits(2))
  await until(() => b.store.cachedVersion(actor) === 2)
  t.match(await mustAppend(b.store, actor, deposits(3)), { version: 3 })
})

await t.test(
  'subscribing while the server is away waits for it, or for the signal',
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

await t.test('a node hears of its own commits what others hear of them', async t => {
  const namespace = freshNamespace()
  await using writer = await openNode(server.url, { namespace, nodeId: 'writer' })
  await using other = await openNode(server.url, { namespace, nodeId: 'other' })
  const heard = { own: [] as CommitStored[], others: [] as CommitStored[] }
  await writer.bus.subscribeToCommits(namespace, notice => heard.own.push(notice))
  await other.bus.subscribeToCommits(namespace, notice => heard.others.push(notice))
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
    [actor, [8, 9], { commands: [1, 1].map((events, i) => ({ id: `p${i}`, events })) }],
  ]
  for (const [to, amounts, options] of appends)
    await mustAppend(writer.store, to, deposits(...amounts), options)
  await until(
    () => heard.own.length === appends.length && heard.others.length === appends.length,
  )
  t.strictSame(heard.own, heard.others)
})

await t.test('a notice of another commit at the same position is believed', async t => {
  const namespace = freshNamespace()
  await using node = await openNode(server.url, { namespace })
  const heard: CommitStored[] = []
  await node.bus.subscribeToCommits(namespace, notice => heard.push(notice))
  const { position } = await mustAppend(node.store, actor, deposits(1))
  await until(() => heard.length === 1)
  // As when the stream was made anew, and another node has written its first commit.
  const lines = headers()
  for (const [name, value] of Object.entries(commitHeaders(actor, 1)))
    lines.set(name, value)
  lines.set('Nats-Sequence', String(position))
  const subject = `cairn.${namespace}.stored.0.account.alice`
  node.connection.nc.publish(subject, '', { headers: lines })
  await until(() => heard.length === 2)
  t.match(heard[1], { position, header: { nodeId: 'elsewhere', commitId: 'injected-1' } })
})
