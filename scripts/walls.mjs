// Tries every way from one namespace into another on real servers, and prints what went through. Arguments are those of
// test/walls/main.ts.

import { spawn } from 'node:child_process'
import { once } from 'node:events'

import { buildTests } from './build-tests.mjs'
import { ensureNatsServer } from './nats-server.mjs'

const { path } = await ensureNatsServer({ log: console.error })
await buildTests()
const walls = spawn(
  process.execPath,
  ['--enable-source-maps', 'build/test/walls/main.js', ...process.argv.slice(2)],
  { stdio: 'inherit', env: { ...process.env, CAIRN_NATS_SERVER: path } },
)
const [code] = await once(walls, 'exit')
process.exitCode = code ?? 1
