// P1, P3, P4 when commits of different actors share a batch: whatever its outcome, each commit gets
// the result that it would have got alone.

import t from 'tap'
import { headers } from 'nats'

import type { CommitStored } from '../../src/bus/notice.js'
import type { ActorAddress } from '../../src/model/address.js'
import { newId } from '../../src/model/id.js'
import { logSubject } from '../../src/nats/subjects.js'
import { jetstream } from '../../src/backend/jetstream.js'
import type {
  AppendOptions,
  AppendResult,
} from '../../src/store/event-store/event-store.js'
import { actorOf, deposits, mustAppend } from '../contract/store/support.js'
import { startNats } from '../support/nats.js'
import { startProxy } from '../support/proxy.js'
import { until } from '../support/wait.js'
import {
  freshNamespace,
  Ledger,
  type Node,
  openNode,
  randomOf,
  readHistory,
  throwsCode,
} from './nodes.js'
import { scenesOn } from './scene.js'

await using server = await startNats({ syncInterval: 'always' })
const riding = { groupCommit: 'on', groupMin: 2 } as const

const actorsOf = (count: number): ActorAddress[] =>
  Array.from({ length: count }, (_, i) => actorOf(`a${i}`))

const open = (url: string, namespace = freshNamespace(), groupMin = 2) =>
  openNode(url, { namespace, ...riding, groupMin })

/** Appends to all of them at once. The first is sent alone, the others share a batch. */
const appendToAll = (
  { store }: Node,
  actors: readonly ActorAddress[],
  expected: number,
  options: AppendOptions = {},
): Promise<AppendResult[]> =>
  Promise.all(
    actors.map(actor => store.append(actor, deposits(1), { ...options, expected })),
  )

await t.test('concurrent commits are stored as one batch', async t => {
  await using node = await open(server.url)
  const { store, bus } = node
  const notices: CommitStored[] = []
  await bus.subscribeToCommits(store.namespace, notice => void notices.push(notice))
  const actors = actorsOf(30)
  const results = await appendToAll(node, actors, 0)
  t.match(store.groupStats(), { active: true, groups: 1, commits: 29, takenApart: 0 })

  const { commits, dense } = await readHistory(store)
  t.strictSame(dense, [])
  t.strictSame(
    results,
    actors.map((actor, i) => ({
      ok: true,
      actor,
      firstVersion: 1,
      version: 1,
      position: i + 1,
      commitId: commits[i]!.id,
    })),
    'each gets its own position',
  )
  t.ok(
    commits.every(({ transactionId }) => transactionId === undefined),
    'they are not a transaction',
  )
  await until(() => notices.length === 30, { describe: 'every commit is announced' })
  t.strictSame(
    notices.map(({ actor, position, header, previousPosition }) => [
      actor.id,
      position,
      header.commitId,
      previousPosition,
    ]),
    commits.map(({ actor, position, id }) => [actor.id, position, id, 0]),
  )
  t.strictSame(
    actors.map(actor => store.cachedVersion(actor)),
    actors.map(() => 1),
    'and each is cached as without a batch',
  )
})

await t.test('a single commit is sent alone', async t => {
  await using node = await open(server.url)
  for (const [i, actor] of actorsOf(5).entries())
    t.match(await mustAppend(node.store, actor, deposits(1)), { position: i + 1 })
  t.match(node.store.groupStats(), { groups: 0, commits: 0 })
})

await t.test('a conflict of some commits in a group affects only them', async t => {
  const namespace = freshNamespace()
  await using node = await open(server.url, namespace, 4)
  await using other = await openNode(server.url, { namespace })
  const actors = actorsOf(40)
  await appendToAll(node, actors, 0)
  const moved = [3, 4, 21].map(i => actors[i]!)
  for (const actor of moved) await mustAppend(other.store, actor, deposits(2, 3))
  const reads: string[] = []
  const gets = await other.connection.subscribe(
    `$JS.API.DIRECT.GET.CAIRN_${namespace}.>`,
    ({ subject }) => void reads.push(subject),
  )
  const results = await appendToAll(node, actors, 1)
  await other.connection.nc.flush()
  t.equal(reads.length, 3, 'and nobody else has to look where it stands')
  gets.unsubscribe()
  t.strictSame(
    results.filter(result => !result.ok),
    moved.map(actor => ({ ok: false, actor, expected: 1, actual: 3 })),
  )
  t.equal(results.filter(result => result.ok).length, 37)
  const { takenApart, commits } = node.store.groupStats()
  t.ok(takenApart > 0 && commits > 39, 'they rode together, also after the refusal')
  const history = await readHistory(other.store)
  t.strictSame(history.dense, [])
  t.equal(history.commits.length, 40 + 3 + 37)
  t.match(await appendToAll(node, moved, 3), [{ ok: true }, { ok: true }, { ok: true }])
})

