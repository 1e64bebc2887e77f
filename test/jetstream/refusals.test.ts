// Cairn refuses unsuitable servers and streams by name and with the remedy, and reports later
// failures. It never hangs silently and never writes half a commit.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import t, { type Test } from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { withTimeout } from '../../src/model/wait.js'
import { Connection } from '../../src/nats/connection.js'
import { logStream, logSubjects } from '../../src/nats/subjects.js'
import { wireCache } from '../contract/bus.js'
import { collect, deposits, mustAppend } from '../contract/store/support.js'
import { startNats } from '../support/nats.js'
import { startProxy } from '../support/proxy.js'
import { until } from '../support/wait.js'
import { freshNamespace, openNode, readHistory, throwsCode } from './nodes.js'

const actor = { type: 'account', id: 'alice' }
const open = (servers: string, namespace = freshNamespace(), options = {}) =>
  jetstream({ servers, ...options }).open({ namespace, nodeId: 'node-1' })

/** A fake server that sends the INFO of a NATS server of the given version. */
async function greeter(info: object | undefined) {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    if (info !== undefined) socket.write(`INFO ${JSON.stringify(info)}\r\n`)
    socket.on('data', bytes => {
      if (bytes.includes('PING')) socket.write('PONG\r\n')
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `nats://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

const greeting = (version: string) => ({
  server_id: 'NOT_A_SERVER',
  version,
  proto: 1,
  headers: true,
  max_payload: 1_048_576,
  jetstream: true,
})

await t.test('a server that is too old is refused with both versions', async t => {
  for (const version of ['2.9.10', '2.11.9', '2.12.1', '0.0.0']) {
    await using old = await greeter(greeting(version))
    await throwsCode(
      t,
      'server-too-old',
      () => open(old.url),
      version,
      '2.12.2',
      old.url.slice('nats://'.length),
      'nats-server -js',
    )
  }
})

await t.test('a server that sends no INFO is unreachable', async t => {
  await using silent = await greeter(undefined)
  await throwsCode(
    t,
    'store-unreachable',
    () => open(silent.url, freshNamespace(), { connectTimeout: 200 }),
    silent.url,
    '--embedded',
    'nats-server -js',
  )
})

await t.test(
  'a missing server is unreachable, and the error names the remedies',
  async t => {
    // A free port, and a name that no resolver may know (RFC 2606).
    const gone = await greeter(undefined)
    await gone[Symbol.asyncDispose]()
    for (const url of [gone.url, 'nats://no-such-host.invalid:4222']) {
      const error = await throwsCode(
        t,
        'store-unreachable',
        () => open(url),
        url,
        '--embedded',
        'NATS_URL',
      )
      t.equal(error.retryable, true)
    }
  },
)

await t.test('a server without JetStream is refused', async t => {
  await using server = await startNats({ jetstream: false })
  await throwsCode(t, 'no-jetstream', () => open(server.url), 'nats-server', '-js')
})

await t.test('wrong credentials are refused, and so are unusable ones', async t => {
  await using server = await startNats({ users: [{ user: 'ann', password: 'right' }] })
  const dir = await mkdtemp(join(tmpdir(), 'cairn-creds-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const logins = [
    {},
    { user: 'ann', password: 'wrong' },
    { user: 'nobody', password: 'right' },
    { token: 'nonsense' },
  ]
  for (const login of logins)
    await throwsCode(
      t,
      'unauthorized',
      () => open(server.url, freshNamespace(), login),
      server.url,
      'password',
      '--creds',
    )
  const missing = join(dir, 'missing.creds')
  const garbage = join(dir, 'garbage.creds')
  await writeFile(garbage, 'this is no credentials file\n')
  for (const creds of [missing, garbage, dir])
    await throwsCode(
      t,
      'invalid-option',
      () => open(server.url, freshNamespace(), { creds }),
      creds,
    )
  const node = await open(server.url, freshNamespace(), {
    user: 'ann',
    password: 'right',
  })
  t.match(await mustAppend(node.store, actor, deposits(1)), { version: 1 })
  await node.close()
})

await t.test(
  'a stream of the same name that is not a log is refused, naming the differences',
  async t => {
    await using server = await startNats()
    const admin = await Connection.open({ servers: server.url }, 'admin', 'admin')
    const manager = await admin.nc.jetstreamManager()
    const foreign = async (title: string, change: object, ...names: string[]) => {
      // The configuration of a log, with one change.
      const namespace = freshNamespace()
      await (await open(server.url, namespace)).close()
      const name = logStream(namespace)
      const { config } = await manager.streams.info(name)
      await manager.streams.delete(name)
      const metadata = config.metadata ?? {}
      const own = Object.fromEntries(
        Object.entries(metadata).filter(([key]) => !key.startsWith('_nats')),
      )
      await manager.streams.add({ ...config, metadata: own, ...change })
      const error = await throwsCode(
        t,
        'foreign-stream',
        () => open(server.url, namespace),
        name,
        'another namespace',
        ...names,
      )
      t.ok(Array.isArray(error.details.differences), title)
      await manager.streams.delete(name)
    }
    await foreign('retention', { retention: 'workqueue' }, 'retention', 'limits')
    await foreign('memory', { storage: 'memory' }, 'storage', '"memory"', '"file"')
    await foreign('discard', { discard: 'old' }, 'discard')
    await foreign(
      'age',
      { max_age: 60_000_000_000, duplicate_window: 1_000_000_000 },
      'max_age',
      '60000000000',
    )
    await foreign('messages', { max_msgs: 10 }, 'max_msgs')
    await foreign('per subject', { max_msgs_per_subject: 1 }, 'max_msgs_per_subject')
    await foreign('direct', { allow_direct: false }, 'allow_direct')
    await foreign('batches', { allow_atomic: false }, 'allow_atomic')
    await foreign('acks', { no_ack: true }, 'no_ack')
    await foreign('notices', { republish: undefined }, 'republish')
    await foreign('metadata', { metadata: {} }, 'cairn_wire', 'cairn_generation')
    await foreign('subjects', { subjects: ['other.>'], republish: undefined }, 'subjects')
    await admin.close()
  },
)

await t.test('a stream of another name with the log’s subjects is refused', async t => {
  await using server = await startNats()
  const admin = await Connection.open({ servers: server.url }, 'admin', 'admin')
  const manager = await admin.nc.jetstreamManager()
  const namespace = freshNamespace()
  await manager.streams.add({ name: 'EVERYTHING', subjects: ['cairn.>'] })
  await throwsCode(
    t,
    'foreign-stream',
    () => open(server.url, namespace),
    logSubjects(namespace),
    'nats stream ls',
  )
  await admin.close()
})

await t.test(
  'a commit larger than max_payload is refused, and the next one is stored',
  async t => {
    await using server = await startNats({ maxPayload: 8_192 })
    await using node = await openNode(server.url, { namespace: freshNamespace() })
    await mustAppend(node.store, actor, deposits(1))
    const big = [{ type: 'noted', data: { text: 'x'.repeat(9_000) } }]
    const many = Array.from({ length: 100 }, () => ({
      type: 'noted',
      data: 'y'.repeat(100),
    }))
    // Small enough without its headers, too large with them.
    const edge = [{ type: 'noted', data: 'z'.repeat(8_192 - 100) }]
    for (const events of [big, many, edge]) {
      const error = await throwsCode(
        t,
        'commit-too-large',
        () => node.store.append(actor, events),
        'account.alice',
        '8192',
        'max_payload',
      )
      t.equal(error.details.limit, 8_192)
      t.ok(Number(error.details.actual) > 8_192)
    }
    t.ok(node.connection.connected, 'the connection lives')
    t.match(await mustAppend(node.store, actor, deposits(2)), { version: 2, position: 2 })
    t.equal((await readHistory(node.store)).commits.length, 2)
  },
)

await t.test('a full stream refuses commits, and keeps the stored ones', async t => {
  await using server = await startNats()
  await using node = await openNode(server.url, { namespace: freshNamespace() })
  await mustAppend(node.store, actor, deposits(1))
  const manager = await node.connection.nc.jetstreamManager()
  const name = logStream(node.store.namespace)
  await manager.streams.update(name, { max_bytes: 300 })
  await throwsCode(
    t,
    'storage-failed',
    () => node.store.append(actor, deposits(2)),
    'account/alice',
    /limit|full/,
  )
  await manager.streams.update(name, { max_bytes: -1 })
  t.match(await mustAppend(node.store, actor, deposits(2)), { version: 2 })
})

await t.test('a stream deleted under an open store is reported at once', async t => {
  await using server = await startNats()
  await using node = await openNode(server.url, { namespace: freshNamespace() })
  await mustAppend(node.store, actor, deposits(1))
  const name = logStream(node.store.namespace)
  await (await node.connection.nc.jetstreamManager()).streams.delete(name)
  const soon = <T>(work: Promise<T>) =>
    withTimeout(work, 8_000, () => new Error('it hangs where it should refuse'))
  const { store } = node
  const works: [string, () => Promise<unknown>][] = [
    ['append', () => store.append(actor, deposits(2))],
    ['append of a new actor', () => store.append({ type: 'a', id: 'b' }, deposits(2))],
    ['lastPosition', () => store.lastPosition()],
    ['head', () => store.head(actor)],
    ['readAll', () => readHistory(store)],
    ['read', () => collect(store.read(actor))],
    ['actors', () => collect(store.actors())],
  ]
  for (const [what, work] of works)
    await throwsCode(t, 'foreign-stream', () => soon(work()), name, 'deleted').catch(
      (error: unknown) => t.fail(`${what}: ${String(error)}`),
    )
})

/** Deletes the log and creates another, in which the actor's last position is the same. */
async function makeAnew(t: Test, servers: string, namespace: string): Promise<void> {
  const admin = await Connection.open({ servers }, 'admin', 'admin')
  await (await admin.nc.jetstreamManager()).streams.delete(logStream(namespace))
  await admin.close()
  await using other = await openNode(servers, { namespace, nodeId: 'new' })
  const bob = { type: 'account', id: 'bob' }
  for (const i of [1, 2]) await mustAppend(other.store, bob, deposits(i))
  const last = await mustAppend(other.store, actor, deposits(1))
  t.match(last, { version: 1, position: 3 }, 'only the generation tells')
}

await t.test(
  'STORE-JS-5 a stream that was created again while the connection was lost is another stream',
  async t => {
    await using server = await startNats()
    await using proxy = await startProxy(server.url)
    const namespace = freshNamespace()
    await using node = await openNode(proxy.url, { namespace, nodeId: 'old' })
    for (const i of [1, 2, 3]) await mustAppend(node.store, actor, deposits(i))
    t.match(node.store.cacheStats(), { entries: 1 })
    proxy.refuse(true)
    proxy.cut()
    await until(() => !node.connection.connected)
    await makeAnew(t, server.url, namespace)
    proxy.refuse(false)
    await until(() => node.store.cacheStats().entries === 0)
    t.pass('its cache is dropped')
    t.match(await mustAppend(node.store, actor, deposits(2)), { version: 2 })
    t.strictSame((await readHistory(node.store)).dense, [])
  },
)

await t.test(
  'P5 a stream that is created again during a connection is noticed',
  async t => {
    await using server = await startNats()
    const namespace = freshNamespace()
    await using node = await openNode(server.url, { namespace, nodeId: 'old' })
    const heard: string[] = []
    const { store, bus } = node
    await wireCache({ namespace, store, bus }, heard as [])
    for (const i of [1, 2, 3]) await mustAppend(store, actor, deposits(i))
    await makeAnew(t, server.url, namespace)
    await until(() => heard.length > 0)
    t.match(await mustAppend(store, actor, deposits(2)), { version: 2 })
    t.strictSame((await readHistory(store)).dense, [])
  },
)
