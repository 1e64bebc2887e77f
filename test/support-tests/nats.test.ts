import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, type NatsError } from 'nats'
import t from 'tap'
import {
  ensureNatsServer,
  FolderInUseError,
  MINIMUM_VERSION,
  PortInUseError,
  startServer,
} from '../../scripts/nats-server.mjs'
import { startNats, startNatsCluster } from '../support/nats.js'
import { startProxy } from '../support/proxy.js'
import { until } from '../support/wait.js'

void t.test(
  'what a server acknowledged is there after a SIGKILL and a restart',
  async t => {
    await using server = await startNats({ syncInterval: 'always' })
    const { url, pid } = server
    const before = await connect({ servers: server.url, reconnect: false })
    const manager = await before.jetstreamManager()
    await manager.streams.add({ name: 'KEPT', subjects: ['kept.>'] })
    await before.jetstream().publish('kept.a', 'one')
    const closed = before.closed()
    await server.kill()
    await closed
    await server.restart()
    t.equal(server.url, url, 'the address is the same')
    t.not(server.pid, pid, 'the process is another')

    const after = await connect({ servers: server.url })
    const kept = await (
      await after.jetstreamManager()
    ).streams.getMessage('KEPT', { seq: 1 })
    t.equal(kept.string(), 'one')
    await after.close()
  },
)

void t.test('a paused server answers nothing, a resumed one answers late', async t => {
  await using server = await startNats({ jetstream: false })
  const connection = await connect({ servers: server.url })
  server.pause()
  // What reached it before the signal did may still be answered.
  await until(async () => {
    const failure = connection.request('any', '', { timeout: 200 }).then(
      () => undefined,
      (error: unknown) => (error as NatsError).code,
    )
    return (await failure) === 'TIMEOUT'
  })
  server.resume()
  await connection.flush()
  await connection.close()
  server.pause()
  await server.stop()
  t.match(server.log(), /Server Exiting/, 'even a paused one stops in good order')
})

void t.test('users, payload limit and further lines reach the configuration', async t => {
  await using server = await startNats({
    users: [{ user: 'ann', password: 'secret' }],
    maxPayload: 4096,
    config: 'ping_interval: "7s"',
  })
  await t.rejects(connect({ servers: server.url }), { code: 'AUTHORIZATION_VIOLATION' })
  const connection = await connect({ servers: server.url, user: 'ann', pass: 'secret' })
  t.equal(connection.info?.max_payload, 4096)
  await connection.close()
})

void t.test(
  'a cluster of three keeps a replicated stream when one is killed',
  async t => {
    await using cluster = await startNatsCluster(3)
    const [first, second] = cluster.servers
    const connection = await connect({ servers: second!.url, ignoreClusterUpdates: true })
    const manager = await connection.jetstreamManager({ timeout: 20_000 })
    await manager.streams.add({ name: 'R3', subjects: ['r3.>'], num_replicas: 3 })
    const jetstream = connection.jetstream({ timeout: 1000 })
    await jetstream.publish('r3.a', 'one')
    await first!.kill()
    const published = await until(() => jetstream.publish('r3.a', 'two'), {
      timeout: 30_000,
    })
    t.ok(published.seq >= 2)
    await connection.close()
    await first!.restart()
    await cluster.ready()
  },
)

void t.test('a proxy passes traffic, and cut connections can come back', async t => {
  await using server = await startNats({ jetstream: false })
  await using proxy = await startProxy(server.url)
  const connection = await connect({
    servers: proxy.url,
    ignoreClusterUpdates: true,
    reconnectTimeWait: 10,
    maxReconnectAttempts: -1,
  })
  t.equal(proxy.connections, 1)
  const statuses = connection.status()[Symbol.asyncIterator]()
  proxy.refuse(true)
  proxy.cut()
  t.match(await statuses.next(), { value: { type: 'disconnect' } })
  proxy.refuse(false)
  await until(async () => (await statuses.next()).value.type === 'reconnect')
  await connection.flush()

  proxy.pause()
  await t.rejects(connection.request('any', '', { timeout: 200 }), { code: 'TIMEOUT' })
  proxy.resume()
  await connection.flush()
  await connection.close()
})

void t.test('a proxy that drops replies lets requests through', async t => {
  await using server = await startNats()
  await using proxy = await startProxy(server.url)
  const direct = await connect({ servers: server.url })
  const manager = await direct.jetstreamManager()
  await manager.streams.add({ name: 'LOST', subjects: ['lost.>'] })
  const connection = await connect({
    servers: proxy.url,
    reconnectTimeWait: 10,
    maxReconnectAttempts: -1,
  })
  proxy.dropReplies(true)
  const publish = connection.jetstream().publish('lost.a', 'stored', { timeout: 500 })
  await t.rejects(publish, { code: 'TIMEOUT' }, 'the acknowledgement was swallowed')
  t.ok(proxy.swallowed > 0)
  t.match(await manager.streams.getMessage('LOST', { seq: 1 }), { subject: 'lost.a' })

  proxy.dropReplies(false)
  const jetstream = connection.jetstream({ timeout: 500 })
  const again = await until(() => jetstream.publish('lost.a', 'again'))
  t.ok(again.seq >= 2)
  await connection.close()
  await direct.close()
})

void t.test(
  'a server that CAIRN_NATS_SERVER names and that is too old is refused',
  async t => {
    const path = join(t.testdir(), 'nats-server')
    await writeFile(path, '#!/bin/sh\necho "nats-server: v2.9.10"\n')
    await chmod(path, 0o755)
    const refusal = ensureNatsServer({ env: { CAIRN_NATS_SERVER: path } })
    await t.rejects(refusal, { message: '2.9.10' })
    await t.rejects(refusal, { message: MINIMUM_VERSION })
    const absent = ensureNatsServer({ env: { CAIRN_NATS_SERVER: `${path}-not` } })
    await t.rejects(absent, { message: /does not run.*ENOENT/ })
  },
)

void t.test('a port that is taken is an error of its own, which names it', async t => {
  await using server = await startNats({ jetstream: false })
  const { path } = await ensureNatsServer()
  const second = startServer({ path, dir: t.testdir(), port: server.port })
  await t.rejects(second, PortInUseError)
  await t.rejects(second, { port: server.port, message: `port ${server.port} is` })
})

void t.test('a second server over the files of a running one is refused', async t => {
  await using server = await startNats({ jetstream: false, name: 'first' })
  const { path } = await ensureNatsServer()
  const second = startServer({ path, dir: server.dir, name: 'first' })
  await t.rejects(second, FolderInUseError)
  await t.rejects(second, { url: server.url, message: server.dir })
})

void t.test(
  'a broken configuration fails with what the server said about it',
  async t => {
    await t.rejects(startNats({ config: 'nonsense: {' }), { message: /Parse error/ })
  },
)

void t.test('until returns what came true, and else says what it saw last', async t => {
  let calls = 0
  t.equal(await until(() => (++calls === 3 ? calls : 0)), 3)
  await t.rejects(
    until(() => [0][0], { timeout: 30, describe: 'a one' }),
    {
      message: 'not within 30 ms: a one; last seen: 0',
    },
  )
  await t.rejects(
    until(() => Promise.reject(new Error('broken')), { timeout: 30 }),
    {
      message: /broken/,
    },
  )
  await t.rejects(
    until(() => new Promise(() => {}), { timeout: 30 }),
    {
      message: /never answered/,
    },
  )
  const signal = AbortSignal.abort(new Error('enough'))
  await t.rejects(
    until(() => false, { signal }),
    { message: 'enough' },
  )
})
