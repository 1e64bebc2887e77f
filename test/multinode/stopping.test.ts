// Nodes that stop, and nodes that are killed, while commands keep coming.

import t, { type Test } from 'tap'

import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { examine, Load, type LoadResult, type LogFacts, startNode } from './harness.js'

await using server = await startNats()

function holds(t: Test, { acknowledged, refused, unknown }: LoadResult, log: LogFacts) {
  t.strictSame(log.gaps, [], 'versions have no gap')
  const lost = [...acknowledged].filter(
    ([id, { actor, version }]) => log.versions.get(actor)?.get(version) !== id,
  )
  t.strictSame(
    lost,
    [],
    'every acknowledged command is in the log, at the version it was told',
  )
  const twice = [...log.commands].filter(([, times]) => times > 1)
  t.strictSame(twice, [], 'no command is in the log twice')
  const untrue = refused.filter(id => log.commands.has(id))
  t.strictSame(untrue, [], 'no refused command is in the log')
  t.comment(
    `${acknowledged.size} acknowledged, ${refused.length} refused, ${unknown.length} unanswered, ` +
      `${log.commands.size} in the log`,
  )
}

await t.test('SIGTERM under load exits 0, and no reply is lost', async t => {
  const flags = ['--ns', 'drain', '--nats', server.url, '--demo']
  const first = await startNode(...flags)
  await using _second = await startNode(...flags)
  const load = await Load.start(server.url, 'drain')
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
  t.strictSame(result.unknown, [], 'every command was answered')
  const unanswered = [...log.commands.keys()].filter(id => !result.acknowledged.has(id))
  t.strictSame(unanswered, [], 'every command in the log was acknowledged')
})

await t.test('SIGKILL under load loses nothing acknowledged', async t => {
  const flags = ['--ns', 'kill', '--nats', server.url, '--demo']
  await using _survivor = await startNode(...flags)
  const load = await Load.start(server.url, 'kill')
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
