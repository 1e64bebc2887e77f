// Everything that takes longer than the gate: the gate itself, each long test, mutants, and trust runs in each place.
//
//   npm run verify:all
//
// Takes some hours. Goes on after a failure, and ends with a line for each part; exits 1 if one failed.

import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** @type {readonly (readonly string[])[]} the arguments of `npm run` */
const parts = [
  ['verify'],
  ['test:coverage'],
  ['test:crashes'],
  ['test:reactors'],
  ['test:replicas'],
  ['test:grpc'],
  ['test:timers'],
  ['test:evolution'],
  ['types:cost'],
  ['test:simulation'],
  ['test:statecharts'],
  ['test:trust'],
  ['test:mutants'],
  ...['nats', 'r3', 'lmdb'].map(place => [
    'trust',
    '--',
    '--minutes=10',
    '--seed=1',
    `--place=${place}`,
  ]),
]

/** @type {string[]} */
const lines = []
for (const args of parts) {
  const startedAt = performance.now()
  const run = spawn('npm', ['run', '--silent', ...args], { stdio: 'inherit' })
  const [code] = await once(run, 'exit')
  const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1)
  const result = code === 0 ? 'passed' : 'FAILED'
  if (code !== 0) process.exitCode = 1
  lines.push(`${result} ${minutes.padStart(6)} min  npm run ${args.join(' ')}`)
}
console.log(lines.join('\n'))
