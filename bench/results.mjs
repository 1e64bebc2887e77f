// The lines that a run leaves: printed with `--json`, and kept in a file with the facts about
// the machine in front.
import { appendFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { round } from './stats.mjs'
import { table } from './table.mjs'

/**
 * @typedef {import('./stats.mjs').Summary} Summary
 *
 * @typedef {object} Line what a benchmark came to, and under which circumstances; further
 *   figures follow, those of latency in milliseconds
 * @property {string} bench
 * @property {number} value
 * @property {string} unit
 * @property {number} baseline
 * @property {number} ratio
 * @property {number} runs
 * @property {number} min
 * @property {number} max
 * @property {string} node
 * @property {string} server
 * @property {string} durability
 * @property {string} [goal] of the ratio, as `>= 0.75`
 * @property {boolean} [met]
 * @property {number} [p50]
 * @property {number} [p99]
 * @property {number} [failed]
 */

/** Where the files are kept; one JSON-lines file a run. */
export const resultsFolder = fileURLToPath(new URL('results', import.meta.url))

/**
 * @param {string} bench
 * @param {string} unit
 * @param {Summary} summary
 * @param {{ node: string, server: string, durability: string }} circumstances
 * @param {import('./benchmark.mjs').Benchmark['goal']} [goal]
 * @returns {Line} with its keys in the order in which they are read
 */
export const lineOf = (bench, unit, summary, circumstances, goal) => {
  const { value, baseline, ratio, runs, min, max, ...further } = summary
  const figures = { value, unit, baseline, ratio, runs, min, max }
  return { bench, ...figures, ...circumstances, ...goalOf(ratio, goal), ...further }
}

/**
 * @param {number} ratio
 * @param {import('./benchmark.mjs').Benchmark['goal']} goal
 */
const goalOf = (ratio, goal) => {
  if (goal === undefined) return {}
  return 'atLeast' in goal
    ? { goal: `>= ${goal.atLeast}`, met: ratio >= goal.atLeast }
    : { goal: `<= ${goal.atMost}`, met: ratio <= goal.atMost }
}

/**
 * Opens the file of one run.
 *
 * @param {object} facts its first line
 * @param {string} [folder]
 * @returns {Promise<{ path: string, add: (line: object) => Promise<void> }>}
 */
export const openResults = async (facts, folder = resultsFolder) => {
  await mkdir(folder, { recursive: true })
  const name = new Date().toISOString().replaceAll(':', '-').slice(0, 19)
  const path = join(folder, `${name}-${process.pid}.jsonl`)
  const add = (/** @type {object} */ line) =>
    appendFile(path, `${JSON.stringify(line)}\n`)
  await add(facts)
  return { path, add }
}

/**
 * The table at the end.
 *
 * @param {readonly Line[]} lines
 */
export const resultsTable = lines =>
  table(
    [
      'benchmark',
      'value',
      'unit',
      'min',
      'max',
      'p50 ms',
      'p99 ms',
      'baseline',
      'ratio',
      'goal',
      'failed',
    ],
    lines.map(line => [
      line.bench,
      text(line.value),
      line.unit,
      text(line.min),
      text(line.max),
      text(line.p50),
      text(line.p99),
      text(line.baseline),
      text(line.ratio),
      verdict(line),
      text(line.failed),
    ]),
  )

/** @param {Line} line */
const verdict = ({ goal, met }) =>
  goal === undefined ? '' : `${goal} ${met ? 'met' : 'missed'}`

/** @param {number | undefined} value */
const text = value => (value === undefined ? '' : round(value).toLocaleString('en'))
