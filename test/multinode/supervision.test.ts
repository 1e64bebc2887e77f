// What an operator says in one process, and what the others make of it.

import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { isCairnError } from '../../src/model/errors.js'
import { startNode as startHere } from '../../src/runtime/start-node.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { cairn, run, startNode } from './harness.js'

await using server = await startNats()
const patience = { timeout: 120_000 }
const ids = ['k0', 'k1', 'k2', 'k3']

/** A node of this process, which hosts nothing. */
const clientOf = (namespace: string) =>
  startHere({ namespace, store: jetstream({ servers: server.url }) })

await t.test(
  'a pause is obeyed by other processes, through kill -9 and restart',
  async t => {
    const at = ['--ns', 'paused', '--nats', server.url]
    await using client = await clientOf('paused')
    const deposit = (id: string) =>
      client.ask({ type: 'account', id }, 'deposit', { amount: 1 })
    const isRefused = async (id: string) => {
      try {
        await deposit(id)
        return false
      } catch (error) {
        if (!isCairnError(error, 'actor-paused')) throw error
        return error.message
      }
    }
    const first = await startNode(...at, '--demo', '--id', 'first')
    const second = await startNode(...at, '--demo', '--id', 'second')
    t.teardown(() => Promise.all([first.kill(), second.kill()]))
    await until(() => client.members().length === 2, patience)
    for (const id of ids) t.match(await deposit(id), { ok: true })

    for (const id of ids) {
      const order = ['pause', `account/${id}`, '--by', 'ann', '--reason', 'audit']
      const told = await cairn('actor', ...order, ...at)
      t.strictSame([told.code, told.stdout], [0, `account/${id} is paused\n`])
      const refused = await until(() => isRefused(id), patience)
      t.match(refused, /is paused by "ann" since .*\("audit"\)/)
    }
    const read = await cairn('state', 'account/k0', ...at, '--json')
    t.equal(read.code, 0, 'a paused actor can be read')

    await first.kill()
    for (const id of ids) t.ok(await until(() => isRefused(id), patience), 'by the other')
    await second.kill()
    await using third = await startNode(...at, '--demo', '--id', 'third')
    for (const id of ids) t.ok(await isRefused(id), 'by one that was not there')

    const resumed = await cairn('actor', 'resume', 'account/k0', ...at, '--json')
    t.equal(resumed.code, 0, resumed.stderr)
    await until(async () => !(await isRefused('k0')), patience)
    t.ok(await isRefused('k1'))
    const trail = await cairn('read', 'cairn-supervision/account/k0', ...at, '--json')
    t.match(
      trail.lines.map(line => JSON.parse(line) as unknown),
      [
        { type: 'paused', version: 1, data: { by: 'ann', reason: 'audit' } },
        { type: 'resumed', version: 2, data: { by: /./ } },
      ],
    )
    t.equal(await third.stop(), 0)
  },
)

await t.test('a skip from the command line is obeyed by nodes that run', async t => {
  const at = ['--ns', 'skipped', '--nats', server.url]
  await using first = await startNode(...at, '--demo', '--id', 'first')
  await using second = await startNode(...at, '--demo', '--id', 'second')
  await using client = await clientOf('skipped')
  await until(() => client.members().length === 2, patience)
  const ask = (id: string) =>
    client.ask({ type: 'account', id }, 'deposit', { amount: 1 })
  const isParked = (id: string) =>
    ask(id).then(
      () => false,
      (error: unknown) => isCairnError(error, 'actor-parked'),
    )
  for (const id of ids) {
    t.match(await ask(id), { ok: true })
    await client.store.append({ type: 'account', id }, [{ type: 'sour' }])
    await until(() => isParked(id), patience)
    const told = await cairn('actor', 'skip', `account/${id}`, ...at, '--json')
    t.equal(told.code, 0, told.stderr)
    const { skipped } = JSON.parse(told.stdout) as { skipped: [number, number][] }
    const [[version]] = skipped as [[number, number]]
    const again = await until(() => ask(id), patience)
    t.match(again, { ok: true, version: version + 1 })
  }
  for (const node of [first, second])
    await until(
      () =>
        node.lines.some(
          line => line.level === 40 && /skips version/.test(String(line.msg)),
        ),
      patience,
    )
})

await t.test('a node whose actor escalates drains and exits 1', async t => {
  const at = ['--ns', 'escalated', '--nats', server.url]
  const node = await startNode(...at, '--actors', 'test/support/actors/escalating.mjs')
  t.teardown(() => node.kill())
  await cairn('append', 'vault/v', 'robbed', ...at)
  const asked = run(['dist/cli/main.js', 'ask', 'vault/v', 'put', '1', ...at])
  t.equal(await node.ended, 1)
  t.equal(await asked.ended, 1, asked.stderr())
  t.match(asked.stderr(), /\[actor-parked\]/, 'whoever had asked is answered')
  t.match(
    node.lines.filter(({ level }) => level === 60),
    [{ msg: 'an actor has failed', actor: 'vault/v' }],
  )
  t.ok(node.lines.some(({ msg }) => msg === 'node stopped'))
})
