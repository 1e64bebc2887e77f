// The only server stops, or is killed, and comes back with its data, while two nodes serve
// and commands keep coming.

import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { type NodeProcess, startNode } from './harness.js'
import { examine, holds, Load } from './load.js'

/** A command is asked by its id until it is answered; this many times is for ever. */
const asksMax = 500

const unverified = ({ lines }: NodeProcess, reason: string) =>
  lines.filter(
    line =>
      line.reason === reason &&
      line.msg === 'notices may have been missed; caches are unverified',
  ).length

for (const end of ['stop', 'kill'] as const)
  await t.test(`a server that is ended by ${end} and comes back`, async t => {
    await using server = await startNats()
    const flags = ['--ns', end, '--nats', server.url, '--demo']
    await using first = await startNode(...flags, '--id', 'first')
    await using second = await startNode(...flags, '--id', 'second')
    const load = await Load.start(jetstream({ servers: server.url }), end, { asksMax })
    t.teardown(() => load.close())
    for (let round = 1; round <= 3; round++) {
      await load.more(300, 'with the server')
      await server[end]()
      await server.restart()
      await until(
        () => [first, second].every(node => unverified(node, 'reconnected') >= round),
        { describe: 'both nodes are back and distrust their caches' },
      )
    }
    await load.more(300, 'after the last return')
    const result = await load.end()
    const log = await examine(load.store)
    holds(t, result, log)
    t.equal(result.acknowledged.size, log.commands.size, 'all were answered in the end')
    t.ok(load.askedAgain > 0, `${load.askedAgain} times a command was asked again`)
    t.ok(log.writers.has('first') && log.writers.has('second'), 'both nodes wrote')
    t.equal(await first.stop(), 0, 'the first node lived through it and stops well')
    t.equal(await second.stop(), 0, 'and so does the second')
  })
