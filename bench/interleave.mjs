// Subject and baseline in turns: a machine that slows down for a while slows both.
import { percentile } from './stats.mjs'

/**
 * @typedef {import('./drive.mjs').Driven & { verified: number }} Measured
 * @typedef {import('./stats.mjs').Sample} Sample
 *
 * @typedef {object} Halves
 * @property {() => Promise<Measured>} baseline
 * @property {() => Promise<Measured>} subject
 */

/** What is told of a half: how much it did a second, */
export const rate = (/** @type {Measured} */ { rate }) => rate
/** or how long one piece took, in milliseconds. */
export const p50 = (/** @type {Measured} */ { latencies }) => percentile(latencies, 50)

/**
 * One warm-up of each, then so many runs; every other run begins with the subject.
 *
 * @param {{ runs: number, signal: AbortSignal, progress: (text: string) => void }} context
 * @param {Halves} halves
 * @param {(half: Measured) => number} [figure] default: the rate
 * @returns {Promise<Sample[]>}
 */
export const interleave = async (
  { runs, signal, progress },
  { baseline, subject },
  figure = rate,
) => {
  progress('warming up')
  await baseline()
  await subject()
  /** @type {Sample[]} */
  const samples = []
  for (let run = 1; run <= runs; run++) {
    signal.throwIfAborted()
    progress(`run ${run} of ${runs}`)
    const first = run % 2 === 1 ? await baseline() : undefined
    const measured = await subject()
    samples.push(sampleOf(measured, first ?? (await baseline()), figure))
  }
  return samples
}

/**
 * @param {Measured} subject
 * @param {Measured} baseline
 * @param {(half: Measured) => number} figure
 * @returns {Sample}
 */
const sampleOf = (subject, baseline, figure) => ({
  value: figure(subject),
  baseline: figure(baseline),
  ...(subject.latencies.length > 0 && {
    medians: {
      p50: percentile(subject.latencies, 50),
      p99: percentile(subject.latencies, 99),
      baselineP50: percentile(baseline.latencies, 50),
      baselineP99: percentile(baseline.latencies, 99),
    },
  }),
  sums: { verified: subject.verified },
})
