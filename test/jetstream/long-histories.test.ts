// The history of an actor with thousands of commits is read through a consumer of its own. Whatever happens meanwhile, each
// commit is read once and in order, and nothing is left on the server.

import t from 'tap'

import { encodeCommit } from '../../src/codec/envelope.js'
import { newId } from '../../src/model/id.js'
import { encodeHeaderLines, rawHeaders } from '../../src/nats/headers.js'
import { callApi } from '../../src/nats/jetstream-api.js'
import { logStream, logSubject } from '../../src/nats/subjects.js'
import { span } from '../contract/store/support.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { freshNamespace, type Node, openNode } from './nodes.js'

await using server = await startNats()
const actor = { type: 'note', id: 'long' }
const other = { type: 'note', id: 'other' }
/** Commits of the actor; as many others lie between them. */
const count = 4_000
const all = span(1, count)

/** Written past the store: they are only read here. */
async function filled(): Promise<[Node, string]> {
  const namespace = freshNamespace()
  const node = await openNode(server.url, { namespace })
  for (const version of all)
    for (const one of [actor, other]) {
      const { headers, body } = encodeCommit({
        id: newId(),
        actor: one,
        firstVersion: version,
        events: [{ type: 'noted', data: { version } }],
        at: 0,
        nodeId: 'writer',
      })
      node.connection.nc.publish(logSubject(namespace, one, 16), body, {
        headers: rawHeaders(encodeHeaderLines(headers)),
      })
    }
  await node.connection.nc.flush()
  await until(async () => (await node.store.lastPosition()) === 2 * count, {
    timeout: 30_000,
  })
  return [node, logStream(namespace)]
}

async function consumersOf({ connection }: Node, stream: string): Promise<string[]> {
  const api = `CONSUMER.NAMES.${stream}`
  const names = await callApi<{ consumers: string[] | null }>(connection, api, {})
  if (!names.ok) throw new Error(names.error.description)
  return names.value.consumers ?? []
}

/** The versions of the actor's commits, and `at` when that many were read. */
async function versions(
  { store }: Node,
  at = 0,
  work: () => unknown = () => {},
): Promise<number[]> {
  const found: number[] = []
  for await (const record of store.commits(actor)) {
    found.push(record.kind === 'commit' ? record.lastVersion : NaN)
    if (found.length === at) await work()
  }
  return found
}

await t.test('it has a consumer while it is read, and none afterwards', async t => {
  const [node, stream] = await filled()
  await using _ = node
  const isGone = async () => (await consumersOf(node, stream)).length === 0
  let during: string[] = []
  const read = await versions(node, 1_000, async () => {
    during = await consumersOf(node, stream)
  })
  t.equal(during.length, 1)
  t.strictSame(read, all)
  await until(isGone, { timeout: 30_000 })
  for await (const record of node.store.commits(actor))
    if (record.kind === 'commit' && record.lastVersion === 1_500) break
  await until(isGone, { timeout: 30_000 })
  t.pass('nor when the reader stops early')
})

await t.test('a short part of it has none', async t => {
  const [node, stream] = await filled()
  await using _ = node
  for await (const record of node.store.commits(actor, { to: 1_000 }))
    if (record.position === 1) t.strictSame(await consumersOf(node, stream), [])
  t.strictSame(await consumersOf(node, stream), [])
})

await t.test('the consumer is deleted in the middle of a batch', async t => {
  const [node, stream] = await filled()
  await using _ = node
  const read = await versions(node, 1_000, async () => {
    const [name] = await consumersOf(node, stream)
    await callApi(node.connection, `CONSUMER.DELETE.${stream}.${name}`, undefined)
  })
  t.strictSame(read, all)
})

await t.test('the connection is cut in the middle of a batch', async t => {
  const [node] = await filled()
  await using _ = node
  t.strictSame(await versions(node, 1_000, () => server.restart()), all)
})

await t.test('the history is purged in the middle of a batch', async t => {
  const [node, stream] = await filled()
  await using _ = node
  const filter = logSubject(node.store.namespace, actor, 16)
  const read = await versions(node, 1_000, async () => {
    const purged = await callApi(node.connection, `STREAM.PURGE.${stream}`, { filter })
    t.ok(purged.ok)
  })
  t.strictSame(read, span(1, read.length), 'what is yielded has no gap')
  t.ok(read.length >= 1_000 && read.length < count, `${read.length} were read`)
  t.strictSame(await versions(node), [], 'and afterwards it is empty')
})
