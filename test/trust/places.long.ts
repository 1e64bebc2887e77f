import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'

import { connect, type NatsConnection } from 'nats'
import t, { type Test } from 'tap'

import { until } from '../support/wait.js'
import type { StoreOptions, TrustPlace } from './place.js'
import { startPlace } from './places/start.js'

const stream = 'RAW'

async function open(store: StoreOptions): Promise<NatsConnection> {
  if (store.kind !== 'jetstream') throw new Error('no servers')
  return connect({
    servers: [...store.servers],
    ignoreClusterUpdates: true,
    // A test cuts for as long as it takes.
    timeout: 60_000,
    pingInterval: 600_000,
    maxReconnectAttempts: -1,
  })
}

/** A stream, a client past every line, and one on a line. */
async function onLine(t: Test, place: TrustPlace) {
  const { store, line } = await place.lineFor()
  const direct = await open(place.direct)
  const client = await open(store)
  t.teardown(async () => {
    line!.heal()
    await client.close()
    await direct.close()
    await line![Symbol.asyncDispose]()
  })
  const manager = await direct.jetstreamManager({ timeout: 20_000 })
  const num_replicas = place.direct.kind === 'jetstream' ? place.direct.replicas : 1
  await manager.streams.add({ name: stream, subjects: ['raw.>'], num_replicas })
  const stored = async () => {
    const { state } = await manager.streams.info(stream)
    const all = Array.from({ length: state.last_seq }, async (_, i) =>
      (await manager.streams.getMessage(stream, { seq: i + 1 })).string(),
    )
    return Promise.all(all)
  }
  return { line: line!, direct, client, stored }
}

/** What the other client sends arrives: the server is up, and would have got an earlier message. */
async function sendPast(direct: NatsConnection, text: string): Promise<void> {
  await until(() => direct.jetstream().publish('raw.direct', text))
}

async function checkLine(t: Test, place: TrustPlace): Promise<void> {
  const { line, direct, client, stored } = await onLine(t, place)
  const send = (text: string) =>
    client.jetstream({ timeout: 60_000 }).publish('raw.line', text)
  await until(() => send('first'))
  t.strictSame(await stored(), ['first'], 'a client writes and reads through its line')

  const heard: string[] = []
  client.subscribe('said', {
    callback: (_error, message) => heard.push(message.string()),
  })
  await client.flush()
  const say = async (text: string) => {
    direct.publish('said', text)
    await direct.flush()
  }

  line.cut('toServer')
  const held = send('held')
  await sendPast(direct, 'past')
  await say('one')
  await until(() => heard.includes('one'), { describe: 'the other direction is open' })
  t.strictSame(await stored(), ['first', 'past'], 'nothing reaches the server')
  line.heal()
  await held
  t.strictSame(await stored(), ['first', 'past', 'held'], 'it arrives after the heal')

  line.cut('toClient')
  let isAnswered = false
  const unanswered = send('unanswered').then(() => (isAnswered = true))
  await until(async () => (await stored()).length === 4, {
    describe: 'a request reaches the server',
  })
  await say('two')
  t.notOk(isAnswered, 'its answer is held back')
  t.strictSame(heard, ['one'], 'nothing reaches the client')
  line.heal()
  await unanswered
  await until(() => heard.includes('two'))

  line.cut('both')
  const cutOff = send('cut off')
  await sendPast(direct, 'past again')
  await say('three')
  t.notOk(heard.includes('three'), 'neither direction passes')
  line.heal()
  await cutOff
  await until(() => heard.includes('three'))

  line.delay(20)
  await send('late')
  // As good as for ever: what is on its way arrives with the heal.
  line.delay(3_600_000)
  const delayed = send('delayed')
  await sendPast(direct, 'past once more')
  line.heal()
  await delayed
  t.strictSame(
    (await stored()).slice(4),
    ['past again', 'cut off', 'late', 'past once more', 'delayed'],
    'what is delayed arrives later than what was sent after it past the line',
  )
}

