// Builds the tests and runs the fuzzer (test/fuzz). Arguments are those of test/fuzz/main.ts.

import { spawn } from 'node:child_process'
import { once } from 'node:events'

import { buildTests } from './build-tests.mjs'

await buildTests()
const run = spawn(
  process.execPath,
  ['--enable-source-maps', 'build/test/fuzz/main.js', ...process.argv.slice(2)],
  { stdio: 'inherit' },
)
const [code] = await once(run, 'exit')
process.exitCode = code ?? 1
