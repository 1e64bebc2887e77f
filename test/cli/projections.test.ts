// cairn projections: which builds there are, told without any node.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { embedded } from '../../src/backend/embedded.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { defineProjection } from '../../src/projection/define-projection.js'
import { startNode } from '../../src/runtime/start-node.js'
import { cairn } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

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

const homes = [
  {
    name: 'JetStream',
    store: jetstream({ servers: server.url }),
    flags: ['--nats', server.url],
  },
  { name: 'embedded', store: embedded({ dir }), flags: ['--embedded', dir] },
]

for (const { name, store, flags } of homes)
  await t.test(`projections are shown and built anew, on ${name}`, async t => {
    const namespace = 'shown'
    const projections = (...args: string[]) =>
      cairn('projections', '--ns', namespace, ...flags, ...args)
    const none = await projections()
    t.strictSame([none.code, none.stdout], [0, ''])
    t.match(none.stderr, /No projection was ever built/)
    const unknown = await projections('--rebuild', 'sums')
    t.equal(unknown.code, 2)
    t.match(unknown.stderr, /No projection "sums" was ever built/)

    await using node = await startNode({
      namespace,
      store,
      actors: [account],
      projections: [sums],
    })
    const told = await node.spawn(account, 'a').ask('deposit', 5)
    await node.projection(sums).waitFor(told)
    t.strictSame((await projections()).lines, [
      'sums  build 1 of version 1  live  at 1 of 1  0 behind',
    ])
    const shown = await projections('--json', '--rebuild', 'sums')
    t.equal(shown.code, 0)
    t.ok(
      shown.lines
        .map(line => JSON.parse(line) as object)
        .some(line => 'build' in line && line.build === 2),
    )
    await until(
      async () => {
        const { builds } = await node.projection(sums).status()
        return builds.length === 1 && builds[0]!.number === 2
      },
      { timeout: 60_000 },
    )
    t.equal(await node.projection(sums).get('a'), 5)
    t.strictSame((await projections('--json')).lines, [
      '{"name":"sums","build":2,"version":1,"state":"live","position":1,"lag":0,"end":1}',
    ])
  })
