// P1, P3 and P4 with two owners of every actor that hear nothing of each other, on real servers.

import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { provesFairness, provesTwoOwners } from '../support/double-owner.js'
import { startNats } from '../support/nats.js'
import { freshNamespace } from './nodes.js'

await using server = await startNats()

await t.test('two nodes own every actor at once, on one JetStream namespace', async t => {
  await provesTwoOwners(t, {
    backend: () => jetstream({ servers: server.url }),
    namespace: freshNamespace(),
    commands: 1_500,
  })
})

await t.test('two owners of one busy actor both answer every command', async t => {
  await provesFairness(t, {
    backend: () => jetstream({ servers: server.url }),
    namespace: freshNamespace(),
    commands: 2_000,
  })
})
