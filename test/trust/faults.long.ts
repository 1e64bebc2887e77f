import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { connect } from 'nats'
import t, { type Test } from 'tap'

import { logStream } from '../../src/nats/subjects.js'
import { randomFrom } from '../../src/testing/random.js'
import { until } from '../support/wait.js'
import { fullDisk } from './faults/disk.js'
import { everywhere, type Fault, faultContext } from './faults/fault.js'
import { allFaults } from './faults/faults.js'
import { freezeShort } from './faults/freezes.js'
import { never, runNemesis } from './faults/nemesis.js'
import { deploy } from './faults/rolls.js'
import { leaderOf, stepDown, untilCurrent } from './faults/streams.js'
import { type Entry, Journal, now, type Place } from './history.js'
import type { TrustPlace } from './place.js'
import { startPlace } from './places/start.js'
import { Processes, type TrustProcess } from './processes.js'

const fake = new URL('./support-programs/fake.mjs', import.meta.url)

const namespaces = ['one', 'two']

async function setUp(t: Test, where: Place = 'lmdb', smallDisk = false) {
  const folder = t.testdir()
  const place = await startPlace(where, { smallDisk })
  const journal = new Journal(folder, 'main')
  const processes = new Processes({
    folder,
    seed: 7,
    namespaces,
    place,
    journal,
    programs: { host: fake, client: fake },
  })
  t.teardown(async () => {
    await processes.close()
    await place[Symbol.asyncDispose]()
  })
  const entries = async () =>
    (await readFile(join(folder, 'main.jsonl'), 'utf8'))
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Entry)
  const faults = async () => (await entries()).filter(entry => entry.kind === 'fault')
  const ended = new AbortController()
  const context = faultContext({ processes, place, journal, signal: ended.signal })
  return { folder, place, journal, processes, faults, entries, context, ended }
}

const stateOf = async ({ pid }: TrustProcess) =>
  /^State:\s+(\S)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]

const echo = async (process: TrustProcess, say = 'hello') =>
  process.ask({ kind: 'echo', say }, 30_000)

void t.test('a process is told who it is, and answers', async t => {
  const { processes, folder, place } = await setUp(t)
  const host = await processes.start('host', 'h1', { code: 'new', nodeId: 'n7' })
  const answers = await Promise.all([echo(host, 'a'), echo(host, 'b')])
  t.match(answers, [{ said: 'a' }, { said: 'b' }], 'each answer belongs to its question')
  t.match(answers[0], {
    trust: {
      role: 'host',
      name: 'h1',
      folder,
      seed: 7,
      namespaces: ['one', 'two'],
      store: place.direct,
      code: 'new',
      nodeId: 'n7',
    },
  })
  t.match(await readFile(join(folder, 'h1.out'), 'utf8'), 'host h1 starts')
  await t.rejects(host.ask({ kind: 'nothing' }, 50), { message: /h1 did not answer/ })
})

void t.test('those that live are listed, by role', async t => {
  const { processes } = await setUp(t)
  const host = await processes.start('host', processes.nextName('host'))
  await processes.start('client', processes.nextName('client'))
  const names = (role?: 'host') => processes.list(role).map(({ name }) => name)
  t.strictSame(names(), ['h1', 'c1'])
  t.strictSame(names('host'), ['h1'])
  await host.kill()
  t.strictSame(names(), ['c1'])
  t.equal(await host.ended, null, 'a signal ended it')
  host.tell({ kind: 'echo' })
  host.freeze()
  await t.rejects(echo(host), { message: /has ended/ })
  t.equal(processes.nextName('host'), 'h2')
})

void t.test('a process that does not start fails with what it said', async t => {
  const { processes, faults } = await setUp(t)
  await t.rejects(processes.start('host', 'broken'), {
    message: /ended with 3[^]*it is broken/,
  })
  t.strictSame(processes.list(), [])
  t.strictSame(await faults(), [])
})

void t.test('a frozen process does nothing until it is thawed', async t => {
  const { processes } = await setUp(t)
  const host = await processes.start('host', 'h1')
  host.freeze()
  await until(async () => (await stateOf(host)) === 'T')
  let isAnswered = false
  const answer = echo(host).then(() => (isAnswered = true))
  t.notOk(isAnswered)
  host.thaw()
  await answer
  host.freeze()
  await host.kill()
  t.notOk(host.isAlive, 'a frozen one can be killed')
})

