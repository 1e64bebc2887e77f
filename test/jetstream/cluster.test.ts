// P1, P3, P4 on a stream with three replicas: leaders that die, step down and lag.

import t from 'tap'

import type { ActorAddress } from '../../src/model/address.js'
import { logStream } from '../../src/nats/subjects.js'
import { startNatsCluster } from '../support/nats.js'
import { until } from '../support/wait.js'
import { freshNamespace, Ledger, type Node, openNode, randomOf } from './nodes.js'

await using cluster = await startNatsCluster()

/** Nodes that know all servers, each starting with another one. */
function openNodes(namespace: string, count: number): Promise<Node[]> {
  return Promise.all(
    Array.from({ length: count }, (_, i) => {
      const urls = cluster.urls.map((_url, j) => cluster.urls[(i + j) % 3]!)
      return openNode(urls.join(','), { namespace, nodeId: `node-${i}`, replicas: 3 })
    }),
  )
}

/** Appends to its own actor and expects its last result: no append may conflict. */
async function writeAlone(
  { store }: Node,
  actor: ActorAddress,
  ledger: Ledger,
  falseConflicts: unknown[],
  enough: () => boolean,
): Promise<void> {
  let expected = 0
  while (!enough()) {
    const result = await ledger.write(store, actor, expected)
    if (result instanceof Error)
      expected = await until(async () => (await store.head(actor)).version + 1).then(
        version => version - 1,
      )
    else if (result.ok) expected = result.version
    else {
      falseConflicts.push(result)
      expected = result.actual
    }
  }
}

async function writeTogether(
  { store }: Node,
  ledger: Ledger,
  random: () => number,
  enough: () => boolean,
): Promise<void> {
  let expected: number | undefined
  const actor = { type: 'shared', id: 'one' }
  while (!enough()) {
    const numeric = expected !== undefined && random() < 0.7
    const result = await ledger.write(store, actor, numeric ? expected! : 'any')
    if (result instanceof Error) expected = undefined
    else expected = result.ok ? result.version : result.actual
  }
}

async function leaderOf(node: Node): Promise<string> {
  const manager = await node.connection.nc.jetstreamManager({ timeout: 1_000 })
  const { cluster: raft } = await manager.streams.info(logStream(node.store.namespace))
  return raft?.leader ?? ''
}

async function underLoad(
  title: string,
  disturb: (node: Node, ledger: Ledger) => Promise<void>,
): Promise<void> {
  await t.test(title, async t => {
    const nodes = await openNodes(freshNamespace(), 3)
    const ledger = new Ledger()
    const falseConflicts: unknown[] = []
    let over = false
    const enough = () => over
    const writers = nodes.flatMap((node, i) => [
      ...[0, 1].map(j => {
        const actor = { type: 'own', id: `${i}-${j}` }
        return writeAlone(node, actor, ledger, falseConflicts, enough)
      }),
      writeTogether(node, ledger, randomOf(i), enough),
    ])
    try {
      await disturb(nodes[0]!, ledger)
    } finally {
      over = true
      await Promise.all(writers)
    }
    t.strictSame(falseConflicts, [], 'nobody who writes alone is told of a conflict')
    await ledger.check(t, nodes[1]!.store)
    t.comment(ledger.summary())
    for (const node of nodes) await node[Symbol.asyncDispose]()
  })
}

async function progress(ledger: Ledger, count: number): Promise<void> {
  const goal = ledger.acknowledged.size + count
  await until(() => ledger.acknowledged.size >= goal, {
    timeout: 60_000,
    describe: `${count} more appends are acknowledged`,
  })
}

await underLoad('the stream’s leader steps down repeatedly', async (node, ledger) => {
  const stream = logStream(node.store.namespace)
  for (let i = 0; i < 5; i++) {
    await progress(ledger, 150)
    const before = await until(() => leaderOf(node))
    await node.connection.nc.request(`$JS.API.STREAM.LEADER.STEPDOWN.${stream}`, '', {
      timeout: 5_000,
    })
    await until(async () => {
      const leader = await leaderOf(node)
      return leader !== '' && leader !== before
    })
  }
  await progress(ledger, 150)
})

await underLoad('the stream’s leader is killed and restarted', async (node, ledger) => {
  for (let kills = 0; kills < 2; kills++) {
    await progress(ledger, 200)
    const leader = await until(() => leaderOf(node))
    const server = cluster.servers.find(({ name }) => name === leader)!
    await server.kill()
    await progress(ledger, 200)
    await server.restart()
    await cluster.ready()
  }
  await progress(ledger, 200)
})
