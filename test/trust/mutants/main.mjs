// Whether the tests and trust runs catch faults: plants one after another into the built package, and runs the check
// that must catch it.
//
//   npm run test:mutants -- [--only NAME]
//
// A mutant is caught if what its check names fails with it; each check is run without a mutant before, and must pass.
// Ends with 0 if all are caught, and with 1 otherwise.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { buildTests } from '../../../scripts/build-tests.mjs'
import { ensureNatsServer } from '../../../scripts/nats-server.mjs'
import { runCheck } from './check.mjs'
import { knownViolations, mutants } from './mutants.mjs'
import { mutate, plantTree } from './tree.mjs'

/**
 * @typedef {import('./check.mjs').Check} Check
 * @typedef {import('./check.mjs').Outcome} Outcome
 * @typedef {import('./mutants.mjs').Mutant} Mutant
 */

const { values } = parseArgs({ options: { only: { type: 'string' } } })
const chosen = mutants.filter(
  ({ name }) => values.only === undefined || values.only === name,
)
if (chosen.length === 0)
  throw new Error(
    `There is no mutant ${values.only}: use one of ${mutants.map(({ name }) => name).join(', ')}.`,
  )

const { path: natsServer } = await ensureNatsServer({ log: console.error })
await buildTests()
/** The titles of checks that pass without a mutant. */
const passing = new Set()
for (const title of new Set(chosen.map(({ check }) => check.title)))
  if (await passes(chosen.filter(({ check }) => check.title === title)))
    passing.add(title)
let caught = 0
for (const mutant of chosen) if (await isCaught(mutant)) caught++
console.log(`${caught} of ${chosen.length} mutants caught`)
process.exitCode = caught === chosen.length ? 0 : 1

/**
 * Whether a check passes without a mutant.
 *
 * @param {readonly Mutant[]} ofCommand the mutants that it must catch
 */
async function passes(ofCommand) {
  const [first] = ofCommand
  if (first === undefined) return false
  const { check } = first
  return inTree(async folder => {
    const outcome = await runCheck(folder, check, { natsServer })
    const named = ofCommand.map(({ check: { failure } }) => failure)
    const isKnown = (/** @type {string} */ failure) =>
      knownViolations.includes(failure) && !named.includes(failure)
    const { failures, code, isLate } = outcome
    const isClean = failures.length === 0 ? code === 0 : failures.every(isKnown)
    const isPassed = isClean && !isLate
    print(
      'no mutant',
      isPassed ? `passes ${check.title}` : `FAILS ${check.title}`,
      outcome,
    )
    return { isDone: isPassed, outcome }
  })
}

/** @param {Mutant} mutant */
async function isCaught(mutant) {
  const { name, check } = mutant
  const { title, failure } = check
  if (!passing.has(title)) {
    print(name, `NOT JUDGED: ${title} fails without it`)
    return false
  }
  return inTree(async folder => {
    try {
      await mutate(folder, mutant)
    } catch (error) {
      print(name, `FAILED: ${/** @type {Error} */ (error).message}`)
      return { isDone: false }
    }
    const outcome = await runCheck(folder, check, { natsServer, failure })
    const isDone = outcome.failures.includes(failure)
    print(
      name,
      isDone ? `caught by ${title}: ${failure}` : survivalOf(check, outcome),
      outcome,
    )
    return { isDone, outcome }
  })
}

/**
 * @param {Check} check
 * @param {Outcome} outcome
 */
function survivalOf({ title, failure }, { failures, isLate, code }) {
  const end = isLate ? 'did not end in time' : `ended with ${code}`
  const others = failures.length === 0 ? 'nothing' : failures.join(', ')
  return `SURVIVED: ${title} ${end}; failed: ${others}, and not ${failure}`
}

/**
 * Does something in a fresh tree, and removes it. Prints the end of the output if it was not done.
 *
 * @param {(folder: string) => Promise<{ isDone: boolean, outcome?: Outcome }>} work
 */
async function inTree(work) {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-mutant-'))
  try {
    await plantTree(folder)
    const { isDone, outcome } = await work(folder)
    if (!isDone && outcome !== undefined)
      console.error(outcome.output.split('\n').slice(-60).join('\n'))
    return isDone
  } finally {
    // The processes of a check that was ended may write for a moment.
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 500 })
  }
}

/**
 * @param {string} name
 * @param {string} result
 * @param {Outcome} [outcome]
 */
function print(name, result, outcome) {
  const seconds = outcome === undefined ? '' : ` (${outcome.seconds.toFixed(0)} s)`
  console.log(`${name.padEnd(32)}${result}${seconds}`)
}