void t.test('SIGTERM ends a process, and a bad end is in the history', async t => {
  const { processes, faults, folder } = await setUp(t)
  const good = await processes.start('host', 'good')
  good.freeze()
  t.equal(await good.stop(), 0, 'also a frozen one')
  t.equal(await good.stop(), 0, 'a second time, nothing happens')
  const bad = await processes.start('host', 'bad', { code: 'new' })
  t.equal(await bad.stop(), 4)
  const wild = await processes.start('client', 'wild')
  wild.tell({ kind: 'exit', code: 5 })
  await wild.ended
  const quiet = await processes.start('client', 'quiet')
  quiet.tell({ kind: 'exit', code: 0 })
  await quiet.ended
  t.match(await faults(), [
    { fault: 'drain-failed', target: 'bad' },
    { fault: 'unexpected-end', target: 'wild' },
  ])
  t.equal((await faults()).length, 2)
  t.match(await readFile(join(folder, 'wild.out'), 'utf8'), /unexpected-end.*code 5/)
})

void t.test('a process with a clock of its own', async t => {
  const { processes } = await setUp(t)
  const host = await processes.start('host', 'h1', { clock: 'fake' })
  if (!host.hasFakeClock) {
    t.comment('there is no libfaketime here')
    return
  }
  const ahead = async () => ((await echo(host)) as { time: number }).time - Date.now()
  t.ok(Math.abs(await ahead()) < 1_800_000)
  host.shiftClock(3_600_000)
  t.ok((await ahead()) > 1_800_000)
  host.shiftClock(-3_600_000)
  t.ok((await ahead()) < -1_800_000)
  host.shiftClock(0)
  t.ok(Math.abs(await ahead()) < 1_800_000)
})

void t.test('what processes use is sampled', async t => {
  const { processes, entries } = await setUp(t)
  await processes.start('host', 'h1')
  const sample = await until(async () =>
    (await entries()).find(entry => entry.kind === 'sample'),
  )
  t.match(sample, { of: 'h1', process: 'main' })
  t.ok(sample.kind === 'sample' && sample.rss > 1_000_000 && sample.files > 3)
})

void t.test('nemesis heals everything after a fault that throws', async t => {
  const { processes, context, faults, place, ended } = await setUp(t, 'nats')
  await Promise.all([
    context.startHost(),
    context.startHost(),
    processes.start('client', processes.nextName('client')),
  ])
  const broken: Fault = {
    name: 'broken',
    places: everywhere,
    async inject({ processes, place }) {
      const [first, second] = processes.list('host')
      first!.freeze()
      await second!.kill()
      const [client] = processes.list('client')
      client!.line!.cut('both')
      await place.servers[0]!.kill()
      throw new Error('it is broken')
    },
  }
  const reports: string[] = []
  const probe = async () => {
    const alive = processes.list()
    t.strictSame(
      alive.map(({ role }) => role).toSorted(),
      ['client', 'host', 'host'],
      'as many run as before',
    )
    await Promise.all(alive.map(process => echo(process)))
    const { store, line } = await place.lineFor()
    if (store.kind !== 'jetstream') throw new Error('no servers')
    const connection = await connect({ servers: [...store.servers] })
    await connection.close()
    await line![Symbol.asyncDispose]()
    ended.abort()
  }
  const result = await runNemesis({
    context,
    random: randomFrom(7, 'nemesis'),
    until: now() + 600_000,
    probe,
    faults: [broken],
    report: text => reports.push(text),
  })
  t.match(result, { failed: 1, unrecovered: 0, injected: new Map([['broken', 1]]) })
  t.match(reports, [/broken failed: Error: it is broken/])
  t.match(await faults(), [
    { fault: 'broken', phase: 'healed' },
    { fault: 'broken', phase: 'recovered', after: Number },
    { fault: 'the last one', phase: 'recovered', after: Number },
  ])
})

