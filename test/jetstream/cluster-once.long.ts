// P4 on a stream with three replicas whose leader changes: the new leader decides whether the old
// one stored a command.

import t from 'tap'

import type { ActorHost } from '../../src/actor/actor-host.js'
import { logStream } from '../../src/nats/subjects.js'
import { startNatsCluster } from '../support/nats.js'
import { until } from '../support/wait.js'
import { freshNamespace, type Node, randomOf } from './nodes.js'
import { Answers, insist, openHost, provesOnce } from './once.js'

await using cluster = await startNatsCluster()
await provesOnce(t, { urls: cluster.urls, replicas: 3 })

async function leaderOf({ connection, store }: Node): Promise<string> {
  const manager = await connection.nc.jetstreamManager({ timeout: 1_000 })
  const { cluster: raft } = await manager.streams.info(logStream(store.namespace))
  return raft?.leader ?? ''
}

const disturbances = {
  'steps down': async (node: Node) => {
    const before = await until(() => leaderOf(node))
    const api = `$JS.API.STREAM.LEADER.STEPDOWN.${logStream(node.store.namespace)}`
    await node.connection.nc.request(api, '', { timeout: 5_000 })
    await until(
      async () => {
        const leader = await leaderOf(node)
        return leader !== '' && leader !== before
      },
      { timeout: 30_000, describe: 'another server leads' },
    )
  },
  'is killed': async (node: Node) => {
    const leader = await until(() => leaderOf(node))
    const server = cluster.servers.find(({ name }) => name === leader)!
    await server.kill()
    await until(
      async () => {
        const now = await leaderOf(node)
        return now !== '' && now !== leader
      },
      { timeout: 60_000, describe: 'another server leads' },
    )
    await server.restart()
    await cluster.ready()
  },
}

for (const [what, disturb] of Object.entries(disturbances))
  await t.test(`the same ids go to two nodes while the leader ${what}`, async t => {
    const namespace = freshNamespace()
    // Each starts with another server.
    await using a = await openHost(cluster.urls.join(','), namespace, 'a', 3)
    await using b = await openHost(cluster.urls.toReversed().join(','), namespace, 'b', 3)
    const random = randomOf(7)
    const answers = new Answers()
    let isOver = false
    const caller = async (name: number) => {
      for (let n = 0; !isOver; n++) {
        const actor = { type: 'account', id: `a${Math.floor(random() * 4)}` }
        const ask = (host: ActorHost) =>
          insist(answers, actor, `c-${name}-${n}`, () => host, 2_000)
        if (n % 2 === 0) await Promise.all([ask(a.host), ask(b.host)])
        else {
          await ask(a.host)
          await ask(b.host)
        }
      }
    }
    const callers = Array.from({ length: 6 }, (_, name) => caller(name))
    const progress = async () => {
      const goal = answers.size + 60
      await until(() => answers.size >= goal, {
        timeout: 60_000,
        describe: '60 more commands are answered',
      })
    }
    try {
      for (let round = 0; round < 3; round++) {
        await progress()
        await disturb(a.node)
      }
      await progress()
    } finally {
      isOver = true
      await Promise.all(callers)
    }
    t.ok(answers.duplicates >= answers.size, 'of each two answers, one came from before')
    await answers.check(t, b.node.store)
  })