await t.test(
  'two nodes that race in groups for the same actors: the log matches every result',
  async t => {
    const namespace = freshNamespace()
    const nodes = [
      await open(server.url, namespace, 3),
      await open(server.url, namespace, 3),
    ]
    const ledger = new Ledger()
    const actors = actorsOf(24)
    await Promise.all(
      nodes.flatMap((node, n) =>
        actors.map(async (actor, i) => {
          const random = randomOf(100 * n + i)
          let known: number | 'any' = 'any'
          for (let turn = 0; turn < 8; turn++) {
            const expected = random() < 0.5 ? known : 'any'
            const result = await ledger.write(node.store, actor, expected)
            if (result instanceof Error) throw result
            known = result.ok ? result.version : result.actual
          }
        }),
      ),
    )
    await ledger.check(t, nodes[0]!.store)
    t.equal(ledger.unknown.size, 0)
    t.ok(nodes.every(({ store }) => store.groupStats().commits > 0))
    for (const node of nodes) await node[Symbol.asyncDispose]()
  },
)

await t.test(
  'a server that is killed amid groups keeps each acknowledged commit once',
  async t => {
    await using mortal = await startNats({ syncInterval: 'always' })
    await using node = await open(mortal.url)
    const ledger = new Ledger()
    let over = false
    const writers = actorsOf(40).map(async (actor, i) => {
      const random = randomOf(i)
      let known: number | 'any' = 'any'
      while (!over) {
        const result = await ledger.write(
          node.store,
          actor,
          random() < 0.5 ? known : 'any',
        )
        if (result instanceof Error) known = 'any'
        else known = result.ok ? result.version : result.actual
      }
    })
    for (let kills = 0; kills < 3; kills++) {
      const { groups } = node.store.groupStats()
      const isFurther = () => node.store.groupStats().groups > groups + 3
      await until(isFurther, { timeout: 30_000, describe: 'groups are stored' })
      const isOut = () => node.connection.requests.inFlight > 0
      await until(isOut, { interval: 1, describe: 'a group is out' })
      await mortal.kill()
      await mortal.restart()
    }
    const goal = ledger.acknowledged.size + 80
    await until(() => ledger.acknowledged.size >= goal, { timeout: 30_000 })
    over = true
    await Promise.all(writers)
    await ledger.check(t, node.store)
    t.comment(ledger.summary())
  },
)

const scene = scenesOn(server.url, riding)

const isStored = ({ store }: Node, position: number) =>
  until(async () => (await store.lastPosition()) === position, {
    describe: `${position} records are stored`,
  })

await scene(
  'a group whose answer is lost is resolved commit by commit, and stored once',
  async (t, { proxy, writer, other }) => {
    const actors = actorsOf(20)
    proxy.dropReplies(true)
    const work = appendToAll(writer, actors, 0)
    await isStored(other, 20)
    // Other writers append after some of them.
    for (const actor of actors.slice(5, 8))
      await mustAppend(other.store, actor, deposits(7), { expected: 1 })
    proxy.dropReplies(false)
    t.strictSame(
      (await work).map(result => result.ok && [result.version, result.position]),
      actors.map((_, i) => [1, i + 1]),
    )
    const { commits, dense } = await readHistory(other.store)
    t.strictSame(dense, [])
    t.equal(commits.length, 23)
    const { takenApart } = writer.store.groupStats()
    t.equal(takenApart, 0, 'they are sent again alone: what is stored would end a group')
  },
)

await scene(
  'a group lost in transit is stored, except where another writer was faster',
  async (t, { proxy, writer, other }) => {
    const actors = actorsOf(20)
    proxy.pause()
    const work = appendToAll(writer, actors, 0)
    await until(() => writer.connection.requests.inFlight === 2, {
      describe: 'one alone and a group are out',
    })
    await mustAppend(other.store, actors[9]!, deposits(9))
    proxy.cut()
    proxy.resume()
    const results = await work
    t.strictSame(
      results.filter(result => !result.ok),
      [{ ok: false, actor: actors[9], expected: 0, actual: 1 }],
    )
    const { commits, dense } = await readHistory(other.store)
    t.strictSame(dense, [])
    t.equal(commits.length, 20)
  },
)

