// Nodes that stop, and nodes that are killed, while commands keep coming.

import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { startNode } from './harness.js'
import { examine, holds, Load } from './load.js'

await using server = await startNats()
const store = jetstream({ servers: server.url })

await t.test('SIGTERM under load exits 0, and no reply is lost', async t => {
  const flags = ['--ns', 'drain', '--nats', server.url, '--demo']
  const first = await startNode(...flags)
  await using _second = await startNode(...flags)
  const load = await Load.start(store, 'drain')
  t.teardown(() => load.close())
  await until(() => load.acknowledged > 300, { describe: '300 deposits before the stop' })
  t.equal(await first.stop(), 0, 'it exits 0')
  t.ok(first.lines.some(line => line.msg === 'node stopped'))
  const before = load.acknowledged
  await until(() => load.acknowledged > before + 300, {
    describe: '300 deposits after it',
  })
  const result = await load.end()
  const log = await examine(load.store)
  holds(t, result, log)
  t.strictSame([...result.unknown], [], 'every command was answered')
  const unanswered = [...log.commands.keys()].filter(id => !result.acknowledged.has(id))
  t.strictSame(unanswered, [], 'every command in the log was acknowledged')
})

await t.test('SIGKILL under load loses nothing acknowledged', async t => {
  const flags = ['--ns', 'kill', '--nats', server.url, '--demo']
  await using _survivor = await startNode(...flags)
  const load = await Load.start(store, 'kill')
  t.teardown(() => load.close())
  for (let round = 0; round < 3; round++) {
    const victim = await startNode(...flags)
    const before = load.acknowledged
    await until(() => load.acknowledged > before + 200, {
      describe: '200 deposits with both',
    })
    await victim.kill()
    const after = load.acknowledged
    await until(() => load.acknowledged > after + 200, {
      describe: '200 deposits with one',
    })
  }
  const result = await load.end()
  holds(t, result, await examine(load.store))
})
