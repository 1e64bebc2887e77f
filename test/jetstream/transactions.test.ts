// P2 on failing servers: a batch whose answer is lost, or that is abandoned, over the limits, or
// refused for one of its messages, is stored completely and once, or not at all.

import t from 'tap'
import { headers } from 'nats'

import type { ActorAddress } from '../../src/model/address.js'
import { newId } from '../../src/model/id.js'
import { publishBatch } from '../../src/nats/batch.js'
import { checksOtherSubjects } from '../../src/nats/server-version.js'
import { logSubject } from '../../src/nats/subjects.js'
import type { AppendPart } from '../../src/store/event-store/event-store.js'
import { guardType } from '../../src/store/event-store/transaction.js'
import {
  actorOf,
  commitHeaders,
  deposits,
  mustAppend,
} from '../contract/store/support.js'
import { startNats, startNatsCluster } from '../support/nats.js'
import { until } from '../support/wait.js'
import { freshNamespace, type Node, openNode, readHistory, throwsCode } from './nodes.js'
import { loseRequest, scenesOn } from './scene.js'

await using server = await startNats()
const [alice, bob, carol] = [actorOf('alice'), actorOf('bob'), actorOf('carol')]

const scene = scenesOn(server.url)

const part = (actor: ActorAddress, expected: number): AppendPart => ({
  actor,
  events: deposits(1),
  expected,
})
const parts = (expected: number) => [part(alice, expected), part(bob, expected)]

const isVersion = (node: Node, actor: ActorAddress, version: number) =>
  until(async () => (await node.store.head(actor)).version === version, {
    describe: `${actor.id} is at version ${version}`,
  })

const fillBoth = async ({ store }: Node) => {
  for (const actor of [alice, bob]) await mustAppend(store, actor, deposits(0))
}

const writersOf = async (node: Node) =>
  (await readHistory(node.store)).commits.map(({ actor, nodeId }) => [actor.id, nodeId])

for (const guarded of [false, true])
  await scene(
    `a batch ${guarded ? 'with a guard ' : ''}whose answer is lost is stored once and acknowledged`,
    async (t, { proxy, writer, other }) => {
      await fillBoth(writer)
      proxy.dropReplies(true)
      const guards = guarded ? [{ actor: carol, version: 0 }] : []
      const work = writer.store.appendAll(parts(1), { guards })
      await isVersion(other, bob, 2)
      // Other writers append meanwhile, also to guarded actors.
      await mustAppend(other.store, bob, deposits(5), { expected: 2 })
      if (guarded) await mustAppend(other.store, carol, deposits(5), { expected: 0 })
      proxy.dropReplies(false)
      const result = await work
      t.match(result, {
        ok: true,
        appended: [
          { actor: alice, version: 2, position: 3 },
          { actor: bob, version: 2, position: 4 },
        ],
      })
      const { commits, dense } = await readHistory(other.store)
      t.strictSame(dense, [])
      const own = commits.filter(
        ({ nodeId, actor }) => nodeId === 'writer' && actor.type !== guardType,
      )
      t.equal(own.length, 4, 'it is there once')
      t.match(await writer.store.appendAll([part(alice, 2), part(bob, 3)]), { ok: true })
    },
  )

await scene(
  'a batch lost in transit is a conflict when another writer appended to one of its actors',
  async (t, scene) => {
    const { proxy, writer, other } = scene
    await fillBoth(writer)
    proxy.pause()
    const work = writer.store.appendAll(parts(1))
    await loseRequest(scene, () => mustAppend(other.store, bob, deposits(9)))
    t.strictSame(await work, {
      ok: false,
      conflicts: [{ ok: false, actor: bob, expected: 1, actual: 2 }],
    })
    t.strictSame(await writersOf(other), [
      ['alice', 'writer'],
      ['bob', 'writer'],
      ['bob', 'other'],
    ])
  },
)

