// What a node tells of its server: how full the log is, and whether the clocks of both agree. Real servers; the clock of a
// node that is wrong is that of its process.

import { connect } from 'nats'
import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { logStream } from '../../src/nats/subjects.js'
import { startNode } from '../../src/runtime/start-node.js'
import { run } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

const server = await startNats()
t.teardown(() => server.stop())

const pen = defineActor({
  type: 'pen',
  initialState: '',
  decide: { write: (_: string, text: string) => event('wrote', text) },
  evolve: { wrote: (_: string, text: string) => text },
})

await t.test('the size of the log, its limit, and the clock', async t => {
  const namespace = 'full'
  const store = jetstream({ servers: server.url })
  const node = await startNode({ namespace, store, actors: [pen] })
  await until(() => node.stats().connection?.log !== undefined)
  const { clockOffset, bytes, bytesMax } = node.stats().connection!.log!
  t.ok(Math.abs(clockOffset!) < 2_000, 'the same machine')
  t.equal(bytes, 0)
  t.equal(bytesMax, undefined, 'it has no limit')
  await node.spawn(pen, 'p').ask('write', 'x'.repeat(1_000))
  await node.close()

  const connection = await connect({ servers: server.url })
  t.teardown(() => connection.close())
  const manager = await connection.jetstreamManager()
  const name = logStream(namespace)
  const { config } = await manager.streams.info(name)
  await manager.streams.update(name, { ...config, max_bytes: 1_000_000 })
  const next = await startNode({ namespace, store, actors: [pen] })
  t.teardown(() => next.close())
  await until(() => next.stats().connection?.log !== undefined)
  t.ok(next.stats().connection!.log!.bytes > 1_000)
  t.equal(next.stats().connection!.log!.bytesMax, 1_000_000)
})

for (const [shift, says] of [
  [
    30_000,
    /^The clock of the NATS server is (29|30)\.\d s behind that of this machine: /,
  ],
  [
    -30_000,
    /^The clock of the NATS server is (30|31)\.\d s ahead of that of this machine: /,
  ],
] as const)
  await t.test(`a machine whose clock is ${shift} ms off`, async t => {
    const early = `const now = Date.now; Date.now = () => now() + ${shift}`
    const place = ['--ns', 'clocks', '--nats', server.url]
    const node = run([
      '--import',
      `data:text/javascript,${encodeURIComponent(early)}`,
      'dist/node.js',
      ...place,
    ])
    t.teardown(() => node.child.kill('SIGKILL'))
    const warnings = () =>
      node
        .stdout()
        .split('\n')
        .filter(line => line.includes('NATS server is'))
        .map(line => (JSON.parse(line) as { msg: string }).msg)
    await until(() => warnings().length > 0)
    t.match(warnings()[0], says)
    t.equal(warnings().length, 1)
    node.child.kill('SIGTERM')
    t.equal(await node.ended, 0)
  })
