// cairn actor: what it prints, with no node running.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

import { cairn } from '../multinode/harness.js'

const dir = await mkdtemp(join(tmpdir(), 'cairn-actor-'))
t.teardown(() => rm(dir, { recursive: true, force: true }))
const here = ['--ns', 'cli', '--embedded', dir]
const order = (...args: string[]) => cairn('actor', ...args, ...here)
const deposit = (id: string) =>
  cairn('ask', `account/${id}`, 'deposit', '{"amount":5}', '--demo', ...here)

await t.test('pause and resume need no node', async t => {
  t.equal((await deposit('p')).code, 0)
  const paused = await order('pause', 'account/p', '--reason', 'audit', '--by', 'ann')
  t.strictSame(
    [paused.code, paused.stdout, paused.stderr],
    [0, 'account/p is paused\n', ''],
  )
  const refused = await deposit('p')
  t.equal(refused.code, 1)
  t.match(refused.stderr, /paused by "ann".*\("audit"\).*\[actor-paused\]\n$/)
  const asJson = await order('pause', 'account/p', '--by', 'bob', '--json')
  const view = JSON.parse(asJson.stdout) as Record<string, unknown>
  t.strictSame(Object.keys(view), [
    'actor',
    'version',
    'position',
    'paused',
    'skipped',
    'retries',
  ])
  t.match(view, { actor: 'account/p', version: 2, paused: { by: 'bob', at: Number } })
  const resumed = await order('resume', 'account/p')
  t.strictSame([resumed.code, resumed.stdout], [0, 'account/p is resumed\n'])
  t.equal((await deposit('p')).code, 0)
  const twice = await order('resume', 'account/p', '--json')
  t.equal(twice.code, 1)
  t.match(JSON.parse(twice.stdout), { version: 3, rejection: { code: 'not-paused' } })
  t.equal(twice.stderr, 'account/p: account/p is not paused. [not-paused]\n')
})

await t.test('skip finds out what it is parked on, or is told', async t => {
  t.equal((await deposit('s')).code, 0)
  const healthy = await order('skip', 'account/s', '--demo')
  t.equal(healthy.code, 1)
  t.match(healthy.stderr, /can be read up to version 1.*\[not-parked\]/)
  for (let n = 0; n < 2; n++) await cairn('append', 'account/s', 'sour', ...here)
  const nobody = await order('skip', 'account/s')
  t.equal(nobody.code, 3, 'no node hosts the type')
  t.match(nobody.stderr, /\[no-node\]/)
  const beyond = await order('skip', 'account/s', '--version', '4')
  t.equal(beyond.code, 1)
  t.match(beyond.stderr, /has no version 4: its last is 3\. \[unknown-version\]/)
  const found = await order('skip', 'account/s', '--demo')
  t.strictSame(
    [found.code, found.stdout],
    [0, 'account/s passes over version 2\n'],
    found.stderr,
  )
  const told = await order('skip', 'account/s', '--version', '3', '--json')
  t.match(JSON.parse(told.stdout), { skipped: [[2, 3]] })
  const state = await cairn('state', 'account/s', '--demo', '--json', ...here)
  t.strictSame(JSON.parse(state.stdout), { version: 3, state: { balance: 5 } })
  t.equal((await deposit('s')).code, 0)
})

await t.test('retry is recorded, and a name without events is doubted', async t => {
  const told = await order('retry', 'account/nobody')
  t.strictSame(
    [told.code, told.stdout, told.stderr],
    [
      0,
      'account/nobody is read anew where it was parked\n',
      'account/nobody has no events: is that its name?\n',
    ],
  )
})

await t.test(
  'actors leaves out the types of the package itself, unless one is named',
  async t => {
    const all = await cairn('actors', ...here)
    t.strictSame(all.lines.toSorted(), ['account/p', 'account/s'])
    const own = await cairn('actors', '--type', 'cairn-supervision', ...here)
    t.strictSame(own.lines.toSorted(), [
      'cairn-supervision/account/nobody',
      'cairn-supervision/account/p',
      'cairn-supervision/account/s',
    ])
  },
)

await t.test('a command line that makes no sense is a usage error', async t => {
  const wrong = [
    ['actor'],
    ['actor', 'pause'],
    ['actor', 'stop', 'account/p'],
    ['actor', 'pause', 'account'],
    ['actor', 'pause', 'account/p', '--version', '3'],
    ['actor', 'skip', 'account/p', '--version', 'x'],
    ['actor', 'pause', 'cairn-supervision/account/p'],
    ['actor', 'pause', 'account/p', 'now'],
  ]
  for (const args of wrong) {
    const { code, stdout, stderr } = await cairn(...args, ...here)
    t.strictSame([code, stdout], [2, ''], `${args.join(' ')}: ${stderr}`)
  }
  const long = await order('pause', 'account/p', '--reason', 'x'.repeat(1025))
  t.equal(long.code, 1)
  t.match(long.stderr, /reason.*\[bad-order\]/)
})