await scene(
  'a batch lost in transit is a conflict when a guarded actor has changed',
  async (t, scene) => {
    const { proxy, writer, other } = scene
    await fillBoth(writer)
    proxy.pause()
    const guards = [{ actor: carol, version: 0 }]
    const work = writer.store.appendAll(parts(1), { guards })
    await loseRequest(scene, () => mustAppend(other.store, carol, deposits(9)))
    t.strictSame(await work, {
      ok: false,
      conflicts: [{ ok: false, actor: carol, expected: 0, actual: 1 }],
    })
    t.equal((await readHistory(other.store)).commits.length, 3)
  },
)

await scene(
  'a batch lost in transit is sent again when no other writer has appended',
  async (t, scene) => {
    const { proxy, writer, other } = scene
    await fillBoth(writer)
    proxy.pause()
    const work = writer.store.appendAll(parts(1))
    await loseRequest(scene, async () => {})
    t.match(await work, { ok: true, appended: [{ position: 3 }, { position: 4 }] })
    t.equal((await readHistory(other.store)).commits.length, 4)
  },
)

await scene(
  'a deadline or a signal without an answer fails with outcome-unknown and names the transaction',
  async (t, { proxy, writer, other }) => {
    await fillBoth(writer)
    proxy.dropReplies(true)
    const options = { transactionId: 'tx-1', timeout: 300 }
    const late = () => writer.store.appendAll(parts(1), options)
    const error = await throwsCode(t, 'outcome-unknown', late, 'tx-1')
    t.equal(error.details.transactionId, 'tx-1')
    await isVersion(other, alice, 2)
    const { commits } = await readHistory(other.store)
    t.equal(commits.filter(({ transactionId }) => transactionId === 'tx-1').length, 2)
    proxy.dropReplies(false)
    t.match(await writer.store.appendAll(parts(2)), { ok: true })
  },
)

await scene(
  'a batch found in one history but not in the other is reported, and not taken for stored',
  async (t, { proxy, writer, other }) => {
    await fillBoth(writer)
    proxy.dropReplies(true)
    const work = writer.store.appendAll(parts(1), { transactionId: 'half' })
    const refused = throwsCode(t, 'storage-failed', () => work, 'half', 'account/bob')
    await isVersion(other, bob, 2)
    // Simulates a server that loses half of it: one record is deleted and replaced.
    const manager = await other.connection.nc.jetstreamManager()
    await manager.streams.deleteMessage(`CAIRN_${other.store.namespace}`, 3)
    other.store.markCacheUnverified()
    await mustAppend(other.store, alice, deposits(7))
    proxy.dropReplies(false)
    const error = await refused
    t.match(error.details, { stored: ['account/bob'], missing: ['account/alice'] })
  },
)

await t.test('the server refuses batches that Cairn never sends', async t => {
  await using node = await openNode(server.url, { namespace: freshNamespace() })
  const { connection, store } = node
  const stream = `CAIRN_${store.namespace}`
  const send = async (
    count: number,
    lines: (i: number) => Record<string, string>,
  ): Promise<{ error?: { err_code: number }; count?: number }> => {
    const batch = newId()
    for (let i = 1; ; i++) {
      const actor = actorOf(`a${i}`)
      const h = headers()
      const all = {
        'Nats-Batch-Id': batch,
        'Nats-Batch-Sequence': String(i),
        'Nats-Expected-Last-Subject-Sequence': '0',
        ...commitHeaders(actor, 1),
        ...lines(i),
      }
      for (const [name, value] of Object.entries(all)) h.set(name, value)
      const subject = logSubject(store.namespace, actor, 16)
      if (i < count) connection.nc.publish(subject, '', { headers: h })
      else {
        h.set('Nats-Batch-Commit', '1')
        return (
          await connection.nc.request(subject, '', { headers: h, timeout: 10_000 })
        ).json()
      }
    }
  }
  const refused = async (what: string, code: number, sent: ReturnType<typeof send>) => {
    t.equal((await sent).error?.err_code, code, what)
    t.equal(await store.lastPosition(), 0, `${what}: nothing of it is stored`)
  }
  await refused(
    'a message id twice in one batch',
    10201,
    send(3, i => ({ 'Nats-Msg-Id': i === 3 ? 'm1' : `m${i}` })),
  )
  await refused(
    '1,001 messages',
    10199,
    send(1001, () => ({})),
  )
  await refused(
    'a message missing',
    10176,
    send(3, i => (i === 3 ? { 'Nats-Batch-Sequence': '4' } : {})),
  )
  await refused(
    'one wrong expectation of three',
    10071,
    send(3, i => (i === 2 ? { 'Nats-Expected-Last-Subject-Sequence': '7' } : {})),
  )
  await refused(
    'one message for another stream',
    10060,
    send(3, i => (i === 2 ? { 'Nats-Expected-Stream': 'OTHER' } : {})),
  )
  t.match(await send(3, () => ({})), { count: 3 }, 'and one that is right is stored')
  t.equal(await store.lastPosition(), 3)

  const message = {
    subject: logSubject(store.namespace, alice, 16),
    expected: 0,
    headers: [],
    body: new Uint8Array(),
  }
  const many = Array.from({ length: 1001 }, (_, i) => ({
    ...message,
    subject: `${message.subject}${i}`,
  }))
  t.match(await publishBatch(connection, stream, many, 10_000), { kind: 'refused' })
})

