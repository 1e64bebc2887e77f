// The folder of downloaded nats-servers, one sub-folder per version.
// Several processes may fill it at once: each works in its own folder and renames
// the finished, tested executable into the cache, so a reader never sees an incomplete file.
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { compareVersions, readVersion } from './version.mjs'

/** @param {NodeJS.ProcessEnv} env */
export const cacheFolder = env => {
  if (env['CAIRN_CACHE']) return env['CAIRN_CACHE']
  if (env['XDG_CACHE_HOME']) return join(env['XDG_CACHE_HOME'], 'cairn')
  const home = env['HOME'] ?? homedir()
  return process.platform === 'darwin'
    ? join(home, 'Library', 'Caches', 'cairn')
    : join(home, '.cache', 'cairn')
}

/** @param {string} folder */
const serversIn = folder =>
  join(folder, 'nats-server', `${process.platform}-${process.arch}`)

/**
 * The cached executables, newest version first.
 *
 * @param {string} folder
 * @returns {Promise<string[]>}
 */
export const cachedServers = async folder => {
  const entries = await readdir(serversIn(folder)).catch(error => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return entries
    .filter(entry => /^\d/.test(entry))
    .toSorted((a, b) => compareVersions(b, a))
    .map(entry => join(serversIn(folder), entry, 'nats-server'))
}

/**
 * Calls `fill` with an empty folder, tests the executable whose path it returns, and
 * moves it into the cache.
 *
 * @param {string} folder
 * @param {(scratch: string) => Promise<string>} fill
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ path: string, version: string }>}
 */
export const addToCache = async (folder, fill, signal) => {
  await mkdir(serversIn(folder), { recursive: true })
  const scratch = await mkdtemp(join(serversIn(folder), '.new-'))
  try {
    const fresh = await fill(scratch)
    await chmod(fresh, 0o755)
    const version = await readVersion(fresh, signal)
    await mkdir(join(serversIn(folder), version), { recursive: true })
    const path = join(serversIn(folder), version, 'nats-server')
    await rename(fresh, path)
    return { path, version }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
