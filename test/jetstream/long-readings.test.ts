// A long read of a log uses its own consumer. Whatever happens to the consumer, each record is read once
// and in order, and nothing is left on the server.

import t from 'tap'

import { encodeCommit } from '../../src/codec/envelope.js'
import { newId } from '../../src/model/id.js'
import { callApi } from '../../src/nats/jetstream-api.js'
import { encodeHeaderLines, rawHeaders } from '../../src/nats/headers.js'
import { logStream, logSubject } from '../../src/nats/subjects.js'
import { span } from '../contract/store/support.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { freshNamespace, type Node, openNode } from './nodes.js'

const user = { user: 'anyone', password: 'anyone' }
const reader = {
  user: 'reader',
  password: 'reader',
  permissions: { publish: { deny: ['$JS.API.CONSUMER.>'] } },
}
await using server = await startNats({ users: [user, reader] })
/** A read is long from about 2,000 records on. */
const count = 5_000

/** Commits, every fifth of another type, written past the store: they are only read here. */
async function fill({ connection }: Node, namespace: string, bytes = 1): Promise<void> {
  const note = 'x'.repeat(bytes)
  for (const i of span(1, count)) {
    const actor = { type: i % 5 === 0 ? 'fifth' : 'other', id: String(i) }
    const { headers, body } = encodeCommit({
      id: newId(),
      actor,
      firstVersion: 1,
      events: [{ type: 'noted', data: { i, note } }],
      at: 0,
      nodeId: 'writer',
    })
    connection.nc.publish(logSubject(namespace, actor, 16), body, {
      headers: rawHeaders(encodeHeaderLines(headers)),
    })
  }
  await connection.nc.flush()
}

async function open(namespace = freshNamespace(), login: object = user): Promise<Node> {
  return openNode(server.url, { namespace, ...login })
}

async function filled(bytes?: number): Promise<[Node, string]> {
  const namespace = freshNamespace()
  const node = await open(namespace)
  await fill(node, namespace, bytes)
  await until(async () => (await node.store.lastPosition()) === count, {
    timeout: 30_000,
  })
  return [node, logStream(namespace)]
}

async function consumersOf({ connection }: Node, stream: string): Promise<string[]> {
  const names = await callApi<{ consumers: string[] | null }>(
    connection,
    `CONSUMER.NAMES.${stream}`,
    {},
  )
  if (!names.ok) throw new Error(names.error.description)
  return names.value.consumers ?? []
}

/** Reads the log, and calls `at` when that many records were read. */
async function positions(
  { store }: Node,
  at = 0,
  work: () => unknown = () => {},
): Promise<number[]> {
  const found: number[] = []
  for await (const { position } of store.readAll()) {
    found.push(position)
    if (found.length === at) await work()
  }
  return found
}

const all = span(1, count)

await t.test('a long read has a consumer while it runs, and none afterwards', async t => {
  const [node, stream] = await filled()
  await using _ = node
  let during: string[] = []
  const read = await positions(node, 100, async () => {
    during = await consumersOf(node, stream)
  })
  t.equal(during.length, 1)
  t.strictSame(read, all)
  const isGone = async () => (await consumersOf(node, stream)).length === 0
  await until(isGone, { timeout: 30_000 })
  for await (const { position } of node.store.readAll()) if (position === 700) break
  await until(isGone, { timeout: 30_000 })
  t.pass('nor when the reader stops early')
})

await t.test('the consumer is deleted during the read', async t => {
  const [node, stream] = await filled()
  await using _ = node
  const read = await positions(node, 1_500, async () => {
    const [name] = await consumersOf(node, stream)
    await callApi(node.connection, `CONSUMER.DELETE.${stream}.${name}`, undefined)
  })
  t.strictSame(read, all)
})

await t.test('the server is restarted during the read', async t => {
  const [node] = await filled()
  await using _ = node
  t.strictSame(await positions(node, 1_500, () => server.restart()), all)
})

await t.test('a message is lost in transit', async t => {
  const [node] = await filled()
  await using _ = node
  const { nc } = node.connection
  const subscribe = nc.subscribe.bind(nc)
  let seen = 0
  nc.subscribe = (subject, options) =>
    subscribe(subject, {
      ...options,
      callback(error, message) {
        if (!message.reply?.startsWith('$JS.ACK.') || ++seen !== 700)
          options?.callback?.(error, message)
      },
    })
  t.strictSame(await positions(node), all)
  t.ok(seen > 700)
})

await t.test('the server forbids the consumer', async t => {
  const [node, stream] = await filled()
  await using _ = node
  await using other = await open(stream.slice('CAIRN_'.length), reader)
  t.strictSame(await positions(other), all)
})

await t.test('a record was removed by an operator', async t => {
  const [node, stream] = await filled()
  await using _ = node
  const api = `STREAM.MSG.DELETE.${stream}`
  for (const seq of [1, 512, 513, 3_000, count])
    t.match(await callApi(node.connection, api, { seq, no_erase: true }), { ok: true })
  const rest = all.filter(i => ![1, 512, 513, 3_000, count].includes(i))
  t.strictSame(await positions(node), rest)
})

await t.test('the records exceed the bytes of a batch', async t => {
  const [node] = await filled(10_000)
  await using _ = node
  t.strictSame(await positions(node), all)
})

await t.test('the read is of one type, or begins or ends within the log', async t => {
  const [node, stream] = await filled()
  await using _ = node
  const read = async (options: Parameters<Node['store']['readAll']>[0]) => {
    const found: number[] = []
    for await (const { position } of node.store.readAll(options)) found.push(position)
    return found
  }
  const fifth = all.filter(i => i % 5 === 0)
  const others = all.filter(i => i % 5 !== 0)
  t.strictSame(await read({ types: ['fifth'] }), fifth)
  t.strictSame(await read({ types: ['other'] }), others, 'of which there are many')
  t.strictSame(await read({ types: ['fifth', 'other'] }), all)
  t.strictSame(await read({ types: ['neither'] }), [])
  t.strictSame(await read({ after: 1_000 }), all.slice(1_000))
  t.strictSame(await read({ limit: 3_000 }), all.slice(0, 3_000))
  await until(async () => (await consumersOf(node, stream)).length === 0, {
    timeout: 30_000,
  })
})

await t.test('a reader that stops for a while has little in memory', async t => {
  const [node] = await filled()
  await using _ = node
  const { nc } = node.connection
  const before = nc.stats().inMsgs
  let received = 0
  let last = -1
  const read = await positions(node, 10, async () => {
    // Until no more messages arrive.
    await until(
      async () => {
        received = nc.stats().inMsgs - before
        const isQuiet = received === last
        last = received
        await nc.flush()
        return isQuiet
      },
      { timeout: 30_000 },
    )
  })
  t.ok(received < 2_200, `it has received ${received} of ${count}`)
  t.strictSame(read, all)
})

await t.test('the reader stops early', async t => {
  const [node, stream] = await filled()
  await using _ = node
  const aborting = new AbortController()
  const read = async () => {
    for await (const { position } of node.store.readAll({ signal: aborting.signal }))
      if (position === 1_500) aborting.abort()
  }
  await t.rejects(read(), { code: 'aborted' })
  await until(async () => (await consumersOf(node, stream)).length === 0, {
    timeout: 30_000,
  })
})
