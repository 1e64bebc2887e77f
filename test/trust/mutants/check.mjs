// A check that must catch a mutant: a test file or a trust run, and what must fail in it.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import { builtTest } from '../../../scripts/build-tests.mjs'

/**
 * @typedef {object} Check
 * @property {string} title how the check is named in the report
 * @property {readonly string[]} args of node
 * @property {string} failure the title of the test, or the name of the violated check, that must fail
 * @property {(output: string) => readonly string[]} failuresIn what fails by the output
 * @property {boolean} endsAtFailure whether the rest does not matter once the failure is there
 */

/**
 * @typedef {object} Outcome
 * @property {readonly string[]} failures
 * @property {boolean} isLate it was ended at its deadline
 * @property {number | null} code the exit code; null if it was ended
 * @property {number} seconds
 * @property {string} output
 */

/** Milliseconds for one check. */
const deadline = 240_000

/**
 * A test file in which the test with this title must fail.
 *
 * @param {string} file
 * @param {string} failure
 * @returns {Check}
 */
export function inTest(file, failure) {
  return {
    title: file,
    args: [builtTest(file)],
    failure,
    failuresIn: failedTests,
    endsAtFailure: true,
  }
}

/**
 * A trust run in which the check with this name must be violated.
 *
 * @param {'nats' | 'lmdb'} place
 * @param {string} failure
 * @param {string} faults
 * @returns {Check}
 */
export function inTrust(place, failure, faults = 'none') {
  const options = ['--place', place, '--faults', faults]
  const always = ['--minutes', '0.3', '--seed', '1']
  return {
    title: `trust ${options.join(' ')}`,
    args: ['build/test/trust/main.js', ...always, ...options],
    failure,
    failuresIn: violatedChecks,
    endsAtFailure: false,
  }
}

/**
 * Runs a check in a tree.
 *
 * @param {string} folder
 * @param {Check} check
 * @param {{ natsServer: string, failure?: string }} options `failure`: ends a test file that has failed in it
 * @returns {Promise<Outcome>}
 */
export async function runCheck(
  folder,
  { args, failuresIn, endsAtFailure },
  { natsServer, failure },
) {
  const startedAt = performance.now()
  const child = spawn(process.execPath, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      CAIRN_NATS_SERVER: natsServer,
      TMPDIR: join(folder, 'tmp'),
      // tap ends a test file after 30 s otherwise.
      TAP_TIMEOUT: '200',
    },
  })
  let output = ''
  let isLate = false
  // What it has started ends with it.
  const timer = setTimeout(() => {
    isLate = true
    child.kill('SIGKILL')
  }, deadline)
  const receive = (/** @type {string} */ text) => {
    output += text
    if (endsAtFailure && failure !== undefined && failuresIn(output).includes(failure))
      child.kill('SIGKILL')
  }
  child.stdout.setEncoding('utf8').on('data', receive)
  child.stderr.setEncoding('utf8').on('data', receive)
  const [code] = await once(child, 'close')
  clearTimeout(timer)
  const seconds = (performance.now() - startedAt) / 1_000
  return { failures: failuresIn(output), isLate, code, seconds, output }
}

/**
 * The titles of failed tests and assertions.
 *
 * @param {string} output in TAP format
 */
function failedTests(output) {
  const lines = output.matchAll(/^ *not ok \d+ - (.*?)(?: # .*)?(?: \{)?$/gm)
  return [...new Set(Array.from(lines, ([, title]) => /** @type {string} */ (title)))]
}

/**
 * The names of violated checks.
 *
 * @param {string} output the report of a trust run, which has a section for each namespace
 */
function violatedChecks(output) {
  const sections = output.matchAll(/^violations:\n((?: .*\n)*)/gm)
  const names = Array.from(sections, ([, lines = '']) =>
    Array.from(
      lines.matchAll(/^ {2}([\w-]+): \d+$/gm),
      ([, name]) => /** @type {string} */ (name),
    ),
  )
  return [...new Set(names.flat())]
}
