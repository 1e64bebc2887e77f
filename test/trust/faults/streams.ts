// The servers' own view of the streams: who leads them, and whether the replicas are current.

import { connect, type JetStreamManager, type NatsConnection } from 'nats'

import { logStream } from '../../../src/nats/subjects.js'
import type { NatsServer } from '../../support/nats.js'
import { until } from '../../support/wait.js'
import type { FaultContext } from './fault.js'

const requestTimeout = 2_000

/** Past every line, at one of the servers that are up. */
async function withServers<Result>(
  { place }: FaultContext,
  work: (connection: NatsConnection, manager: JetStreamManager) => Promise<Result>,
): Promise<Result> {
  if (place.direct.kind !== 'jetstream') throw new Error('There are no servers.')
  const connection = await connect({
    servers: [...place.direct.servers],
    ignoreClusterUpdates: true,
    reconnect: false,
    timeout: requestTimeout,
  })
  try {
    const manager = await connection.jetstreamManager({
      timeout: requestTimeout,
      checkAPI: false,
    })
    return await work(connection, manager)
  } finally {
    await connection.close()
  }
}

/** Undefined while the stream has no leader, or none that answers. */
export async function leaderOf(
  context: FaultContext,
  namespace: string,
): Promise<NatsServer | undefined> {
  const name = await withServers(context, async (_connection, manager) => {
    const { cluster } = await manager.streams.info(logStream(namespace))
    return cluster?.leader
  }).catch(() => undefined)
  return context.place.servers.find(server => server.name === name)
}

/** The leader of the log gives way to another replica. False: no leader answered. */
export function stepDown(context: FaultContext, namespace: string): Promise<boolean> {
  return withServers(context, async connection => {
    const subject = `$JS.API.STREAM.LEADER.STEPDOWN.${logStream(namespace)}`
    const reply = await connection.request(subject, '', { timeout: requestTimeout })
    return reply.json<{ success?: boolean }>().success === true
  }).catch(() => false)
}

/** Resolves when every replica of every log is current, or after `timeout`. */
export async function untilCurrent(
  context: FaultContext,
  timeout = 30_000,
): Promise<void> {
  const { signal, processes } = context
  const isCurrent = () =>
    withServers(context, async (_connection, manager) => {
      for (const namespace of processes.namespaces) {
        const { cluster } = await manager.streams.info(logStream(namespace))
        if (cluster?.leader === undefined) return false
        if (cluster.replicas?.some(({ current }) => !current)) return false
      }
      return true
    })
  // Another fault may prevent it: the caller goes on then, and the history tells what came of it.
  await until(isCurrent, { timeout, interval: 100, signal }).catch(() => undefined)
}
