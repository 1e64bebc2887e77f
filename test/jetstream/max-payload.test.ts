// The server's max_payload is lowered while nodes are connected. It then closes the connection of a node that sends
// more. What is too large is refused as such, only where it is proven that it is not stored, and sent once.

import t, { type Test } from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { jetstream } from '../../src/backend/jetstream.js'
import type { CairnError } from '../../src/model/errors.js'
import { defineTopic } from '../../src/model/topic.js'
import { startNode } from '../../src/runtime/start-node.js'
import { deposits, mustAppend } from '../contract/store/support.js'
import { type NatsServer, startNats } from '../support/nats.js'
import { takingLog } from '../support/log.js'
import { startProxy } from '../support/proxy.js'
import { until } from '../support/wait.js'
import { freshNamespace, type Node, openNode, readHistory } from './nodes.js'
import { loseRequest } from './scene.js'

const lowered = 16_384
const noted = (bytes: number) => [{ type: 'noted', data: 'x'.repeat(bytes) }]
const actorOf = (id: string | number) => ({ type: 'account', id: String(id) })

const errorOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error as CairnError,
  )

/** A server whose limit was lowered after the node had connected, and the disconnects of the node since. */
async function scene(
  title: string,
  body: (
    t: Test,
    parts: { server: NatsServer; node: Node; disconnects: () => number },
  ) => Promise<void>,
  groupCommit: 'on' | 'off' = 'off',
) {
  await t.test(title, async t => {
    await using server = await startNats()
    const namespace = freshNamespace()
    await using node = await openNode(server.url, { namespace, groupCommit, groupMin: 2 })
    await mustAppend(node.store, actorOf('before'), noted(lowered))
    let count = 0
    node.connection.onInterruption(
      kind => void (count += kind === 'disconnected' ? 1 : 0),
    )
    await server.reload({ maxPayload: lowered })
    await body(t, { server, node, disconnects: () => count })
  })
}

await scene(
  'commits above the new limit are refused and not stored, and those beside them are stored',
  async (t, { node, disconnects }) => {
    const sizes = [900_000, 40_000, 16_300, 300_000, 17_000]
    const large = sizes.map((bytes, i) =>
      errorOf(node.store.append(actorOf(`large-${i}`), noted(bytes), { expected: 0 })),
    )
    const small = Array.from({ length: 40 }, (_, i) =>
      mustAppend(node.store, actorOf(i), deposits(i), { expected: 0 }),
    )
    for (const error of await Promise.all(large)) {
      t.equal(error?.code, 'commit-too-large', error?.message ?? '')
      t.match(error?.details, { limit: lowered })
      t.match(error?.message, /max_payload is 16384.*Nothing was stored/)
    }
    await Promise.all(small)
    t.equal(disconnects(), 1, 'nothing too large was sent again')
    const { commits, dense } = await readHistory(node.store)
    t.strictSame(dense, [])
    t.equal(commits.length, 1 + small.length)
    t.equal(
      (await errorOf(node.store.append(actorOf('late'), noted(40_000))))?.code,
      'commit-too-large',
    )
    t.equal(disconnects(), 1)
  },
)

await t.test(
  'a commit whose answer was lost is found, although it can no longer be sent',
  async t => {
    await using server = await startNats()
    const namespace = freshNamespace()
    await using proxy = await startProxy(server.url)
    await using writer = await openNode(proxy.url, { namespace })
    await using other = await openNode(server.url, { namespace })
    await mustAppend(writer.store, actorOf('a'), deposits(1))
    proxy.dropReplies(true)
    const work = writer.store.append(actorOf('a'), noted(20_000), { expected: 1 })
    const isStored = async () => (await other.store.head(actorOf('a'))).version === 2
    await until(isStored, { describe: 'the commit is stored' })
    await server.reload({ maxPayload: lowered })
    proxy.dropReplies(false)
    t.match(await work, { ok: true, version: 2, position: 2 })
    t.equal((await readHistory(other.store)).commits.length, 2)
  },
)

await t.test('a commit that lost its place meanwhile is a conflict', async t => {
  await using server = await startNats()
  const namespace = freshNamespace()
  await using proxy = await startProxy(server.url)
  await using writer = await openNode(proxy.url, { namespace })
  await using other = await openNode(server.url, { namespace })
  await mustAppend(writer.store, actorOf('a'), deposits(1))
  proxy.pause()
  const work = writer.store.append(actorOf('a'), noted(20_000), { expected: 1 })
  await loseRequest({ proxy, writer, other }, async () => {
    await mustAppend(other.store, actorOf('a'), deposits(2))
    await server.reload({ maxPayload: lowered })
  })
  t.match(await work, { ok: false, expected: 1, actual: 2 })
})

await scene(
  'a transaction above the new limit is refused as a whole',
  async (t, { node, disconnects }) => {
    const part = (id: string, bytes: number) => ({
      actor: actorOf(id),
      events: noted(bytes),
      expected: 0,
    })
    const error = await errorOf(
      node.store.appendAll([part('a', 10), part('b', 50_000), part('c', 10)]),
    )
    t.equal(error?.code, 'commit-too-large', error?.message ?? '')
    t.equal(disconnects(), 1)
    t.equal((await readHistory(node.store)).commits.length, 1)
    t.ok((await node.store.appendAll([part('a', 10), part('c', 10)])).ok)
  },
)

await scene(
  'a commit in a group does not take the others with it',
  async (t, { node, disconnects }) => {
    const works = Array.from({ length: 60 }, (_, i) =>
      errorOf(mustAppend(node.store, actorOf(i), noted(i % 20 === 7 ? 20_000 : 100))),
    )
    const errors = (await Promise.all(works)).map(error => error?.code)
    const expected = errors.map((_, i) => (i % 20 === 7 ? 'commit-too-large' : undefined))
    t.strictSame(errors, expected)
    t.equal(disconnects(), 1)
  },
  'on',
)

await t.test('commands, durable commands and messages above the new limit', async t => {
  await using server = await startNats()
  const pad = defineActor({
    type: 'pad',
    initialState: 0,
    decide: { pad: (_state, bytes: number) => event('padded', 'x'.repeat(bytes)) },
    evolve: { padded: n => n + 1 },
  })
  const blobs = defineTopic('blobs')
  await using node = await startNode({
    namespace: freshNamespace(),
    store: jetstream({ servers: server.url }),
    actors: [pad],
    log: takingLog({}),
  })
  const work: Record<string, () => Promise<unknown>> = {
    ask: () => node.spawn(pad, 'a').ask('pad', 20_000, { commandId: 'ask' }),
    send: () => node.send({ type: 'pad', id: 'b' }, 'grow', 'y'.repeat(90_000)),
    publish: () => node.publish(blobs, 'z'.repeat(700_000)),
  }
  for (const [what, attempt] of Object.entries(work)) {
    await server.restart() // A new connection: the node knows the limit.
    await until(async () => (await node.publish(blobs, 'small')).position > 0, {
      describe: 'the node is connected',
    })
    await server.reload({ maxPayload: lowered })
    const error = await errorOf(attempt())
    t.equal(error?.code, 'commit-too-large', `${what}: ${String(error)}`)
  }
  t.match(await node.spawn(pad, 'a').ask('pad', 1), { version: 1 })
})