await t.test(
  'abandoned batches store nothing, and block others only briefly',
  async t => {
    const namespace = freshNamespace()
    await using node = await openNode(server.url, { namespace })
    const { connection, store } = node
    const subject = logSubject(namespace, alice, 16)
    // As many as a server keeps open for a stream, none of them ever completed.
    for (let i = 0; i < 50; i++) {
      const h = headers()
      h.set('Nats-Batch-Id', newId())
      h.set('Nats-Batch-Sequence', '1')
      connection.nc.publish(subject, '', { headers: h })
    }
    await connection.nc.flush()
    t.match(
      await mustAppend(store, alice, deposits(1)),
      { version: 1 },
      'a single actor needs no batch',
    )
    await throwsCode(
      t,
      'store-unreachable',
      () => store.appendAll([part(alice, 1), part(bob, 0)], { timeout: 300 }),
      'account/alice',
    )
    t.equal(await store.lastPosition(), 1)
    // The server forgets them after ten seconds.
    const result = await store.appendAll([part(alice, 1), part(bob, 0)], {
      timeout: 60_000,
    })
    t.match(result, { ok: true, appended: [{ version: 2 }, { version: 1 }] })
    t.equal(await store.lastPosition(), 3, 'nothing of the abandoned ones is there')
  },
)

await t.test(
  'more concurrent transactions than the server accepts are all stored',
  async t => {
    const namespace = freshNamespace()
    const nodes = await Promise.all(
      Array.from({ length: 5 }, () => openNode(server.url, { namespace })),
    )
    const work = nodes.flatMap(({ store }, n) =>
      Array.from({ length: 40 }, (_, i) =>
        store.appendAll(
          [part(actorOf(`a${n}-${i}`), 0), part(actorOf(`b${n}-${i}`), 0)],
          {
            timeout: 60_000,
          },
        ),
      ),
    )
    const results = await Promise.all(work)
    t.ok(
      results.every(({ ok }) => ok),
      `${results.length} were open at once`,
    )
    t.equal(await nodes[0]!.store.lastPosition(), 400)
    for (const node of nodes) await node[Symbol.asyncDispose]()
  },
)

await t.test(
  'servers that check guards incorrectly are known by their version',
  async t => {
    for (const version of ['2.12.14', '2.12.20', '2.14.4', '2.15.0', '3.0.0'])
      t.ok(checksOtherSubjects(version), version)
    for (const version of ['2.12.2', '2.12.13', '2.13.5', '2.14.3', 'unknown'])
      t.notOk(checksOtherSubjects(version), version)
  },
)

