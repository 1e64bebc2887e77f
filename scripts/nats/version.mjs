// The oldest supported nats-server, and the version of a given executable.
import { run } from './run.mjs'

/**
 * The oldest server that Cairn supports. 2.12 introduced atomic batches and message
 * schedules; 2.12.2 fixed a deadlock of batched direct gets with parallel writes.
 */
export const MINIMUM_VERSION = '2.12.2'

/**
 * Compares two dotted versions. Ignores a suffix such as `-RC.1`.
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
 * Runs `path --version` and returns the version in its output, for example `2.14.5`.
 *
 * @param {string} path
 * @param {AbortSignal} [signal]
 * @returns {Promise<string>}
 */
export const readVersion = async (path, signal) => {
  const output = (await run(path, ['--version'], { signal, timeout: 10_000 })).toString()
  const version = /v?(\d+\.\d+\.\d+\S*)/.exec(output)?.[1]
  if (version === undefined)
    throw new Error(
      `${path} --version did not print a version, but: ${output.slice(0, 200)}`,
    )
  return version
}
