// The nats-server of the test kit: found, started, and gone without a trace.

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { startNode } from '../../src/runtime/start-node.js'
import { testNats } from '../../src/testing/nats.js'

const counter = defineActor({
  type: 'counter',
  initialState: 0,
  decide: { add: (_: number, by: number) => event('added', by) },
  evolve: { added: (sum: number, by: number) => sum + by },
})

const folder = await mkdtemp(join(tmpdir(), 'cairn-test-nats-test-'))
const { TMPDIR, CAIRN_NATS_SERVER } = process.env
process.env['TMPDIR'] = folder
t.teardown(async () => {
  if (TMPDIR === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = TMPDIR
  await rm(folder, { recursive: true })
})

await t.test('two at once, each with data of its own', async t => {
  await using one = await testNats()
  await using two = await testNats()
  t.not(one.url, two.url)
  t.match(one.version, /^2\.\d+\.\d+/)
  for (const { url } of [one, two]) {
    const store = jetstream({ servers: url })
    await using node = await startNode({ namespace: 'n', store, actors: [counter] })
    const { ok, version } = await node.spawn(counter, 'c').ask('add', 1)
    t.ok(ok)
    t.equal(version, 1, 'no command of the other one')
  }
  t.equal((await readdir(folder)).length, 2)
  await one.stop()
  await one.stop()
  await t.rejects(
    startNode({ namespace: 'n', store: jetstream({ servers: one.url }) }),
    { code: 'store-unreachable' },
    'it has ended',
  )
})

await t.test('nothing is left of it', async t => {
  t.strictSame(await readdir(folder), [])
})

await t.test('without a server', async t => {
  process.env['CAIRN_NATS_SERVER'] = join(folder, 'none')
  t.teardown(() => {
    if (CAIRN_NATS_SERVER === undefined) delete process.env['CAIRN_NATS_SERVER']
    else process.env['CAIRN_NATS_SERVER'] = CAIRN_NATS_SERVER
  })
  await t.rejects(testNats(), /CAIRN_NATS_SERVER/)
  t.strictSame(await readdir(folder), [])
})

await t.test('given up, and wrong options', async t => {
  const reason = new Error('enough')
  await t.rejects(testNats({ signal: AbortSignal.abort(reason) }), reason)
  await t.rejects(testNats({ downlaod: false } as never), { code: 'invalid-option' })
  t.strictSame(await readdir(folder), [])
})