await t.test('a guard is refused on a server that checks guards incorrectly', async t => {
  await using node = await openNode(server.url, { namespace: freshNamespace() })
  const info = node.connection.nc.info!
  const version = info.version
  info.version = '2.14.3'
  const guards = [{ actor: bob, version: 0 }]
  await throwsCode(
    t,
    'server-too-old',
    () => node.store.appendAll([part(alice, 0)], { guards }),
    '2.14.3',
    '2.14.4',
  )
  t.match(await node.store.appendAll(parts(0)), { ok: true }, 'without one it is stored')
  info.version = version
})

await t.test(
  'three servers whose leader changes: transfers, guards and skew',
  async t => {
    await using cluster = await startNatsCluster()
    const namespace = freshNamespace()
    const open = (url: string, nodeId: string) =>
      openNode(url, { namespace, nodeId, replicas: 3 })
    await using first = await open(cluster.urls[0]!, 'first')
    await using second = await open(cluster.urls[1]!, 'second')
    await using third = await open(cluster.urls[2]!, 'third')
    const nodes = [first, second, third]
    const stream = `CAIRN_${namespace}`
    let isOver = false
    let stepDowns = 0
    const trouble = async () => {
      while (!isOver) {
        const reply = await first.connection.nc
          .request(`$JS.API.STREAM.LEADER.STEPDOWN.${stream}`, '', { timeout: 5_000 })
          .catch(() => undefined)
        if (reply?.json<{ success?: boolean }>().success === true) stepDowns++
        const reached = told.size
        await until(() => isOver || told.size > reached + 10, { timeout: 60_000 })
      }
    }
    const told = new Set<string>()
    const unknown = new Set<string>()
    const ids = ['p', 'q', 'r', 's']
    // Each purse may be written only while its neighbour is unchanged, which is read but not written.
    const lane = async ({ store }: Node, lane: number) => {
      for (let i = 0; i < 60; i++) {
        const transactionId = `${lane}-${i}`
        const [a, b, g] = [0, 1, 2].map(n => actorOf(ids[(lane + i + n) % 4]!))
        for (;;) {
          const heads = await Promise.all([a!, b!, g!].map(actor => store.head(actor)))
          const [va, vb, version] = heads.map(head => head.version)
          const data = { guard: g!.id, version }
          const one = (actor: ActorAddress, expected: number): AppendPart => ({
            actor,
            expected,
            events: [{ type: 'moved', data }],
          })
          try {
            const guards = [{ actor: g!, version: version! }]
            const two = [one(a!, va!), one(b!, vb!)]
            const result = await store.appendAll(two, {
              transactionId,
              guards,
              timeout: 30_000,
            })
            if (!result.ok) continue
            told.add(transactionId)
          } catch (error) {
            unknown.add(transactionId)
            t.comment(String(error))
          }
          break
        }
      }
    }
    const lanes = Promise.all(nodes.map(lane)).finally(() => (isOver = true))
    await Promise.all([lanes, trouble()])
    const { commits, dense } = await readHistory(first.store)
    t.strictSame(dense, [], 'no history has a gap')
    const parts = new Map<string, number>()
    const versions = new Map<string, number>()
    let skewed = 0
    for (const { transactionId: id, actor, lastVersion, events } of commits) {
      if (actor.type === guardType) continue
      parts.set(id!, (parts.get(id!) ?? 0) + 1)
      const { guard, version } = events[0]!.data as { guard: string; version: number }
      if ((versions.get(guard) ?? 0) !== version) skewed++
      versions.set(actor.id, lastVersion)
    }
    t.ok(
      [...parts.values()].every(count => count === 2),
      'each is in both histories',
    )
    t.strictSame(
      [...told].filter(id => !parts.has(id)),
      [],
      'none that was told is missing',
    )
    t.strictSame(
      [...parts.keys()].filter(id => !told.has(id) && !unknown.has(id)),
      [],
    )
    t.equal(skewed, 0, 'every guard held at the place where its transaction is')
    t.ok(
      stepDowns > 0,
      `${stepDowns} changes of the leader, ${told.size} told, ${unknown.size} unknown`,
    )
  },
)
