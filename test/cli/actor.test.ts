// cairn actor: directives with no node running, and what is printed.

import t from 'tap'

import { cairn } from '../multinode/harness.js'

const dir = t.testdir()
const here = ['--ns', 'cli', '--embedded', dir]
const directive = (...args: string[]) => cairn('actor', ...args, ...here)
const deposit = (id: string) =>
  cairn('ask', `account/${id}`, 'deposit', '{"amount":5}', '--demo', ...here)

await t.test('pause and resume need no node', async t => {
  t.equal((await deposit('p')).code, 0)
  const paused = await directive('pause', 'account/p', '--reason', 'audit', '--by', 'ann')
  t.strictSame(
    [paused.code, paused.stdout, paused.stderr],
    [0, 'account/p is paused\n', ''],
  )
  const refused = await deposit('p')
  t.equal(refused.code, 1)
  t.match(refused.stderr, /paused by "ann".*\("audit"\).*\[actor-paused\]\n$/)
  const asJson = await directive('pause', 'account/p', '--by', 'bob', '--json')
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
  const resumed = await directive('resume', 'account/p')
  t.strictSame([resumed.code, resumed.stdout], [0, 'account/p is resumed\n'])
  t.equal((await deposit('p')).code, 0)
  const twice = await directive('resume', 'account/p', '--json')
  t.equal(twice.code, 1)
  t.match(JSON.parse(twice.stdout), { version: 3, rejection: { code: 'not-paused' } })
  t.equal(twice.stderr, 'account/p: account/p is not paused. [not-paused]\n')
})

await t.test(
  'skip finds the version that an actor is parked on, or is given one',
  async t => {
    t.equal((await deposit('s')).code, 0)
    const healthy = await directive('skip', 'account/s', '--demo')
    t.equal(healthy.code, 1)
    t.match(healthy.stderr, /can be read up to version 1.*\[not-parked\]/)
    for (let n = 0; n < 2; n++) await cairn('append', 'account/s', 'sour', ...here)
    const nobody = await directive('skip', 'account/s')
    t.equal(nobody.code, 3, 'no node hosts the type')
    t.match(nobody.stderr, /\[no-node\]/)
    const beyond = await directive('skip', 'account/s', '--version', '4')
    t.equal(beyond.code, 1)
    t.match(beyond.stderr, /has no version 4: its last is 3\. \[unknown-version\]/)
    const found = await directive('skip', 'account/s', '--demo')
    t.strictSame(
      [found.code, found.stdout],
      [0, 'account/s skips version 2\n'],
      found.stderr,
    )
    const given = await directive('skip', 'account/s', '--version', '3', '--json')
    t.match(JSON.parse(given.stdout), { skipped: [[2, 3]] })
    const state = await cairn('state', 'account/s', '--demo', '--json', ...here)
    t.strictSame(JSON.parse(state.stdout), { version: 3, state: { balance: 5 } })
    t.equal((await deposit('s')).code, 0)
  },
)

await t.test('retry is recorded, and an actor without events is pointed out', async t => {
  const retried = await directive('retry', 'account/nobody')
  t.strictSame(
    [retried.code, retried.stdout, retried.stderr],
    [
      0,
      'account/nobody is read again where it was parked\n',
      'account/nobody has no events: is that its name?\n',
    ],
  )
})

await t.test('actors leaves out reserved types, unless one is given', async t => {
  const all = await cairn('actors', ...here)
  t.strictSame(all.lines.toSorted(), ['account/p', 'account/s'])
  const own = await cairn('actors', '--type', 'cairn-supervision', ...here)
  t.strictSame(own.lines.toSorted(), [
    'cairn-supervision/account/nobody',
    'cairn-supervision/account/p',
    'cairn-supervision/account/s',
  ])
})

await t.test('an invalid command line is a usage error', async t => {
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
  const long = await directive('pause', 'account/p', '--reason', 'x'.repeat(1025))
  t.equal(long.code, 1)
  t.match(long.stderr, /reason.*\[bad-order\]/)
})
