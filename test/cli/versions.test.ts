// cairn versions: what runs, and the minimum that is required of the nodes.

import t from 'tap'

import { cairn, startNode } from '../multinode/harness.js'
import { isRefused, jsonLines } from './support.js'

const dir = t.testdir()
const here = ['--ns', 'least', '--embedded', dir]
const versions = (...args: string[]) => cairn('versions', ...args, ...here)

await t.test(
  'versions that run, a minimum that they meet, and one that they do not',
  async t => {
    await using node = await startNode(...here, '--demo')
    t.strictSame(jsonLines(await versions('--json')), [
      { wire: 1, runs: [3] },
      { type: 'account', minimum: 1, runs: [1] },
      { type: 'trip', minimum: 1, runs: [1] },
    ])
    isRefused(t, await versions('require', 'account=2'), {
      code: 1,
      says: /Nothing was changed: node ".*" has version 1 of account\. Replace these nodes first\./,
    })
    const dry = await versions('require', 'account=2', '--dry-run')
    t.equal(dry.code, 1)
    t.match(dry.stderr, /^Behind: node ".*" has version 1 of account\.\n$/)
    t.match(dry.stdout, 'account  minimum 2')
    await node.stop()
  },
)

await t.test('a node below the minimum does not start', async t => {
  const set = await versions('require', 'account=2', '--json')
  t.equal(set.code, 0, set.stderr)
  t.strictSame(jsonLines(set), [
    { wire: 1, runs: [] },
    { type: 'account', minimum: 2, runs: [] },
  ])
  await t.rejects(startNode(...here, '--demo'), /needs version 2 of actor type account/)
})

await t.test('slips', async t => {
  for (const [args, says] of [
    [['require'], /TYPE=VERSION is missing/],
    [['require', 'account'], /"account" is no TYPE=VERSION/],
    [['require', 'account=0'], /versions are 1, 2, 3/],
    [['raise', 'account=2'], /use require/],
    [['--dry-run'], /need ".* versions require"/],
  ] as const) {
    const { code, stderr } = await versions(...args)
    t.ok(code === 1 || code === 2, args.join(' '))
    t.match(stderr, says)
  }
})
