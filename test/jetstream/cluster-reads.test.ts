// P1, P5 on a stream with three replicas: every acknowledged commit is read, whichever server answers.

import t from 'tap'

import { collect, deposits, mustAppend, span } from '../contract/store/support.js'
import { startNatsCluster } from '../support/nats.js'
import { freshNamespace, openNode } from './nodes.js'

await using cluster = await startNatsCluster()

await t.test(
  'nodes that open a new namespace at the same time share one log',
  async t => {
    for (let round = 0; round < 8; round++) {
      const namespace = freshNamespace()
      const nodes = await Promise.all(
        span(0, 5).map(i => openNode(cluster.urls[i % 3]!, { namespace, replicas: 3 })),
      )
      const actor = { type: 'account', id: 'alice' }
      const results = await Promise.all(
        nodes.map(({ store }) => store.append(actor, deposits(round), { expected: 0 })),
      )
      t.equal(results.filter(result => result.ok).length, 1, 'one of them wins')
      t.equal(await nodes[5]!.store.lastPosition(), 1)
      for (const node of nodes) await node[Symbol.asyncDispose]()
    }
  },
)

await t.test(
  'a commit acknowledged by one server is read at once from another',
  async t => {
    const namespace = freshNamespace()
    const [writer, reader] = await Promise.all(
      [0, 1].map(i => openNode(cluster.urls[i]!, { namespace, replicas: 3 })),
    )
    const rounds = 3_000
    const stale: string[] = []
    for (let round = 0; round < rounds; round++) {
      const actor = { type: 'account', id: String(Math.floor(round / 20)) }
      const { version, position } = await mustAppend(
        writer!.store,
        actor,
        deposits(round),
      )
      const head = await reader!.store.head(actor)
      if (head.version !== version) stale.push(`head ${head.version} of ${version}`)
      const options = { from: version, backwards: round % 2 === 0 }
      const [last] = await collect(reader!.store.read(actor, options))
      if (last?.position !== position) stale.push(`read without ${version}`)
      if (round % 5 === 0) {
        const [record] = await collect(reader!.store.readAll({ after: position - 1 }))
        if (record?.position !== position) stale.push(`readAll without ${position}`)
      }
    }
    t.strictSame(stale, [], `${rounds} rounds`)
    const last = await reader!.store.lastPosition()
    t.equal((await collect(reader!.store.readAll())).length, last)
    for (const node of [writer!, reader!]) await node[Symbol.asyncDispose]()
  },
)
