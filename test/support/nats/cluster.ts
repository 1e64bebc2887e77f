// A cluster of real servers, ready when replicated streams can be made in it.
import { connect } from 'nats'
import type { NatsConnection } from 'nats'
import { PortInUseError, randomPort } from '../../../scripts/nats-server.mjs'
import { startNats } from './server.js'
import type { NatsOptions, NatsServer } from './server.js'
import { until } from '../wait.js'

export interface NatsCluster extends AsyncDisposable {
  readonly servers: readonly NatsServer[]
  readonly urls: readonly string[]
  /** All of them, separated by commas. */
  readonly url: string
  /**
   * Resolves when every server is up, knows the leader, and a stream with a replica on each
   * can be made. For use after a restart; `startNatsCluster` has waited already.
   */
  ready(): Promise<void>
}

export type ClusterOptions = Omit<NatsOptions, 'name' | 'port' | 'jetstream' | 'cluster'>

const ATTEMPTS = 10
const READY_TIMEOUT = 60_000

/** Starts the servers and waits until they are one, see `ready`. */
export const startNatsCluster = async (
  size = 3,
  options: ClusterOptions = {},
): Promise<NatsCluster> => {
  const servers = await startServers(size, options)
  const urls = servers.map(server => server.url)
  const ready = () => waitUntilReady(urls, options)
  const dispose = async () => {
    await Promise.all(servers.map(server => server[Symbol.asyncDispose]()))
  }
  try {
    await ready()
  } catch (error) {
    const logs = servers.map(server => `${server.name}:\n${server.log()}`).join('\n')
    await dispose()
    throw new Error(`the cluster did not come up; its servers' logs:\n${logs}`, {
      cause: error,
    })
  }
  return { servers, urls, url: urls.join(','), ready, [Symbol.asyncDispose]: dispose }
}

/**
 * Each server must be told the others' routes before they exist, so their ports are chosen
 * here, and if one turns out to be taken all of them are chosen again.
 */
const startServers = async (
  size: number,
  options: ClusterOptions,
): Promise<NatsServer[]> => {
  for (let attempt = 1; ; attempt++) {
    const ports = Array.from({ length: size }, randomPort)
    const routes = ports.map(port => `nats://127.0.0.1:${port}`)
    const starts = await Promise.allSettled(
      ports.map((port, index) =>
        startNats({
          ...options,
          name: `n${index + 1}`,
          // Fixed, for with a free choice a taken route port would look like a taken port.
          port: randomPort(),
          cluster: { name: 'test', port, routes },
        }),
      ),
    )
    const servers = starts.flatMap(start =>
      start.status === 'fulfilled' ? [start.value] : [],
    )
    if (servers.length === size) return servers
    await Promise.all(servers.map(server => server[Symbol.asyncDispose]()))
    const failures = starts.flatMap(start =>
      start.status === 'rejected' ? [start.reason as unknown] : [],
    )
    const other = failures.find(failure => !(failure instanceof PortInUseError))
    if (other !== undefined || attempt === ATTEMPTS) throw other ?? failures[0]
  }
}

const waitUntilReady = async (
  urls: readonly string[],
  { users }: ClusterOptions,
): Promise<void> => {
  const [user] = users ?? []
  const login = user === undefined ? {} : { user: user.user, pass: user.password }
  const connections = await Promise.all(
    urls.map(url => connect({ servers: url, ignoreClusterUpdates: true, ...login })),
  )
  try {
    for (const connection of connections)
      await until(() => hasLeader(connection), {
        timeout: READY_TIMEOUT,
        describe: `JetStream answers on ${connection.getServer()}`,
      })
    await until(() => canReplicate(connections, urls.length), {
      timeout: READY_TIMEOUT,
      interval: 50,
      describe: `a stream with ${urls.length} replicas can be made`,
    })
  } finally {
    await Promise.all(connections.map(connection => connection.close()))
  }
}

const hasLeader = async (connection: NatsConnection): Promise<boolean> => {
  const manager = await connection.jetstreamManager({ timeout: 1000 })
  return (await manager.getAccountInfo()).limits !== undefined
}

const PROBE = 'CLUSTER_READY'

const canReplicate = async (
  [connection]: readonly NatsConnection[],
  replicas: number,
): Promise<boolean> => {
  const manager = await connection!.jetstreamManager({ timeout: 5000 })
  await manager.streams.add({
    name: PROBE,
    subjects: [PROBE],
    num_replicas: replicas,
  })
  await until(async () => {
    const { cluster } = await manager.streams.info(PROBE)
    const others = cluster?.replicas ?? []
    return others.length === replicas - 1 && others.every(peer => peer.current)
  })
  return manager.streams.delete(PROBE)
}
