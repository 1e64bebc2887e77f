// A run of the trust harness: builds what it needs and runs it. Arguments are those of test/trust/main.ts;
// `--short` makes the two runs of the gate.

import { spawn } from 'node:child_process'
import { once } from 'node:events'

import { buildTests } from './build-tests.mjs'
import { ensureNatsServer } from './nats-server.mjs'

const short = ['--minutes', '0.3', '--seed', '1']
const shortRuns = [
  [...short, '--place', 'lmdb', '--faults', 'none'],
  [...short, '--place', 'nats', '--faults', 'host-kill'],
]
const given = process.argv.slice(2)

const { path } = await ensureNatsServer({ log: console.error })
await buildTests()
for (const args of given[0] === '--short' ? shortRuns : [given]) {
  const run = spawn(
    process.execPath,
    ['--enable-source-maps', 'build/test/trust/main.js', ...args],
    { stdio: 'inherit', env: { ...process.env, CAIRN_NATS_SERVER: path } },
  )
  const [code] = await once(run, 'exit')
  if (code !== 0) process.exitCode = code ?? 1
}
