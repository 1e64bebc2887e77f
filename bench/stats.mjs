// Medians and percentiles, and what several runs of one benchmark come to. Pure.

/**
 * One run: the subject's figure beside the baseline's, taken in the same run.
 *
 * @typedef {object} Sample
 * @property {number} value
 * @property {number} baseline
 * @property {Readonly<Record<string, number>>} [medians] further figures; the median of the
 *   runs is told
 * @property {Readonly<Record<string, number>>} [maxima] of which the greatest is told
 * @property {Readonly<Record<string, number>>} [sums] counts, added up over the runs
 */

/**
 * What the runs came to. `value` and `baseline` are medians, `ratio` is the one by the other,
 * `min` and `max` are of the subject's figure.
 *
 * @typedef {{ value: number, baseline: number, ratio: number, runs: number, min: number,
 *   max: number } & Record<string, number>} Summary
 */

/**
 * @param {readonly number[]} values
 * @returns {number} NaN of none
 */
export const median = values => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  if (sorted.length % 2 === 1) return sorted[middle] ?? NaN
  return ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2
}

/**
 * The smallest value that at least `percent` of all are not above (nearest rank): always one
 * that was measured.
 *
 * @param {readonly number[]} values
 * @param {number} percent above 0, to 100
 * @returns {number} NaN of none
 */
export const percentile = (values, percent) => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? NaN
}

/**
 * @param {readonly Sample[]} samples at least one
 * @returns {Summary}
 */
export const summarize = samples => {
  if (samples.length === 0) throw new Error('a benchmark without a run has no summary')
  const values = samples.map(sample => sample.value)
  const value = median(values)
  const baseline = median(samples.map(sample => sample.baseline))
  return {
    value: round(value),
    baseline: round(baseline),
    ratio: round(value / baseline),
    runs: samples.length,
    min: round(Math.min(...values)),
    max: round(Math.max(...values)),
    ...together(samples, 'medians', median),
    ...together(samples, 'maxima', of => Math.max(...of)),
    ...together(samples, 'sums', of => of.reduce((sum, one) => sum + one, 0)),
  }
}

/**
 * @param {readonly Sample[]} samples
 * @param {'medians' | 'maxima' | 'sums'} kind
 * @param {(values: number[]) => number} make
 */
const together = (samples, kind, make) => {
  const names = Object.keys(samples[0]?.[kind] ?? {})
  return Object.fromEntries(
    names.map(name => [
      name,
      round(make(samples.map(sample => sample[kind]?.[name] ?? NaN))),
    ]),
  )
}

/**
 * Three digits that count; whole numbers from 100 up. More would be noise.
 *
 * @param {number} value
 */
export const round = value =>
  Math.abs(value) >= 100 || Number.isInteger(value)
    ? Math.round(value)
    : Number(value.toPrecision(3))
