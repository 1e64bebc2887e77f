// cairn doctor: each planted fault is found, by name, and nothing is found on a healthy system.

import { chmod, open as openFile, readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, headers as natsHeaders, StorageType } from 'nats'
import t, { type Test } from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { publish, schedule } from '../../src/actor/effects.js'
import { event } from '../../src/actor/event.js'
import type { Backend } from '../../src/backend/backend.js'
import { embedded } from '../../src/backend/embedded.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { examine } from '../../src/cli/doctor/examine.js'
import type { Finding } from '../../src/cli/doctor/finding.js'
import { encode } from '../../src/codec/msgpack.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { defineTopic } from '../../src/model/topic.js'
import { defineProjection } from '../../src/projection/define-projection.js'
import { startNode } from '../../src/runtime/start-node.js'
import { cairn, startNode as startProcess } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { homesOf, jsonLines } from './support.js'

const patience = { timeout: 60_000 }
const day = 86_400_000
const counted = defineTopic('counted')
const meter = (version = 1, factor = 1) =>
  defineActor({
    type: 'meter',
    version,
    publishes: [counted],
    initialState: 0,
    decide: {
      count: (_state, n: number) => [
        event('counted', n),
        publish(counted, n),
        schedule('later', { after: day }, 'count', 1),
      ],
    },
    evolve: {
      counted: (state, n: number) => {
        if (n > 99) throw new Error('too many')
        return state + n * factor
      },
    },
  })
const mails = defineReactor({ name: 'mails', on: counted, handle() {} })
const sums = defineProjection({
  name: 'sums',
  from: meter(),
  initial: 0,
  when: { counted: (sum, { data }) => sum + data },
})

await using server = await startNats()
const nc = await connect({ servers: server.url })
t.teardown(() => nc.close())
const { streams } = await nc.jetstreamManager()
const js = nc.jetstream()
const dir = t.testdir({ homes: {}, files: {}, foreign: {} })
const homes = homesOf(server, join(dir, 'homes'))
const store = jetstream({ servers: server.url })
const where = ['--nats', server.url]

/** A namespace that a node has used; `whileOpen` runs before the node closes. */
async function used(
  namespace: string,
  at: Backend = store,
  whileOpen = async () => {},
): Promise<void> {
  const definition = meter()
  await using node = await startNode({
    namespace,
    store: at,
    actors: [definition],
    projections: [sums],
    reactors: [mails],
  })
  for (const id of ['a', 'b']) await node.spawn(definition, id).ask('count', 1)
  await until(() => node.stats().courier.handled === 2, patience)
  await until(() => node.stats().reactors['mails']?.handled === 2, patience)
  await until(async () => (await node.projection(sums).status()).builds[0]?.lag === 0, {
    ...patience,
  })
  await whileOpen()
}

interface Looked {
  readonly definitions?: ReturnType<typeof meter>[]
  readonly limit?: number
  readonly servers?: string
}

async function found(namespace: string, looked: Looked = {}): Promise<Finding[]> {
  const { definitions = [meter()], limit = 1_000, servers = server.url } = looked
  const findings: Finding[] = []
  const examined = {
    backend: jetstream({ servers }),
    namespace,
    nodeId: 'doctor',
    nats: { servers },
    definitions,
    limit,
    signal: new AbortController().signal,
    onProgress() {},
  }
  for await (const finding of examine(examined)) findings.push(finding)
  return findings
}

const names = (findings: Iterable<Finding>) => [...findings].map(({ check }) => check)

type Wanted = readonly [
  severity: Finding['severity'],
  check: string,
  place: RegExp,
  problem?: RegExp,
]

/** Exactly these are found, in any order, each with what it means and what to do about it. */
function areFound(
  t: Test,
  findings: readonly Finding[],
  wanted: readonly Wanted[],
): void {
  const left = [...findings]
  for (const [severity, check, place, problem = /./] of wanted) {
    const i = left.findIndex(
      one =>
        one.severity === severity &&
        one.check === check &&
        place.test(one.place) &&
        problem.test(one.problem),
    )
    t.not(i, -1, `${severity} ${check} ${String(place)} is found`)
    if (i === -1) continue
    const [{ means, remedy }] = left.splice(i, 1) as [Finding]
    t.ok(means.length > 10 && remedy.length > 10, `${check} says what to do`)
  }
  t.strictSame(left, [], 'nothing else is found')
}

for (const { name, store: at, flags } of homes)
  await t.test(`nothing is found on a healthy system, on ${name}`, async t => {
    await used('healthy', at, async () => {
      const running = await cairn('doctor', '--ns', 'healthy', ...flags)
      t.match(running, { code: 0, stdout: '' }, running.stdout)
    })
    const ended = await cairn('doctor', '--ns', 'healthy', ...flags)
    t.match(ended, { code: 0, stdout: '', stderr: /Nothing is wrong/ }, ended.stdout)
    if (name === 'JetStream')
      for (const limit of [1, 1_000]) areFound(t, await found('healthy', { limit }), [])
    // Of a namespace in which no node ran yet.
    await cairn('append', 'note/n', 'noted', '--ns', 'written', ...flags)
    const written = await cairn('doctor', '--ns', 'written', ...flags, '--json')
    t.match(written, { code: 0, stdout: '' }, written.stdout)
  })

