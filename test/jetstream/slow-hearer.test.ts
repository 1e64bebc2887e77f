// A process whose event loop stands still for seconds, also so long that the server drops its connection, has everything
// in the end, in every way that it hears.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import { connect } from 'nats'
import t from 'tap'

import { jetstream, startNode } from '../../src/index.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { freshNamespace } from './nodes.js'
import { counter, type Heard, notes, type Order } from './slow-hearer-parts.js'

const ids = ['a', 'b', 'c', 'd', 'e']
const program = fileURLToPath(new URL('slow-hearer-process.js', import.meta.url))

async function startHearer(servers: string, namespace: string) {
  const child = fork(program, [servers, namespace, ...ids])
  const ended = once(child, 'exit')
  await once(child, 'message')
  return {
    tell: (order: Order) => void child.send(order),
    async report(): Promise<Heard> {
      child.send({ kind: 'report' } satisfies Order)
      const [heard] = (await once(child, 'message')) as [Heard]
      return heard
    },
    async stop() {
      child.send({ kind: 'stop' } satisfies Order)
      const [code] = (await ended) as [number | null]
      return code
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Sends what a node receives and ignores, so that the systems between it and the server are soon full. */
async function startBulk(servers: string, namespace: string) {
  const nc = await connect({ servers })
  const garbage = new Uint8Array(512 * 1024)
  return {
    async send() {
      nc.publish(`cairn.${namespace}.members`, garbage)
      await nc.flush()
    },
    [Symbol.asyncDispose]: () => nc.close(),
  }
}

const scenes = [
  { title: 'blocked, and told of everything afterwards', isDropped: false, config: '' },
  {
    title: 'blocked until the server drops its connection',
    isDropped: true,
    // The server drops a client that leaves more than this, or for longer than this, unread.
    config: 'max_pending: 2MB\nwrite_deadline: "500ms"',
  },
]

for (const { title, isDropped, config } of scenes)
  await t.test(`a process that is ${title} has missed nothing`, async t => {
    await using server = await startNats({ config })
    const namespace = freshNamespace()
    const store = jetstream({ servers: server.url })
    await using writer = await startNode({
      namespace,
      id: 'writer',
      actors: [counter],
      store,
    })
    await using hearer = await startHearer(server.url, namespace)
    let rounds = 0
    const addAll = async () => {
      await Promise.all(ids.map(id => writer.spawn(counter, id).ask('add', 1)))
      await writer.publish(notes, ++rounds)
    }
    const range = (count: number) => Array.from({ length: count }, (_, i) => i + 1)
    const hearsAll = async () => {
      const { watched, followed, reacted, consumed, rows } = await hearer.report()
      return (
        ids.every(id => watched[id]!.length === rounds && rows[id] === rounds) &&
        followed.length === rounds * ids.length &&
        Object.keys(reacted).length === rounds * ids.length &&
        consumed.length === rounds
      )
    }
    await addAll()
    await until(hearsAll, { interval: 50, describe: 'it hears of the first round' })

    hearer.tell({ kind: 'block', ms: isDropped ? 4_000 : 2_000 })
    for (let i = 0; i < 40; i++) await addAll()
    if (isDropped) {
      await using bulk = await startBulk(server.url, namespace)
      await until(
        async () => {
          if (server.log().includes('Slow Consumer')) return true
          await bulk.send()
          return false
        },
        { interval: 0, describe: 'the server drops the connection' },
      )
    }
    await addAll()
    await until(hearsAll, { interval: 50, describe: 'it has heard of everything' })

    const heard = await hearer.report()
    for (const id of ids) t.strictSame(heard.watched[id], range(rounds), 'watchers')
    t.strictSame(heard.followed, range(rounds * ids.length), 'followers')
    t.strictSame(new Set(Object.values(heard.reacted)), new Set([1]), 'reactors, once')
    t.strictSame(heard.consumed, range(rounds), 'consumers')
    for (const version of Object.values(heard.cached))
      t.ok(version === undefined || version === rounds, 'no old version is trusted')
    t.equal(heard.interruptions > 0, isDropped, 'a plain subscription is told')

    await addAll()
    await until(async () => {
      const { cached } = await hearer.report()
      return (await hearsAll()) && ids.every(id => cached[id] === rounds)
    })
    t.equal(await hearer.stop(), 0)
  })
