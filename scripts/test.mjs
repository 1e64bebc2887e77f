// Runs the whole suite with tap and closes with one plain line: `N passed, N failed`.
//
// Arguments go to tap: `npm test -- test/store/memory.test.ts` runs one file. Without any, the
// coverage of src is held against a threshold too. What only forked processes run (the
// programs) is not counted in it: they run dist, as users do.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'

import { buildTests, builtTest } from './build-tests.mjs'
import { ensureNatsServer } from './nats-server.mjs'

const { path, version, origin } = await ensureNatsServer({ log: console.error })
console.error(`nats-server ${version} (${origin}): ${path}`)

/** Percent of src that the suite must reach. Raise it when it has risen; never lower it. */
const coverageMinimum = { lines: 97, branches: 94 }

const args = process.argv.slice(2).map(builtTest)
const isWholeSuite = args.length === 0
const coverage = isWholeSuite
  ? ['--allow-incomplete-coverage', '--coverage-report=json-summary']
  : ['--disable-coverage']

await buildTests()
// tap as it was installed loads its TypeScript plugin; .taprc leaves it out, which a run begins to
// see one run later than a build.
if (isWholeSuite) await run(['build'])
const folder = await mkdtemp(join(tmpdir(), 'cairn-test-'))
const results = join(folder, 'results.tap')
const exitCode = await run([
  '--reporter=terse',
  `--output-file=${results}`,
  ...coverage,
  ...args,
])
const output = await readFile(results, 'utf8').catch(() => '')
const { passed, failed } = count(output)
// What failed, in TAP's own words: a log that is read later has nothing else to go by.
for (const [failure] of output.matchAll(/^ *not ok .*$(?:\n +.*$){0,20}/gm))
  console.log(failure)
// What long runs have counted, which the terse reporter leaves out.
if (!isWholeSuite)
  for (const [, comment] of output.matchAll(/^ +# (?!Subtest|time=|\{)(.*)$/gm))
    console.log(comment)
await rm(folder, { recursive: true, force: true })

const isCovered = !isWholeSuite || (await checkCoverage())
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = exitCode === 0 && failed === 0 && passed > 0 && isCovered ? 0 : 1

/**
 * Runs tap, and says its exit code.
 * @param {string[]} tapArgs
 */
async function run(tapArgs) {
  const tap = spawn(process.execPath, ['node_modules/.bin/tap', ...tapArgs], {
    stdio: 'inherit',
    env: { ...process.env, CAIRN_NATS_SERVER: path },
  })
  const [code] = await once(tap, 'exit')
  return code
}

/**
 * tap closes its output with `# { total: 3, pass: 2, fail: 1 }`, assertions of all files
 * together; a run that ends without it has failed as a whole.
 * @param {string} output
 */
function count(output) {
  const summary = /^# \{ total: (\d+)(?:, pass: (\d+))?(?:, fail: (\d+))?/m.exec(output)
  if (summary === null) return { passed: 0, failed: 1 }
  return { passed: Number(summary[2] ?? 0), failed: Number(summary[3] ?? 0) }
}

/** Prints the coverage of src, and says whether it is enough. */
async function checkCoverage() {
  const summary = JSON.parse(await readFile('.tap/report/coverage-summary.json', 'utf8'))
  // tap counts every file that a test loads, scripts and benchmarks among them.
  const source = join(process.cwd(), 'src', sep)
  const files = Object.entries(summary).filter(([path]) => path.startsWith(source))
  let isEnough = files.length > 0
  for (const [kind, minimum] of Object.entries(coverageMinimum)) {
    const covered = files.reduce((sum, [, file]) => sum + file[kind].covered, 0)
    const total = files.reduce((sum, [, file]) => sum + file[kind].total, 0)
    const percent = (100 * covered) / total
    console.error(`coverage of ${kind}: ${percent.toFixed(2)} % (at least ${minimum} %)`)
    if (!(percent >= minimum)) isEnough = false
  }
  return isEnough
}
