// Runs the whole suite with tap and ends with one line: `N passed, N failed`.
//
// Arguments are passed to tap: `npm test -- test/store/memory.test.ts` runs one file. `--coverage` checks the
// coverage of src against a minimum; measuring it costs a fourth of the time. Code that runs only in forked processes
// (the programs) does not count: they run dist, as users do.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { buildTests, builtTest } from './build-tests.mjs'
import { ensureNatsServer } from './nats-server.mjs'

const { path, version, origin } = await ensureNatsServer({ log: console.error })
console.error(`nats-server ${version} (${origin}): ${path}`)

/** Minimum coverage of src in percent. Raise it when the coverage rises; never lower it. */
const coverageMinimum = { lines: 97, branches: 94 }

/** The folders of tests, which tap keeps: those of a run that failed are there to be looked at. */
const fixtures = '.tap/fixtures'

const summaryLine = /^# \{ total: (\d+)(?:, pass: (\d+))?(?:, fail: (\d+))?/m

const isMeasured = process.argv.includes('--coverage')
const args = process.argv
  .slice(2)
  .filter(arg => arg !== '--coverage')
  .map(builtTest)
const isWholeSuite = args.length === 0
const coverage = isMeasured
  ? ['--allow-incomplete-coverage', '--coverage-report=json-summary']
  : ['--disable-coverage']

await buildTests()
await rm(fixtures, { recursive: true, force: true })
// By default tap loads its TypeScript plugin. .taprc removes it, which takes effect in the run after
// a `tap build`.
if (isWholeSuite) await run(['build'])
const progress = isWholeSuite ? setInterval(() => void showProgress(), 60_000) : undefined
const folder = await mkdtemp(join(tmpdir(), 'cairn-test-'))
const results = join(folder, 'results.tap')
const exitCode = await run([
  `--node-arg=--import=${new URL('no-async-hooks.mjs', import.meta.url).href}`,
  // A reporter takes a tenth of the time of a whole suite, to draw what a log cannot show.
  `--reporter=${isWholeSuite ? 'silent' : 'terse'}`,
  `--output-file=${results}`,
  ...coverage,
  ...args,
])
clearInterval(progress)
const output = await readResults(results)
const { passed, failed } = count(output)
// Print the failures in TAP format: no reporter's output is useful in a log.
for (const [failure] of output.matchAll(/^ *not ok .*$(?:\n +.*$){0,20}/gm))
  console.log(failure)
// Print the comments of long runs, which the terse reporter leaves out.
if (!isWholeSuite)
  for (const [, comment] of output.matchAll(/^ +# (?!Subtest|time=|\{)(.*)$/gm))
    console.log(comment)
await rm(folder, { recursive: true, force: true })

const isCovered = !isMeasured || (await checkCoverage())
const isGood = exitCode === 0 && failed === 0 && passed > 0 && isCovered
if (isGood) await rm(fixtures, { recursive: true, force: true })
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = isGood ? 0 : 1

/**
 * Runs tap and returns its exit code.
 * @param {string[]} tapArgs
 */
async function run(tapArgs) {
  const tap = spawn(process.execPath, ['node_modules/.bin/tap', ...tapArgs], {
    stdio: 'inherit',
    // Tests make nodes warn on purpose.
    env: { ...process.env, CAIRN_NATS_SERVER: path, CAIRN_LOG_LEVEL: 'silent' },
  })
  const [code] = await once(tap, 'exit')
  return code
}

/** tap makes a file for each suite when it begins. */
async function showProgress() {
  const entries = await readdir('.tap/test-results', { recursive: true }).catch(() => [])
  const begun = entries.filter(entry => entry.endsWith('.tap')).length
  console.error(`${begun} suites begun after ${Math.round(process.uptime())} s`)
}

/**
 * tap may end before all that it has written to its file can be read.
 * @param {string} file
 */
async function readResults(file) {
  for (let attempt = 1; ; attempt++) {
    const output = await readFile(file, 'utf8').catch(() => '')
    if (summaryLine.test(output)) return output
    if (attempt === 50) {
      console.error(
        `tap ended without its last line, which counts the assertions, in ${file}.`,
      )
      return output
    }
    await pause(100)
  }
}

/**
 * Reads the last line of tap's output, `# { total: 3, pass: 2, fail: 1 }`, which counts the assertions of all files.
 * A run without it has failed.
 * @param {string} output
 */
function count(output) {
  const summary = summaryLine.exec(output)
  if (summary === null) return { passed: 0, failed: 1 }
  return { passed: Number(summary[2] ?? 0), failed: Number(summary[3] ?? 0) }
}

/** Prints the coverage of src and returns whether it reaches the minimum. */
async function checkCoverage() {
  const summary = JSON.parse(await readFile('.tap/report/coverage-summary.json', 'utf8'))
  // tap includes every file that a test loads, such as scripts and benchmarks.
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