await scene(
  'a signal and a deadline end one commit of a group that was sent, and the others continue',
  async (t, { proxy, writer, other }) => {
    const actors = actorsOf(20)
    const [impatient, stopped, ...rest] = actors
    proxy.dropReplies(true)
    const first = mustAppend(writer.store, actorOf('first'), deposits(1), { expected: 0 })
    const stop = new AbortController()
    const late = throwsCode(
      t,
      'outcome-unknown',
      () => writer.store.append(impatient!, deposits(1), { expected: 0, timeout: 300 }),
      'account/a0',
    )
    const ended = throwsCode(
      t,
      'outcome-unknown',
      () =>
        writer.store.append(stopped!, deposits(1), { expected: 0, signal: stop.signal }),
      'account/a1',
    )
    const work = appendToAll(writer, rest, 0)
    await until(async () => (await other.store.head(rest.at(-1)!)).version === 1, {
      describe: 'the group is stored',
    })
    stop.abort()
    await ended
    await late
    proxy.dropReplies(false)
    t.ok((await work).every(result => result.ok))
    await first
    const { commits } = await readHistory(other.store)
    t.equal(commits.length, 21, 'all of them are there, once')
  },
)

await scene(
  'a signal and a deadline end a commit that still waits for the previous group: it is not stored',
  async (t, { proxy, writer, other }) => {
    const actors = actorsOf(10)
    proxy.dropReplies(true)
    const work = appendToAll(writer, actors, 0)
    await isStored(other, 10)
    const stop = new AbortController()
    const [dora, emil, fred] = ['dora', 'emil', 'fred'].map(id => actorOf(id))
    const append = (actor: ActorAddress, options: AppendOptions) =>
      writer.store.append(actor, deposits(1), { expected: 0, ...options })
    const late = throwsCode(
      t,
      'store-unreachable',
      () => append(dora!, { timeout: 200 }),
      'account/dora',
      'Nothing was stored',
    )
    const ended = throwsCode(
      t,
      'aborted',
      () => append(emil!, { signal: stop.signal }),
      'account/emil',
      'Nothing was stored',
    )
    const patient = append(fred!, {})
    stop.abort()
    await ended
    await late
    proxy.dropReplies(false)
    t.ok((await work).every(result => result.ok))
    t.match(await patient, { ok: true, version: 1 })
    const { commits } = await readHistory(other.store)
    t.equal(commits.length, 11)
  },
)

await t.test('a commit that is too large fails alone', async t => {
  await using small = await startNats({ syncInterval: 'always', maxPayload: 8_192 })
  await using node = await open(small.url)
  const { store } = node
  const ofBytes = (bytes: number) => [{ type: 'noted', data: 'x'.repeat(bytes) }]
  const actors = actorsOf(10)
  // The overhead of a commit: one that just fits alone would not fit into a batch.
  const error = await throwsCode(t, 'commit-too-large', () =>
    store.append(actorOf('large'), ofBytes(9_000), { expected: 0 }),
  )
  const fits = 8_192 - (Number(error.details.actual) - 9_000)
  const work = appendToAll(node, actors, 0)
  await throwsCode(t, 'commit-too-large', () =>
    store.append(actorOf('large'), ofBytes(fits + 1), { expected: 0 }),
  )
  const largest = await store.append(actorOf('large'), ofBytes(fits), { expected: 0 })
  t.match(largest, { ok: true, version: 1 })
  t.ok((await work).every(result => result.ok))
  t.equal((await readHistory(store)).commits.length, 11)
  t.match(store.groupStats(), { groups: 1, commits: 9 }, 'and the others ride on')
})

await t.test(
  'when the server forbids one commit of a group, the others are stored',
  async t => {
    const namespace = freshNamespace()
    const denied = ['a4', 'a9'].map(id => logSubject(namespace, actorOf(id), 16))
    await using walled = await startNats({
      users: [
        { user: 'all', password: 'p' },
        {
          user: 'some',
          password: 'p',
          permissions: { publish: { deny: denied }, subscribe: { allow: ['>'] } },
        },
      ],
    })
    const as = (user: string) =>
      openNode(walled.url, { namespace, user, password: 'p', ...riding })
    await using owner = await as('all')
    await using node = await as('some')
    const results = await Promise.allSettled(
      // The last of them completes the batch.
      actorsOf(10).map(actor => node.store.append(actor, deposits(1), { expected: 0 })),
    )
    t.strictSame(
      results.map(result =>
        result.status === 'fulfilled' ? result.value.ok : (result.reason as Error).name,
      ),
      Array.from({ length: 10 }, (_, i) => (i === 4 || i === 9 ? 'CairnError' : true)),
    )
    t.equal((await readHistory(owner.store)).commits.length, 8)
  },
)

