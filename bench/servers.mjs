// The NATS servers that a run works on: its own, in a temporary folder, gone afterwards.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'nats'
import {
  ensureNatsServer,
  PortInUseError,
  randomPort,
  startServer,
} from 'cairn-es/nats-server'

/**
 * @typedef {Awaited<ReturnType<typeof import('cairn-es/nats-server').startServer>>} RunningServer
 *
 * @typedef {object} Servers
 * @property {string} urls separated by commas
 * @property {string} version
 * @property {readonly number[]} serverPids of processes that it has started
 * @property {() => Promise<void>} close stops them and removes their files
 */

const attempts = 10

/**
 * Servers that run already, and go on.
 *
 * @param {string} urls separated by commas
 * @returns {Promise<Servers>}
 */
export const useServers = async urls => {
  const connection = await connect({ servers: urls.split(','), name: 'bench' })
  const version = connection.info?.version ?? 'unknown'
  await connection.close()
  return { urls, version, serverPids: [], async close() {} }
}

/**
 * @param {{ replicas: 1 | 3, syncAlways: boolean, signal: AbortSignal }} options
 * @returns {Promise<Servers>} as they greet clients; a cluster may still elect its leaders
 */
export const startServers = async ({ replicas, syncAlways, signal }) => {
  const { path } = await ensureNatsServer({ signal, log: line => console.error(line) })
  const dir = await mkdtemp(join(tmpdir(), 'cairn-bench-'))
  const sync = syncAlways ? { syncInterval: 'always' } : {}
  const removeDir = () => rm(dir, { recursive: true, force: true, maxRetries: 3 })
  try {
    const servers =
      replicas === 1
        ? [await startServer({ path, dir, signal, ...sync })]
        : await startCluster(replicas, { path, dir, signal, ...sync })
    return {
      urls: servers.map(({ url }) => url).join(','),
      version: servers[0]?.version ?? 'unknown',
      serverPids: servers.map(({ pid }) => pid),
      async close() {
        await Promise.all(servers.map(server => server.stop()))
        await removeDir()
      },
    }
  } catch (error) {
    await removeDir()
    throw error
  }
}

/**
 * Each must know the others' routes beforehand, so when one port is taken all are chosen anew.
 *
 * @param {number} size
 * @param {{ path: string, dir: string, signal: AbortSignal, syncInterval?: string }} options
 * @returns {Promise<RunningServer[]>}
 */
const startCluster = async (size, { dir, ...options }) => {
  for (let attempt = 1; ; attempt++) {
    const ports = Array.from({ length: size }, randomPort)
    const routes = ports.map(port => `nats://127.0.0.1:${port}`)
    const starts = await Promise.allSettled(
      ports.map((port, i) =>
        startServer({
          ...options,
          name: `n${i + 1}`,
          dir: join(dir, `${attempt}-n${i + 1}`),
          // Fixed, or a taken route would look like a taken port.
          port: randomPort(),
          cluster: { name: 'bench', port, routes },
        }),
      ),
    )
    const servers = starts.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
    if (servers.length === size) return servers
    await Promise.all(servers.map(server => server.stop()))
    const failures = starts.flatMap(one =>
      one.status === 'rejected' ? [/** @type {unknown} */ (one.reason)] : [],
    )
    const other = failures.find(failure => !(failure instanceof PortInUseError))
    if (other !== undefined || attempt === attempts) throw other ?? failures[0]
  }
}
