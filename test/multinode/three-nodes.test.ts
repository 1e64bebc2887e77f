// Three node processes on one server, and the command line beside them, as the README shows.

import t from 'tap'

import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { cairn, run, startNode } from './harness.js'

await using server = await startNats()
const at = ['--nats', server.url]
const inA = ['--ns', 'tenant-a', ...at]
await using _a = await startNode(...inA, '--demo', '--id', 'node-a')
await using _b = await startNode(...inA, '--demo', '--id', 'node-b')
await using _c = await startNode(...inA, '--demo', '--id', 'node-c')

await t.test('a command is answered with version, position and reply', async t => {
  const asked = await cairn(
    'ask',
    'account/alice',
    'deposit',
    '{"amount":10}',
    ...inA,
    '--json',
  )
  t.equal(asked.code, 0, asked.stderr)
  t.strictSame(JSON.parse(asked.stdout), {
    version: 1,
    position: 1,
    reply: { balance: 10 },
    duplicate: false,
  })
})

await t.test('whichever node answers, it has seen what the others stored', async t => {
  for (let i = 2; i <= 12; i++) {
    const asked = await cairn(
      'ask',
      'account/alice',
      'deposit',
      '{"amount":10}',
      ...inA,
      '--json',
    )
    t.strictSame(JSON.parse(asked.stdout), {
      version: i,
      position: i,
      reply: { balance: 10 * i },
      duplicate: false,
    })
  }
})

await t.test('reading shows the events from any process', async t => {
  const read = await cairn('read', 'account/alice', ...inA, '--json', '--to', '2')
  t.equal(read.code, 0, read.stderr)
  const events = read.lines.map(line => JSON.parse(line) as Record<string, unknown>)
  t.match(events, [
    {
      id: 'account/alice/1',
      type: 'deposited',
      version: 1,
      position: 1,
      data: { amount: 10 },
    },
    { id: 'account/alice/2', type: 'deposited', version: 2, position: 2 },
  ])
})

await t.test('tail shows an event as it is stored', async t => {
  const tail = run(['dist/cli/main.js', 'tail', ...inA, '--json', '--after', '12'])
  await cairn('ask', 'account/bob', 'deposit', '{"amount":7}', ...inA)
  const seen = await until(() => tail.stdout().includes('\n') && tail.stdout(), {
    describe: 'tail prints the deposit',
  })
  t.match(JSON.parse(seen.trim()), {
    id: 'account/bob/1',
    data: { amount: 7 },
    position: 13,
  })
  tail.child.kill('SIGINT')
  t.equal(await tail.ended, 0, 'an interrupted tail ends well')
})

await t.test('the state is told as it is, and as it was', async t => {
  const now = await cairn('state', 'account/alice', ...inA, '--json')
  t.strictSame(JSON.parse(now.stdout), { version: 12, state: { balance: 120 } })
  const then = await cairn('state', 'account/alice', '--version', '3', ...inA, '--json')
  t.strictSame(JSON.parse(then.stdout), { version: 3, state: { balance: 30 } })
})

await t.test('another namespace has nothing of it', async t => {
  const other = ['--ns', 'tenant-b', ...at]
  const unknown = await cairn('read', 'account/alice', ...other)
  t.match(unknown.stderr, /no namespace "tenant-b"/)
  t.equal((await cairn('namespaces', 'create', 'tenant-b', ...at)).code, 0)
  const read = await cairn('read', 'account/alice', ...other, '--json')
  t.equal(read.code, 0, read.stderr)
  t.equal(read.stdout, '')
  const listed = await cairn('actors', ...other)
  t.equal(listed.stdout, '')
  const mine = await cairn('actors', ...inA, '--json')
  t.strictSame(
    mine.lines.map(line => (JSON.parse(line) as { actor: string }).actor).toSorted(),
    ['account/alice', 'account/bob'],
  )
})

await t.test('a refusal exits 1 and says why; a version conflict exits 4', async t => {
  const refused = await cairn(
    'ask',
    'account/alice',
    'withdraw',
    '{"amount":500}',
    ...inA,
    '--json',
  )
  t.equal(refused.code, 1)
  t.match(JSON.parse(refused.stdout), { version: 12, rejection: { code: 'overdraft' } })
  t.match(refused.stderr, /The balance is 120/)
  const conflict = await cairn(
    'append',
    'account/alice',
    'noted',
    ...inA,
    '--expect',
    '3',
    '--json',
  )
  t.equal(conflict.code, 4)
  t.strictSame(JSON.parse(conflict.stdout), { expected: 3, actual: 12 })
})