await t.test('close() completes the commits that wait in groups', async t => {
  const namespace = freshNamespace()
  await using node = await open(server.url, namespace)
  await using other = await openNode(server.url, { namespace })
  const work = appendToAll(node, actorsOf(200), 0)
  await node.store.close()
  t.ok((await work).every(result => result.ok))
  t.equal((await readHistory(other.store)).commits.length, 200)
})

await t.test('commits of one actor never share a batch', async t => {
  await using node = await open(server.url)
  const { store } = node
  const hot = actorOf('hot')
  const others = actorsOf(20)
  const twice = await Promise.all([
    store.append(others[0]!, deposits(1), { expected: 0 }),
    store.append(hot, deposits(1), { expected: 0 }),
    store.append(hot, deposits(2), { expected: 0 }),
    store.append(others[1]!, deposits(1), { expected: 0 }),
  ])
  t.match(twice, [
    { ok: true },
    { ok: true, version: 1 },
    { ok: false, actor: hot, expected: 0, actual: 1 },
    { ok: true },
  ])
  t.equal(store.groupStats().takenApart, 0, 'the first two others are not bothered')
  const all = await Promise.all([
    appendToAll(node, others.slice(2), 0),
    Promise.all(Array.from({ length: 6 }, () => store.append(hot, deposits(3)))),
  ])
  t.ok(all.flat().every(result => result.ok))
  const { dense } = await readHistory(store)
  t.strictSame(dense, [])
  t.equal((await store.head(hot)).version, 7)
})

await t.test(
  'a server without room for batches stores the commits one by one',
  async t => {
    await using node = await open(server.url)
    const { connection, store } = node
    // As many as a server keeps open for a stream, none of them ever completed.
    for (let i = 0; i < 50; i++) {
      const h = headers()
      h.set('Nats-Batch-Id', newId())
      h.set('Nats-Batch-Sequence', '1')
      const subject = logSubject(store.namespace, actorOf('nobody'), 16)
      connection.nc.publish(subject, '', { headers: h })
    }
    await connection.nc.flush()
    t.ok((await appendToAll(node, actorsOf(20), 0)).every(result => result.ok))
    t.match(store.groupStats(), { groups: 0, takenApart: 1 })
    t.equal((await readHistory(store)).commits.length, 20)
  },
)

await t.test('more commits than fit into one group use several', async t => {
  await using node = await open(server.url)
  const results = await appendToAll(node, actorsOf(1_101), 0)
  t.ok(results.every(result => result.ok))
  t.match(node.store.groupStats(), { groups: 3, commits: 1_100, takenApart: 0 })
  t.equal(await node.store.lastPosition(), 1_101)
})

await t.test(
  'auto: a busy store measures the cost of an acknowledgement, and measures again after a reconnect',
  async t => {
    const namespace = freshNamespace()
    await using proxy = await startProxy(server.url)
    await using node = await openNode(proxy.url, { namespace })
    const { store, connection } = node
    t.match(store.groupStats(), { mode: 'auto', active: false, groups: 0 })
    const actors = actorsOf(200)
    for (let version = 0; version < 3; version++)
      t.ok((await appendToAll(node, actors, version)).every(result => result.ok))
    await until(() => store.groupStats().ackCost !== undefined, {
      describe: 'it has been measured',
    })
    t.strictSame((await readHistory(store)).dense, [])
    t.equal(await store.lastPosition(), 600, 'and nothing else is in the log')
    proxy.refuse(true)
    proxy.cut()
    await until(() => !connection.connected)
    proxy.refuse(false)
    await until(() => connection.connected)
    t.equal(store.groupStats().ackCost, undefined)
  },
)

await t.test('off: no commits share a batch, and nothing is measured', async t => {
  await using node = await openNode(server.url, {
    namespace: freshNamespace(),
    groupCommit: 'off',
  })
  t.ok((await appendToAll(node, actorsOf(60), 0)).every(result => result.ok))
  t.strictSame(node.store.groupStats(), {
    mode: 'off',
    active: false,
    groups: 0,
    commits: 0,
    takenApart: 0,
  })
})

await t.test('an unknown mode is refused by name', async t => {
  const backend = jetstream({ servers: server.url, groupCommit: 'sometimes' as 'auto' })
  const work = () => backend.open({ namespace: freshNamespace(), nodeId: 'n' })
  await throwsCode(t, 'invalid-option', work, 'sometimes', "'auto'")
})
