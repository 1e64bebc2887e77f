// cairn projections: the builds are shown with no node running.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { defineProjection } from '../../src/projection/define-projection.js'
import { startNode } from '../../src/runtime/start-node.js'
import { cairn } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { homesOf, jsonLines } from './support.js'

const account = defineActor({
  type: 'account',
  initialState: 0,
  decide: { deposit: (_state, amount: number) => event('deposited', amount) },
  evolve: { deposited: (state, amount: number) => state + amount },
})
const sums = defineProjection({
  name: 'sums',
  from: account,
  initial: 0,
  when: { deposited: (sum, { data }) => sum + data },
})

await using server = await startNats()
const dir = t.testdir()

const homes = homesOf(server, dir)

for (const { name, store, flags } of homes)
  await t.test(`projections are shown and rebuilt, on ${name}`, async t => {
    const namespace = 'shown'
    const projections = (...args: string[]) =>
      cairn('projections', '--ns', namespace, ...flags, ...args)
    await cairn('namespaces', 'create', namespace, ...flags)
    const none = await projections()
    t.strictSame([none.code, none.stdout], [0, ''])
    t.match(none.stderr, /No node has built a projection in this namespace yet/)
    const unknown = await projections('--rebuild', 'sums')
    t.equal(unknown.code, 2)
    t.match(unknown.stderr, /No node has built a projection "sums"/)

    await using node = await startNode({
      namespace,
      store,
      actors: [account],
      projections: [sums],
    })
    const stored = await node.spawn(account, 'a').ask('deposit', 5)
    await node.projection(sums).waitFor(stored)
    t.strictSame((await projections()).lines, [
      'sums  build 1 of version 1  live  at 1 of 1  0 behind',
    ])
    const shown = await projections('--json', '--rebuild', 'sums')
    t.equal(shown.code, 0)
    t.ok(jsonLines(shown).some(({ build }) => build === 2))
    await until(
      async () => {
        const { builds } = await node.projection(sums).status()
        return builds.length === 1 && builds[0]!.number === 2
      },
      { timeout: 60_000 },
    )
    t.equal(await node.projection(sums).get('a'), 5)
    t.strictSame((await projections('--json')).lines, [
      '{"name":"sums","build":2,"version":1,"state":"live","position":1,"lag":0,"lagSeconds":0,"end":1}',
    ])
  })