void t.test('one server, and lines to it', async t => {
  await using place = await startPlace('nats')
  t.equal(place.servers.length, 1)
  await checkLine(t, place)

  const [server] = place.servers
  await server!.kill()
  await server!.restart()
  const after = await open(place.direct)
  const manager = await after.jetstreamManager()
  const { state } = await until(() => manager.streams.info(stream))
  t.equal(state.messages, 9, 'all of it is there after a kill')
  await after.close()
})

void t.test('three servers, and lines to them', async t => {
  await using place = await startPlace('r3')
  t.equal(place.servers.length, 3)
  t.match(place.direct, { replicas: 3 })
  await checkLine(t, place)
})

void t.test('every process has a line of its own', async t => {
  await using place = await startPlace('nats')
  const [first, second] = [await place.lineFor(), await place.lineFor()]
  const clients = [await open(first.store), await open(second.store)] as const
  first.line!.cut('both')
  await clients[1].flush()
  t.pass('one is cut, the other is not')
  first.line!.heal()
  await clients[0].flush()
  for (const client of clients) await client.close()
  for (const { line } of [first, second]) await line![Symbol.asyncDispose]()
})

void t.test('what a cut holds back arrives, even from a client that is gone', async t => {
  await using place = await startPlace('nats')
  const { direct, stored } = await onLine(t, place)
  const { store, line } = await place.lineFor()
  if (store.kind !== 'jetstream') throw new Error('no servers')
  // The protocol by hand: what a client has written when it dies is on its way.
  const socket = createConnection(Number(new URL(store.servers[0]!).port), '127.0.0.1')
  socket.write('CONNECT {"verbose":false}\r\nPING\r\n')
  let said = ''
  socket.on('data', bytes => (said += String(bytes)))
  await until(() => said.includes('PONG'))
  line!.cut('both')
  socket.end('PUB raw.line 10\r\nlast words\r\n')
  await once(socket, 'close')
  await sendPast(direct, 'past')
  t.strictSame(await stored(), ['past'])
  line!.heal()
  await until(async () => (await stored()).includes('last words'))
  await line![Symbol.asyncDispose]()
})

void t.test('a directory that goes with its place', async t => {
  const place = await startPlace('lmdb')
  const { direct } = place
  t.strictSame(await place.lineFor(), { store: direct, line: undefined })
  if (direct.kind !== 'embedded') throw new Error('not a directory')
  await writeFile(join(direct.dir, 'file'), 'text')
  await place[Symbol.asyncDispose]()
  t.notOk(existsSync(direct.dir))
})

void t.test('a small disk can be filled and emptied', async t => {
  await using place = await startPlace('lmdb')
  const { disk, direct } = place
  if (disk === undefined || direct.kind !== 'embedded') {
    t.comment('no disk can be mounted here')
    return
  }
  const path = join(direct.dir, 'file')
  const text = 'x'.repeat(100_000)
  await disk.fill()
  await t.rejects(writeFile(path, text), { code: 'ENOSPC' })
  await disk.free()
  await writeFile(path, text)
  t.equal(await readFile(path, 'utf8'), text)
})

void t.test('a server on a full disk works again once it is restarted', async t => {
  await using place = await startPlace('nats')
  const { disk, servers } = place
  if (disk === undefined) {
    t.comment('no disk can be mounted here')
    return
  }
  const client = await open(place.direct)
  const manager = await client.jetstreamManager()
  await manager.streams.add({ name: stream, subjects: ['raw.>'] })
  const jetstream = client.jetstream({ timeout: 2_000 })
  const bytes = new Uint8Array(100_000)
  await jetstream.publish('raw.one', bytes)
  await disk.fill()
  await until(
    () =>
      jetstream.publish('raw.one', bytes).then(
        () => false,
        () => true,
      ),
    {
      describe: 'a write is refused',
    },
  )
  await disk.free()
  await servers[0]!.restart()
  await until(() => jetstream.publish('raw.one', bytes))
  await client.close()
})
