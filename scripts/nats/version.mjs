// Which nats-server is new enough, and what a given executable says it is.
import { run } from './run.mjs'

/**
 * The oldest server that Cairn works with. 2.12 brought atomic batches and message
 * schedules; 2.12.2 fixed a deadlock of batched direct gets under parallel writes.
 */
export const MINIMUM_VERSION = '2.12.2'

/**
 * Compares two dotted versions; a suffix such as `-RC.1` does not count.
 *
 * @param {string} a
 * @param {string} b
 * @returns {number} below 0 when `a` is older, 0 when equal, above 0 when newer
 */
export const compareVersions = (a, b) => {
  const [left, right] = [numbers(a), numbers(b)]
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** @param {string} version */
const numbers = version =>
  version.replace(/^v/, '').split(/[.+-]/).slice(0, 3).map(Number)

/** @param {string} version */
export const isRecentEnough = version => compareVersions(version, MINIMUM_VERSION) >= 0

/**
 * Runs `path --version` and returns what it answers, for example `2.14.5`.
 *
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<string>}
 */
export const readVersion = async (path, signal) => {
  const output = (await run(path, ['--version'], { signal, timeout: 10_000 })).toString()
  const version = /v?(\d+\.\d+\.\d+\S*)/.exec(output)?.[1]
  if (version === undefined)
    throw new Error(`${path} --version printed no version but: ${output.slice(0, 200)}`)
  return version
}
