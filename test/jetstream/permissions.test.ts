// P6: two tenants in one account, with the permissions that `cairn acl` prints. A tenant's own data is accessible; everything else is refused, and nothing hangs.

import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { account } from '../../src/program/demo/account.js'
import { JetStreamDocuments } from '../../src/store/documents/jetstream.js'
import { NatsBus } from '../../src/bus/nats.js'
import { NatsTransport } from '../../src/cluster/nats.js'
import { CairnError } from '../../src/model/errors.js'
import { withTimeout } from '../../src/model/wait.js'
import { Connection } from '../../src/nats/connection.js'
import type { Role } from '../../src/nats/permissions.js'
import { callApi } from '../../src/nats/jetstream-api.js'
import { ensureLogStream } from '../../src/nats/log-stream.js'
import { logSubject } from '../../src/nats/subjects.js'
import { JetStreamQueue } from '../../src/store/queue/jetstream.js'
import { startNode } from '../../src/runtime/start-node.js'
import { JetStreamStore } from '../../src/store/event-store/jetstream.js'
import { collect, deposits, mustAppend } from '../contract/store/support.js'
import { aclConfig, loginOf } from '../support/acl.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { openNode, throwsCode } from './nodes.js'

await using server = await startNats({
  config: aclConfig(['tenant-a', 'tenant-b', 'tenant-c']),
})
const login = (namespace: string, role?: Role) => ({
  servers: server.url,
  ...loginOf(namespace, role),
})
const soon = <T>(work: Promise<T>) =>
  withTimeout(work, 5_000, () => new Error('it hangs where it should be refused'))
const actor = { type: 'account', id: 'alice' }
const nothing = new Uint8Array()

// Only operators may create streams.
for (const namespace of ['tenant-a', 'tenant-b']) {
  const made = jetstream(login(namespace, 'operator'))
  await (await made.open({ namespace, nodeId: 'operator' })).close()
}
const admin = await Connection.open(login('tenant-b', 'operator'), 'tenant-b', 'admin')
await using secret = await openNode(server.url, {
  ...login('tenant-b'),
  namespace: 'tenant-b',
})
await mustAppend(secret.store, actor, deposits(42))
t.teardown(() => admin.close())

await t.test('a tenant uses its own namespace as if it were alone', async t => {
  const open = (nodeId: string) =>
    jetstream(login('tenant-a')).open({ namespace: 'tenant-a', nodeId })
  const [one, two] = [await open('one'), await open('two')]
  const heard: number[] = []
  await two.bus.subscribeToEventStored('tenant-a', ({ version }) => heard.push(version))
  for (const i of [1, 2, 3])
    await mustAppend(one.store, actor, deposits(i), { expected: i - 1 })
  await until(() => heard.length === 3)
  t.strictSame(heard, [1, 2, 3])
  t.equal((await two.store.head(actor)).version, 3)
  t.equal((await collect(two.store.read(actor, { backwards: true }))).length, 3)
  t.equal((await collect(two.store.readAll())).length, 3)
  t.strictSame(await collect(two.store.actors()), [actor])
  const lost = await two.store.append(actor, deposits(9), { expected: 1 })
  t.match(lost, { ok: false, actual: 3 })
  const serving = await one.transport.serve('one', ['account'], async () => 'answered')
  t.equal(await two.transport.request({ kind: 'state', actor }), 'answered')
  await serving.stop()
  for (const node of [one, two]) await node.close()
})

await t.test('a tenant sends a command, and its node handles it', async t => {
  const { servers, user, password } = login('tenant-a')
  await using node = await startNode({
    namespace: 'tenant-a',
    store: jetstream({ servers, user, password }),
    actors: [account],
  })
  const receipt = await node.spawn(account, 'sent').send('deposit', { amount: 5 })
  t.match(receipt, { position: 1, duplicate: false })
  await until(() => node.stats().inbox.handled === 1, { timeout: 30_000 })
  t.strictSame((await node.spawn(account, 'sent').state()).state, { balance: 5 })
  const open = await jetstream(login('tenant-a')).open({
    namespace: 'tenant-a',
    nodeId: 'looker',
  })
  t.strictSame(await collect(open.queues.inbox.read()), [], 'its record is removed')
  await open.close()
})

await t.test("opening another's namespace is refused by name", async t => {
  const work = () =>
    jetstream(login('tenant-a')).open({ namespace: 'tenant-b', nodeId: 'spy' })
  await throwsCode(t, 'unauthorized', () => soon(work()), /tenant-b/)
})

