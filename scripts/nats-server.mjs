// Finds a nats-server that is new enough, or downloads one. As a program it prints the path:
// `$(node scripts/nats-server.mjs) --version`.
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { addToCache, cachedServers, cacheFolder } from './nats/cache.mjs'
import { fetchFromDebian } from './nats/debian.mjs'
import { reasonOf } from './nats/download.mjs'
import { fetchFromGithub } from './nats/github.mjs'
import { findOnPath } from './nats/run.mjs'
import { isRecentEnough, MINIMUM_VERSION, readVersion } from './nats/version.mjs'

export { MINIMUM_VERSION } from './nats/version.mjs'
export {
  FolderInUseError,
  PortInUseError,
  randomPort,
  startServer,
} from './nats/server.mjs'

/**
 * @typedef {object} FoundServer
 * @property {string} path of the executable
 * @property {string} version for example `2.14.5`
 * @property {'CAIRN_NATS_SERVER' | 'PATH' | 'cache' | 'github' | 'debian'} origin
 */

/**
 * Searches `CAIRN_NATS_SERVER` (and nothing else if it is set), the PATH and the cache
 * (`CAIRN_CACHE`, else the user's cache folder), then downloads into the cache: the pinned
 * release from GitHub, else Debian's package.
 *
 * @param {{ signal?: AbortSignal | undefined, log?: (line: string) => void,
 *   env?: NodeJS.ProcessEnv, download?: boolean }} [options] `download: false` only searches
 * @returns {Promise<FoundServer>}
 * @throws if `CAIRN_NATS_SERVER` does not run or is too old, or if no server was found;
 *   the message lists the attempts and the remedies
 */
export const ensureNatsServer = async (options = {}) => {
  const { signal, log = () => {}, env = process.env, download = true } = options
  const required = env['CAIRN_NATS_SERVER']
  if (required) return useRequired(required, signal)

  /** @type {string[]} */
  const failures = []
  /** @param {string} failure */
  const report = failure => {
    signal?.throwIfAborted()
    failures.push(failure)
    log(failure)
  }

  const onPath = await firstUsable(findOnPath('nats-server', env), report, signal)
  if (onPath !== undefined) return { ...onPath, origin: 'PATH' }
  if (failures.length === 0) failures.push('PATH: it has no nats-server')

  const folder = cacheFolder(env)
  const cached = await firstUsable(await cachedServers(folder), report, signal)
  if (cached !== undefined) return { ...cached, origin: 'cache' }

  for (const { origin, fetch } of download ? sources : []) {
    try {
      const added = await addToCache(
        folder,
        scratch => fetch(scratch, { signal, log }),
        signal,
      )
      log(`nats-server ${added.version} is now at ${added.path}`)
      return { ...added, origin }
    } catch (error) {
      report(`${origin}: ${reasonOf(error)}`)
    }
  }
  throw new Error(
    `No nats-server ${MINIMUM_VERSION} or newer was found${download ? ', and none could be downloaded' : ''}:\n` +
      failures.map(failure => `  - ${failure}\n`).join('') +
      'Remedies: install a current nats-server on the PATH; set CAIRN_NATS_SERVER to the ' +
      'path of one; or run one in Docker with ' +
      '`docker compose -f docker-compose.nats.yml up`.',
  )
}

const sources = /** @type {const} */ ([
  { origin: 'github', fetch: fetchFromGithub },
  { origin: 'debian', fetch: fetchFromDebian },
])

/**
 * @param {string} path
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<FoundServer>}
 */
const useRequired = async (path, signal) => {
  const version = await readVersion(path, signal).catch(error => {
    signal?.throwIfAborted()
    throw new Error(
      `CAIRN_NATS_SERVER=${path} does not run: ${reasonOf(error)}. Point it at a ` +
        `nats-server ${MINIMUM_VERSION} or newer, or unset it to have one found.`,
      { cause: error },
    )
  })
  if (!isRecentEnough(version))
    throw new Error(
      `CAIRN_NATS_SERVER=${path} is nats-server ${version}, but Cairn needs ` +
        `${MINIMUM_VERSION} or newer. Point it at a newer one, or unset it to have one found.`,
    )
  return { path, version, origin: 'CAIRN_NATS_SERVER' }
}

/**
 * @param {string[]} paths
 * @param {(failure: string) => void} report
 * @param {AbortSignal | undefined} signal
 */
const firstUsable = async (paths, report, signal) => {
  for (const path of paths) {
    try {
      const version = await readVersion(path, signal)
      if (isRecentEnough(version)) return { path, version }
      report(`${path} is ${version}, older than ${MINIMUM_VERSION}`)
    } catch (error) {
      report(`${path} does not run: ${reasonOf(error)}`)
    }
  }
  return undefined
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    const { path } = await ensureNatsServer({ log: line => console.error(line) })
    console.log(path)
  } catch (error) {
    console.error(reasonOf(error))
    process.exitCode = 1
  }
}
