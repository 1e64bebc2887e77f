// What a benchmark is, and what it is given.

/**
 * @typedef {import('cairn-es').Backend} Backend
 * @typedef {import('./stats.mjs').Sample} Sample
 *
 * @typedef {object} Context
 * @property {string} servers URLs of the NATS servers, separated by commas
 * @property {readonly number[]} serverPids of the servers, where this process has started them
 * @property {1 | 3} replicas
 * @property {boolean} quick
 * @property {number} runs how many samples to take
 * @property {number} ms how long one half of a run lasts
 * @property {AbortSignal} signal
 * @property {(text: string) => void} progress
 *
 * @typedef {object} Benchmark
 * @property {string} name as `--only` knows it
 * @property {string} unit of the value and of the baseline
 * @property {boolean} [extra] left out of quick runs, unless it is named
 * @property {string} [durability] where it has servers of its own. Default: that of the run
 * @property {string} about what is measured, and against what, in one line
 * @property {{ readonly atLeast: number } | { readonly atMost: number }} [goal] of the ratio to the baseline
 * @property {(context: Context) => Promise<Sample[]>} run
 */

/** The work was not done as it was counted: the figures of this benchmark mean nothing. */
export class NotVerified extends Error {
  /** @override */
  name = 'NotVerified'
}

/**
 * @param {unknown} condition
 * @param {() => string} what
 * @returns {asserts condition}
 * @throws {NotVerified}
 */
export function verify(condition, what) {
  if (!condition) throw new NotVerified(what())
}
