// P1, P3, P4 under load: connections are cut and answers lost at random, the server is killed and
// restarted. Every result that a writer received must match the log.

import t, { type Test } from 'tap'

import type { ActorAddress } from '../../src/model/address.js'
import { startNats } from '../support/nats.js'
import { type Proxy, startProxy } from '../support/proxy.js'
import { until } from '../support/wait.js'
import { freshNamespace, Ledger, type Node, openNode, randomOf } from './nodes.js'

const actors = ['a', 'b', 'c', 'd', 'e'].map((id): ActorAddress => ({
  type: 'counter',
  id,
}))

/** Appends to random actors until `enough`; half of them expect the version that the writer received last. */
async function write(
  { store }: Node,
  ledger: Ledger,
  random: () => number,
  enough: () => boolean,
): Promise<void> {
  const versions = new Map<ActorAddress, number>()
  while (!enough()) {
    const actor = actors[Math.floor(random() * actors.length)]!
    const known = versions.get(actor)
    const numeric = known !== undefined && random() < 0.5
    const count = random() < 0.2 ? 3 : 1
    const result = await ledger.write(store, actor, numeric ? known : 'any', count)
    if (result instanceof Error) versions.delete(actor)
    else versions.set(actor, result.ok ? result.version : result.actual)
  }
}

/** Injects faults into the connections through the proxy, one after another. */
async function trouble(
  proxy: Proxy,
  nodes: readonly Node[],
  ledger: Ledger,
  random: () => number,
  rounds: number,
): Promise<void> {
  const progress = async (steps: number) => {
    const goal = ledger.told + steps
    await until(() => ledger.told >= goal, { interval: 1, describe: 'the writers go on' })
  }
  const out = () =>
    until(() => nodes.some(node => node.connection.requests.inFlight > 0), {
      interval: 1,
      describe: 'a request is out',
    })
  for (let round = 0; round < rounds; round++) {
    await progress(1 + Math.floor(random() * 40))
    const kind = Math.floor(random() * 4)
    if (kind === 0) proxy.cut()
    else if (kind === 1) {
      const before = proxy.swallowed
      proxy.dropReplies(true)
      await until(() => proxy.swallowed > before, { interval: 1 })
      proxy.dropReplies(false)
    } else if (kind === 2) {
      proxy.pause()
      await out()
      proxy.cut()
      proxy.resume()
    } else {
      proxy.refuse(true)
      proxy.cut()
      await until(() => nodes.every(node => !node.connection.connected), { interval: 1 })
      proxy.refuse(false)
    }
  }
}

async function nodesOn(url: string, count: number, namespace: string): Promise<Node[]> {
  return Promise.all(
    Array.from({ length: count }, (_, i) =>
      openNode(url, { namespace, nodeId: `node-${i}` }),
    ),
  )
}

const dispose = (nodes: readonly Node[]) =>
  Promise.all(nodes.map(node => node[Symbol.asyncDispose]()))

async function underCuts(t: Test, seed: number): Promise<void> {
  await using server = await startNats()
  await using proxy = await startProxy(server.url)
  const namespace = freshNamespace()
  const nodes = await nodesOn(proxy.url, 4, namespace)
  const ledger = new Ledger()
  let over = false
  const writers = nodes.flatMap((node, i) =>
    [0, 1].map(j => write(node, ledger, randomOf(seed * 100 + i * 10 + j), () => over)),
  )
  try {
    await trouble(proxy, nodes, ledger, randomOf(seed), 15)
  } finally {
    over = true
    await Promise.all(writers)
    await dispose(nodes)
  }
  await using reader = await openNode(server.url, { namespace })
  await ledger.check(t, reader.store)
  t.ok(ledger.acknowledged.size > 0)
  t.comment(ledger.summary())
}

for (const seed of [1, 2, 3])
  await t.test(`connections cut and answers lost at random, seed ${seed}`, t =>
    underCuts(t, seed),
  )

await t.test('the server is killed and restarted under load', async t => {
  const server = await startNats()
  const namespace = freshNamespace()
  const nodes = await nodesOn(server.url, 3, namespace)
  const ledger = new Ledger()
  let over = false
  const writers = nodes.flatMap((node, i) =>
    [0, 1, 2].map(j => write(node, ledger, randomOf(i * 10 + j), () => over)),
  )
  try {
    for (let kills = 0; kills < 4; kills++) {
      const goal = ledger.acknowledged.size + 300
      await until(() => ledger.acknowledged.size >= goal, { timeout: 30_000 })
      await server.kill()
      await server.restart()
    }
    const goal = ledger.acknowledged.size + 100
    await until(() => ledger.acknowledged.size >= goal, { timeout: 30_000 })
  } finally {
    over = true
    await Promise.all(writers)
  }
  await ledger.check(t, nodes[0]!.store)
  t.comment(ledger.summary())
  await dispose(nodes)
  await server[Symbol.asyncDispose]()
})