await t.test('records and documents', async t => {
  const ns = 'planted'
  await used(ns)
  const { seq, header, data, subject } = await streams.getMessage(`CAIRN_${ns}`, {
    seq: 1,
  })
  const again = natsHeaders()
  for (const [key, values] of header)
    if (!key.startsWith('Nats-')) again.set(key, values[0]!)
  t.equal(seq, 1)
  await js.publish(subject, data, { headers: again })
  for (const garbage of [
    `cairn.${ns}.log.0.meter.x`,
    `cairn.${ns}.inbox.0.meter.x`,
    `cairn.${ns}.topic.0.noted`,
    `cairn.${ns}.dead.reactor.mails`,
    `cairn.${ns}.due.0.meter.x`,
    ...['courier.0', 'inbox.0', 'publishers', 'topics.counted', 'minimum-versions'].map(
      key => `$KV.CAIRN_${ns}_GROUPS.${key}`,
    ),
    `$KV.CAIRN_${ns}_GROUPS.consumer.erp`,
    `$KV.CAIRN_${ns}_GROUPS.readers.mails`,
    `$KV.CAIRN_${ns}_GROUPS.reactor.mails.log.0`,
    `$KV.CAIRN_${ns}_GROUPS.projection.sums`,
  ])
    await js.publish(garbage, 'garbage')
  await js.publish(`$KV.CAIRN_${ns}_GROUPS.courier.1`, encode({ version: 99 }))
  {
    await using open = await store.open({ namespace: ns, nodeId: 'fast' })
    const at = Date.now() + 3_600_000
    await open.store.append({ type: 'note', id: 'n' }, [{ type: 'noted', data: 1 }], {
      at,
    })
  }
  areFound(t, await found(ns, { definitions: [] }), [
    ['critical', 'version-gap', /^meter\/a at position 3/],
    ['critical', 'log-record', /position 4/],
    ['watch', 'clock-ahead', /node fast/],
    ['critical', 'inbox-unreadable', /inbox position 1/],
    ['critical', 'topic-unreadable', /topic position 1/],
    ['critical', 'dead-letter-unreadable', /dead letter 1/],
    ['critical', 'timer-unreadable', /due timer/],
    ['critical', 'document-damaged', /courier\.0/],
    ['watch', 'document-newer', /courier\.1/],
    ['critical', 'document-damaged', /inbox\.0/],
    ['critical', 'document-damaged', /publishers/],
    ['critical', 'document-damaged', /topics\.counted/],
    ['critical', 'document-damaged', /minimum-versions/],
    ['critical', 'document-damaged', /consumer\.erp/],
    ['critical', 'document-damaged', /projection\.sums/],
    ['critical', 'document-damaged', /readers\.mails/],
    ['critical', 'document-damaged', /reactor\.mails\.log\.0/],
    ['watch', 'backlog-unknown', /namespace planted/],
  ])
})

await t.test('streams', async t => {
  const ns = 'streams'
  await used(ns)
  const change = async (stream: string, part: object) => {
    const { config } = await streams.info(stream)
    await streams.update(stream, { ...config, ...part })
  }
  const { state } = await streams.info(`CAIRN_${ns}`)
  const full = Math.floor(state.bytes / 0.9)
  await change(`CAIRN_${ns}`, { max_msgs: 1_000, max_bytes: full })
  await change(`CAIRN_${ns}_INBOX`, { deny_delete: true })
  await change(`CAIRN_${ns}_TOPICS`, { no_ack: true })
  const { config } = await streams.info(`CAIRN_${ns}_DLQ`)
  await streams.delete(`CAIRN_${ns}_DLQ`)
  await streams.add({ ...config, storage: StorageType.Memory })
  await streams.delete(`KV_CAIRN_${ns}_VIEWS`)
  const ended = await cairn('doctor', '--ns', ns, ...where, '--json')
  t.equal(ended.code, 1)
  areFound(t, jsonLines<Finding & Record<string, unknown>>(ended), [
    ['critical', 'stream-drift', /^CAIRN_streams$/, /max_msgs/],
    ['watch', 'limit-near', /^CAIRN_streams$/, /max_bytes/],
    ['critical', 'stream-locked', /_INBOX$/],
    ['critical', 'stream-drift', /_TOPICS$/, /no_ack/],
    ['critical', 'stream-drift', /_DLQ$/, /storage/],
    ['critical', 'stream-missing', /_VIEWS$/],
    ['critical', 'foreign-stream', /namespace streams/, /max_msgs/],
  ])
})