await t.test('opening a namespace without a log names what is missing', async t => {
  const work = () =>
    jetstream(login('tenant-c')).open({ namespace: 'tenant-c', nodeId: 'first' })
  await throwsCode(
    t,
    'unauthorized',
    () => soon(work()),
    '$JS.API.STREAM.CREATE.CAIRN_tenant-c',
  )
})

await t.test("every access to another's data is refused, and none hangs", async t => {
  const connection = await Connection.open(login('tenant-a'), 'tenant-a', 'spy')
  // Simulates a tenant that got past opening: a store on the other's log.
  const stream = await ensureLogStream(admin, 'tenant-b')
  const spy = new JetStreamStore({
    namespace: 'tenant-b',
    nodeId: 'spy',
    connection,
    stream,
  })
  const inbox = new JetStreamQueue(connection, 'tenant-b', 'inbox')
  const documents = new JetStreamDocuments(connection, 'tenant-b')
  const record = { key: ['3', 'account', 'alice'], id: 'x', headers: [], body: nothing }
  const bus = new NatsBus(connection)
  const transport = new NatsTransport(connection, 'tenant-b')
  const handler = () => t.fail('it heard something')
  const works: [string, () => Promise<unknown>][] = [
    ['append', () => spy.append(actor, deposits(1))],
    ['append, blindly', () => spy.append(actor, deposits(1), { expected: 0 })],
    ['head', () => spy.head(actor)],
    ['read', () => collect(spy.read(actor))],
    ['read backwards', () => collect(spy.read(actor, { backwards: true }))],
    ['readAll', () => collect(spy.readAll())],
    ['actors', () => collect(spy.actors())],
    ['follow', () => collect(spy.follow())],
    ['notices', () => bus.subscribeToEventStored('tenant-b', handler)],
    ['commits', () => bus.subscribeToCommits('tenant-b', handler)],
    ['all notices', () => bus.subscribeAcrossNamespaces(handler)],
    ['ask', () => transport.request({ kind: 'state', actor })],
    ['serve', () => transport.serve('spy', ['account'], async () => 'forged')],
    ["put into the other's inbox", () => inbox.put(record)],
    ["read the other's inbox", () => collect(inbox.read())],
    [
      "remove from the other's inbox",
      () => callApi(connection, 'STREAM.MSG.DELETE.CAIRN_tenant-b_INBOX', { seq: 1 }),
    ],
    ["read where the other's groups stand", () => documents.get(['inbox', '3'])],
    ["move the other's groups", () => documents.put(['inbox', '3'], nothing, 0)],
    [
      "made-up news of one's own inbox",
      async () => {
        const subject = 'cairn.tenant-a.queued.inbox.3.account.alice'
        const reply = await connection.requests.request(subject, nothing, 2_000)
        if (reply.kind !== 'forbidden') t.fail(`publishing news: ${reply.kind}`)
        throw new CairnError('unauthorized', 'the server refused it')
      },
    ],
    ['purge', () => callApi(connection, 'STREAM.PURGE.CAIRN_tenant-b', undefined)],
    ['delete own', () => callApi(connection, 'STREAM.DELETE.CAIRN_tenant-a', undefined)],
    ['list', () => callApi(connection, 'STREAM.NAMES', undefined)],
    [
      'leader read',
      () => callApi(connection, 'STREAM.MSG.GET.CAIRN_tenant-b', { seq: 1 }),
    ],
    [
      "made-up notices of one's own",
      async () => {
        const subject = logSubject('tenant-a', actor, 16).replace('.log.', '.stored.')
        const reply = await connection.requests.request(subject, nothing, 2_000)
        if (reply.kind !== 'forbidden') t.fail(`publishing a notice: ${reply.kind}`)
        throw new CairnError('unauthorized', 'the server refused it')
      },
    ],
  ]
  for (const [what, work] of works) {
    t.comment(what)
    await throwsCode(t, 'unauthorized', () => soon(work()))
  }
  t.ok(connection.connected, 'the connection lives on')
  const own = await jetstream(login('tenant-a')).open({
    namespace: 'tenant-a',
    nodeId: 'own',
  })
  t.equal((await own.store.head(actor)).version, 3, 'and its own is untouched')
  await own.close()
  t.equal((await secret.store.head(actor)).version, 1, "as is the other's")
  await spy.close()
  await connection.close()
})
