// A run of the trust harness: builds what it needs and runs it. Arguments are those of test/trust/main.ts.

import { spawn } from 'node:child_process'
import { once } from 'node:events'

import { buildTests } from './build-tests.mjs'
import { ensureNatsServer } from './nats-server.mjs'

const { path } = await ensureNatsServer({ log: console.error })
await buildTests()
const run = spawn(
  process.execPath,
  ['--enable-source-maps', 'build/test/trust/main.js', ...process.argv.slice(2)],
  { stdio: 'inherit', env: { ...process.env, CAIRN_NATS_SERVER: path } },
)
const [code] = await once(run, 'exit')
process.exitCode = code ?? 1