await t.test('a log that is older than what was made of it, and lost timers', async t => {
  const ns = 'restored'
  await used(ns)
  for (const stream of [`CAIRN_${ns}`, `CAIRN_${ns}_TIMERS`]) {
    const { config } = await streams.info(stream)
    await streams.delete(stream)
    await streams.add(config)
  }
  areFound(t, await found(ns), [
    ['critical', 'checkpoint-ahead', /courier on log/],
    ['critical', 'checkpoint-ahead', /mails on log/],
    ['critical', 'projection-ahead', /projection sums, build 1/],
    ['critical', 'timers-incomplete', /_TIMERS/],
  ])
})

await t.test('states, nodes and work', async t => {
  const ns = 'works'
  await used(ns)
  areFound(t, await found(ns, { definitions: [meter(1, 2)] }), [
    ['critical', 'state-fold', /meter\/a at version 1/, /another state/],
    ['critical', 'state-fold', /meter\/b at version 1/, /another state/],
  ])
  await cairn('send', 'meter/b', 'nothing', '--ns', ns, ...where)
  const waits = await cairn('doctor', '--ns', ns, ...where)
  t.match(waits, {
    code: 5,
    stdout: /^watch {2}no-node {2}namespace works {2}.*\n {2}No/,
  })
  {
    await using open = await store.open({ namespace: ns, nodeId: 'test' })
    await open.store.append({ type: 'meter', id: 'a' }, [{ type: 'counted', data: 100 }])
    await using _node = await startNode({
      namespace: ns,
      store,
      actors: [meter()],
      projections: [],
      log: false,
    })
    await open.documents.put(
      ['minimum-versions'],
      encode({ wire: 1, actors: { meter: 2 } }),
      0,
    )
    await until(async () => names(await found(ns)).includes('group-backlog'), patience)
    areFound(t, await found(ns), [
      ['critical', 'state-fold', /meter\/a at version 2/, /too many/],
      ['watch', 'group-backlog', /inbox/, /1 (failing|dead)/],
      ['watch', 'node-behind', /nodes/, /version 1 of meter/],
    ])
  }
})

await t.test('a server without JetStream, and a user without permission', async t => {
  await using bare = await startNats({ jetstream: false })
  areFound(t, await found('none', { servers: bare.url }), [
    ['critical', 'no-jetstream', /server/],
  ])
  await used('forbidden')
  await server.reload({
    users: [
      {
        user: 'reader',
        password: 'x',
        permissions: {
          publish: ['$JS.API.STREAM.INFO.>'],
          subscribe: ['_INBOX.>'],
        },
      },
    ],
  })
  const servers = server.url.replace('//', '//reader:x@')
  areFound(t, await found('forbidden', { servers }), [
    ['critical', 'unauthorized', /server|namespace/],
  ])
  await server.reload({ users: [] })
})

await t.test('files', async t => {
  const home = join(dir, 'files')
  const at = ['--ns', 'broken', '--embedded', home]
  {
    await using open = await embedded({ dir: home }).open({
      namespace: 'broken',
      nodeId: 'test',
    })
    const data = 'x'.repeat(9_000)
    await open.store.append({ type: 'note', id: 'n' }, [{ type: 'noted', data }])
  }
  const path = join(home, 'broken.lmdb')
  const bytes = await readFile(path)
  const file = await openFile(path, 'r+')
  await file.write('y', bytes.indexOf('x'.repeat(9_000)) + 5_000)
  await file.close()
  const flipped = await cairn('doctor', ...at, '--json')
  t.equal(flipped.code, 1, flipped.stderr)
  areFound(t, jsonLines<Finding & Record<string, unknown>>(flipped), [
    ['watch', 'file-not-closed', /broken\.lmdb/],
    ['critical', 'place-damaged', /record 1 of broken\.lmdb/],
    ['critical', 'log-record', /position 1/, /checksum/],
  ])
  await truncate(path, 8_192)
  const cut = await cairn('doctor', ...at, '--json')
  t.equal(cut.code, 1, cut.stderr)
  areFound(t, jsonLines<Finding & Record<string, unknown>>(cut), [
    ['watch', 'file-not-closed', /broken\.lmdb/],
    ['critical', 'damaged-file', /namespace broken/],
  ])
  await chmod(home, 0o777)
  const opened = await cairn('doctor', ...at, '--json')
  areFound(t, jsonLines<Finding & Record<string, unknown>>(opened), [
    ['watch', 'file-not-closed', /broken\.lmdb/],
    ['critical', 'foreign-directory', /namespace broken/],
  ])
})

await t.test('a file whose process was killed, once', async t => {
  const at = ['--ns', 'killed', '--embedded', join(dir, 'killed')]
  const node = await startProcess(...at)
  const running = await cairn('doctor', ...at)
  t.match(running, { code: 0, stdout: '' }, 'a living process has it open')
  await node.kill()
  const killed = await cairn('doctor', ...at, '--json')
  t.equal(killed.code, 5, killed.stderr)
  areFound(t, jsonLines<Finding & Record<string, unknown>>(killed), [
    ['watch', 'file-not-closed', /killed\.lmdb/],
  ])
  t.match(await cairn('doctor', ...at), { code: 0, stdout: '' }, 'it was checked')
})