void t.test('a probe that fails is in the history', async t => {
  const { context, faults, ended } = await setUp(t)
  await context.startHost()
  const result = await runNemesis({
    context,
    random: randomFrom(7, 'nemesis'),
    until: now() + 600_000,
    faults: [freezeShort],
    report: () => {},
    probe() {
      ended.abort()
      return Promise.reject(new Error('nothing works'))
    },
  })
  t.equal(result.unrecovered, 2)
  t.match(await faults(), [
    { fault: 'host-freeze-short', target: 'h1', phase: 'begun' },
    { fault: 'host-freeze-short', target: 'h1', phase: 'healed' },
    { fault: 'host-freeze-short', phase: 'recovered', after: never },
    { fault: 'the last one', phase: 'recovered', after: never },
  ])
})

void t.test('a deployment runs both codes, and ends with the one before', async t => {
  const { context, processes, faults } = await setUp(t)
  for (let i = 0; i < 3; i++) await context.startHost()
  const codes = () => processes.list('host').map(({ settings }) => settings.code ?? 'old')
  let isMixed = false
  const holding = {
    ...context,
    hold() {
      isMixed ||= new Set(codes()).size > 1
      return Promise.resolve()
    },
  }
  await deploy.inject(holding, randomFrom(7, 'deploy'))
  t.ok(isMixed)
  t.strictSame(codes(), ['old', 'old', 'old'])
  const [begun, ...others] = await faults()
  t.match(begun, { fault: 'hosts-deploy', phase: 'begun' })
  t.match(others.at(-1), { fault: 'hosts-deploy', phase: 'healed' })
})

/** The logs of the namespaces, past every line. */
async function withLogs(place: TrustPlace) {
  if (place.direct.kind !== 'jetstream') throw new Error('no servers')
  const { servers, replicas } = place.direct
  const connection = await connect({
    servers: [...servers],
    ignoreClusterUpdates: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
  })
  const manager = await connection.jetstreamManager({ timeout: 10_000 })
  for (const namespace of namespaces)
    await manager.streams.add({
      name: logStream(namespace),
      subjects: [`cairn.${namespace}.log.>`],
      num_replicas: replicas,
    })
  return { connection, manager }
}

for (const where of ['nats', 'r3', 'lmdb'] as const)
  void t.test(`each fault that fits ${where} leaves all as it was`, async t => {
    const { context, processes, place } = await setUp(t, where)
    if (where !== 'lmdb') await (await withLogs(place)).connection.close()
    await Promise.all([context.startHost({ clock: 'fake' }), context.startHost()])
    await processes.start('client', processes.nextName('client'))
    // Each hold is over at once.
    const hurried = { ...context, hold: () => Promise.resolve() }
    for (const fault of allFaults) {
      if (!fault.places.includes(where) || fault.isPossible?.(context) === false) continue
      await fault.inject(hurried, randomFrom(7, fault.name))
      t.equal(processes.list('host').length, 2, `${fault.name}: hosts`)
      t.equal(processes.list('client').length, 1, `${fault.name}: clients`)
      await Promise.all(processes.list().map(process => echo(process)))
      for (const { pid } of place.servers) process.kill(pid, 0)
    }
  })

void t.test('the leader of a log is known, and steps down', async t => {
  const { context, place } = await setUp(t, 'r3')
  await (await withLogs(place)).connection.close()
  const first = await until(() => leaderOf(context, 'one'))
  await until(async () => {
    await stepDown(context, 'one')
    const next = await leaderOf(context, 'one')
    return next !== undefined && next !== first
  })
  await untilCurrent(context)
  t.equal(await leaderOf(context, 'none'), undefined)
  t.equal(await stepDown(context, 'none'), false)
})

void t.test('after a full disk the server stores again', async t => {
  const { context, place } = await setUp(t, 'nats', true)
  if (place.disk === undefined) {
    t.comment('no disk can be mounted here')
    return
  }
  const { connection } = await withLogs(place)
  const write = async () => {
    const jetstream = connection.jetstream({ timeout: 1_000 })
    await jetstream.publish('cairn.one.log.0.a.b', new Uint8Array(50_000))
    return true
  }
  await write()
  const isRefused = () =>
    write().then(
      isStored => !isStored,
      () => true,
    )
  const holding = {
    ...context,
    async hold() {
      await until(isRefused, { describe: 'a write is refused' })
    },
  }
  await fullDisk.inject(holding, randomFrom(7, 'disk'))
  t.ok(await until(write))
  t.notOk(place.disk.isFull)
  await connection.close()
})
