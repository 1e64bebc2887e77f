// The server goes away, or a stream is deleted, while a node runs: callers are told so, by name, and the node
// shows the state of its connection.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { memory } from '../../src/backend/memory.js'
import { type CairnError, isCairnError } from '../../src/model/errors.js'
import { defineTopic } from '../../src/model/topic.js'
import { Connection } from '../../src/nats/connection.js'
import { queueStream } from '../../src/nats/subjects.js'
import { startNode } from '../../src/runtime/start-node.js'
import { startNats } from '../support/nats.js'
import { takingLog } from '../support/log.js'
import { until } from '../support/wait.js'
import { freshNamespace } from './nodes.js'

const log = takingLog({})
const tally = defineActor({
  type: 'tally',
  initialState: 0,
  decide: { add: (_state, n: number) => event('added', n), look: () => [] },
  evolve: { added: (sum, n) => sum + n },
})
const letters = defineTopic('letters')

const errorOf = (work: Promise<unknown>): Promise<CairnError> =>
  work.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: unknown) => (isCairnError(error) ? error : Promise.reject(error as Error)),
  )

type Node = Awaited<ReturnType<typeof startNode>>

/** The errors of calls of each kind. Actors a to e live on either node. */
async function failures(node: Node, timeout: number): Promise<[string, CairnError][]> {
  const asks = ['a', 'b', 'c', 'd', 'e'].map(
    id => [`ask ${id}`, node.spawn(tally, id).ask('add', 1, { timeout })] as const,
  )
  const works = {
    ...Object.fromEntries(asks),
    look: node.spawn(tally, 'a').ask('look', undefined, { timeout }),
    cold: node.spawn(tally, 'cold').ask('add', 1, { timeout }),
    state: node.spawn(tally, 'a').state({ timeout }),
    send: node.spawn(tally, 'a').send('add', 1, { timeout }),
    publish: node.publish(letters, 1, { timeout }),
    append: node.store.append({ type: 'x', id: 'y' }, [{ type: 'z' }], { timeout }),
    transact: node.transact(tx => tx.ask(tally, 'a', 'add', 1), { timeout }),
  }
  return Promise.all(
    Object.entries(works).map(async ([what, work]): Promise<[string, CairnError]> => [
      what,
      await errorOf(work),
    ]),
  )
}

await t.test('calls while the server is down name it, and since when', async t => {
  const login = { user: 'ann', password: 's3cret' }
  await using server = await startNats({ users: [login] })
  const namespace = freshNamespace()
  const address = `127.0.0.1:${server.port}`
  const store = jetstream({ servers: `nats://x:s3cret@${address}`, ...login })
  await using node = await startNode({ namespace, store, actors: [tally], log })
  await using other = await startNode({ namespace, store, actors: [tally], log })
  await until(() => other.members().length === 2 && node.members().length === 2, {
    describe: 'the nodes know each other',
  })
  for (const id of ['a', 'b', 'c', 'd', 'e']) await node.spawn(tally, id).ask('add', 1)
  t.match(node.stats().connection, {
    state: 'connected',
    server: address,
    reconnects: 0,
    writeFailures: [],
  })

  await server.kill()
  await until(() => node.stats().connection?.state === 'reconnecting', {
    describe: 'the node has noticed',
  })
  const { since } = node.stats().connection!
  const named = `NATS at .*${address} has not been reachable since ${new Date(since).toISOString()}`
  for (const [what, error] of await failures(node, 400)) {
    t.match(error.message, new RegExp(named), `${what}: ${error.message}`)
    t.ok(['deadline-exceeded', 'store-unreachable'].includes(error.code), what)
    t.notMatch(error.message + JSON.stringify(error.details), 's3cret')
  }
  t.match(node.stats().connection, { state: 'reconnecting', since, server: address })

  const waiting = node.spawn(tally, 'a').ask('add', 1, { timeout: 30_000 })
  await server.restart()
  t.match(await waiting, { ok: true, version: 2 }, 'a call waits until it is back')
  const { connection } = node.stats()
  t.match(connection, { state: 'connected', reconnects: 1, lastOutage: { from: since } })
  t.ok(connection!.since >= connection!.lastOutage!.from)
})

await t.test('calls while the server is frozen name it', async t => {
  await using server = await startNats()
  const store = jetstream({ servers: server.url })
  const namespace = freshNamespace()
  await using node = await startNode({ namespace, store, actors: [tally], log })
  await node.spawn(tally, 'a').ask('add', 1)
  server.pause()
  for (const [what, error] of await failures(node, 1_000)) {
    t.match(
      error.message,
      new RegExp(`127.0.0.1:${server.port} has not answered since`),
      what,
    )
  }
  t.type(node.stats().connection?.silentSince, 'number')
  server.resume()
  t.ok((await node.spawn(tally, 'b').ask('add', 1)).ok)
  t.equal(node.stats().connection?.silentSince, undefined)
})

await t.test('a deleted stream is named, and not created again', async t => {
  await using server = await startNats()
  const store = jetstream({ servers: server.url })
  const namespace = freshNamespace()
  await using node = await startNode({ namespace, store, actors: [tally], log })
  await node.spawn(tally, 'a').ask('add', 1)
  const admin = await Connection.open({ servers: server.url }, 'admin', 'admin')
  const { streams } = await admin.nc.jetstreamManager()
  const works = {
    inbox: () => node.spawn(tally, 'a').send('add', 1, { commandId: 'c-1' }),
    topic: () => node.publish(letters, 1),
  } as const
  for (const [queue, work] of Object.entries(works)) {
    const stream = queueStream(namespace, queue as keyof typeof works)
    await streams.delete(stream)
    const error = await errorOf(work())
    t.equal(error.code, 'foreign-stream', error.message)
    t.match(error.message, `Stream ${stream} no longer exists`)
    t.match(error.message, /[Rr]estore it.*or restart the node/)
    t.equal(error.details.stream, stream)
    await t.rejects(streams.info(stream), 'it was not created again')
  }
  t.ok((await node.spawn(tally, 'a').ask('add', 1)).ok, 'the log is not affected')
  await admin.close()
})

await t.test('a backend without a server has no connection', async t => {
  await using node = await startNode({ namespace: 'none', store: memory(), log })
  t.equal(node.stats().connection, undefined)
})
