// A short run of the fuzzer, of 100,000 cases and more, always the same one (`npm run fuzz` draws others): nothing that
// comes from outside ends the process, hangs it, or is refused without a reason.

import { readFile } from 'node:fs/promises'

import t from 'tap'

import { formatReport, fuzz } from './run.js'
import { targetsIn } from './targets.js'

const casesMin = 100_000

await t.test(
  'mutated input of every reader is read, or refused with a reason',
  async t => {
    const seed = Number(process.env['SEED'] ?? 1)
    const corpus = JSON.parse(await readFile('test/fuzz/corpus.json', 'utf8')) as Record<
      string,
      string[]
    >
    const report = await fuzz(targetsIn(t.testdir()), {
      seed,
      cpu: 8_000,
      casesMin,
      corpus,
    })
    t.comment(formatReport(report))
    t.ok(report.cases >= casesMin, `${report.cases} cases`)
    const { crashes, hangs, unclear, differences } = report
    t.strictSame(
      { crashes, hangs, unclear, differences },
      { crashes: [], hangs: [], unclear: [], differences: [] },
      `SEED=${seed}`,
    )
  },
)
