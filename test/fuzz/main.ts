// The program of `npm run fuzz`: runs all targets, prints the report, and ends with 1 if anything was found.
//
//     node build/test/fuzz/main.js [--minutes N] [--seed N]

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { formatReport, fuzz } from './run.js'
import { targetsIn } from './targets.js'

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string' } },
})
const seed = Number(values.seed ?? Date.now() % 1_000_000)
const cpu = Number(values.minutes) * 60_000
if (!Number.isFinite(seed) || !(cpu > 0))
  throw new Error('--minutes and --seed are numbers.')
const corpus = JSON.parse(await readFile('test/fuzz/corpus.json', 'utf8')) as Record<
  string,
  string[]
>
const dir = await mkdtemp(join(tmpdir(), 'cairn-fuzz-'))
try {
  const report = await fuzz(targetsIn(dir), { seed, cpu, corpus })
  console.log(`seed ${seed}\n${formatReport(report)}`)
  const { crashes, hangs, unclear, differences } = report
  if (crashes.length + hangs.length + unclear.length + differences.length > 0)
    process.exitCode = 1
} finally {
  await rm(dir, { recursive: true, force: true })
}
