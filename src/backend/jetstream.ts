// Namespaces on NATS JetStream: any number of nodes on any number of machines.

import { NatsBus } from '../bus/nats.js'
import type { Member } from '../cluster/membership.js'
import { NatsTransport } from '../cluster/nats.js'
import { NatsMembership } from '../cluster/nats-membership.js'
import type { HeartbeatOptions } from '../cluster/roster.js'
import { checkNamespace } from '../model/address.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import { Connection } from '../nats/connection.js'
import type { ConnectionChange } from '../nats/connection-state.js'
import { checkGroupCommitMode, type GroupCommitMode } from '../nats/group-commit.js'
import type { LogStreamOptions, NatsOptions } from '../nats/options.js'
import { JetStreamQueue } from '../store/queue/jetstream.js'
import { JetStreamReadModels } from '../store/read-models/jetstream.js'
import { JetStreamDocuments } from '../store/documents/jetstream.js'
import { WatchedDocuments } from '../store/documents/watched.js'
import { documentsBucketOf } from '../nats/subjects.js'
import { ensureLogStream, readLogStream } from '../nats/log-stream.js'
import { listNamespaces, removeStreams } from '../nats/namespaces.js'
import { checkMissing, openSideStreams } from '../nats/side-streams.js'
import { JetStreamStore } from '../store/event-store/jetstream.js'
import { OwnCommits } from '../store/event-store/own-commits.js'
import { JetStreamTimers } from '../store/timers/jetstream.js'
import {
  type Backend,
  toOpenNamespace,
  type Queues,
  unknownNamespace,
} from './backend.js'

export interface JetStreamOptions extends NatsOptions, LogStreamOptions {
  /** Intervals and timeouts of the nodes' heartbeats. */
  readonly heartbeat?: HeartbeatOptions
  /**
   * Whether commits of different actors that are published at the same time share one atomic
   * batch, so that the server waits for its disk once for all of them. `auto`, the default: on for a
   * stream with one replica whose server waits for its disk, which is measured once a node is busy.
   */
  readonly groupCommit?: GroupCommitMode
}

const optionNames: OptionNames<JetStreamOptions> = {
  servers: true,
  creds: true,
  user: true,
  password: true,
  token: true,
  tls: true,
  connectTimeout: true,
  ignoreClusterUpdates: true,
  replicas: true,
  partitions: true,
  heartbeat: true,
  groupCommit: true,
}

/**
 * Stores namespaces on NATS JetStream.
 *
 * An acknowledged commit survives a crash of any node. Whether it survives a crash of the server
 * depends on the server's settings: with `sync_interval: always` (as `npm run nats` and the
 * shipped compose file set it) every commit is fsynced first; without it, a power failure
 * can lose up to the interval on a stream with one replica.
 *
 * Opening throws `store-unreachable`, `unauthorized`, `server-too-old`, `no-jetstream`,
 * `foreign-stream` or `invalid-namespace`.
 */
export function jetstream(options: JetStreamOptions = {}): Backend {
  checkOptions('jetstream', options, optionNames)
  return {
    kind: 'jetstream',
    namespaces: () => withConnection(options, listNamespaces),
    remove(namespace) {
      checkNamespace(namespace)
      return withConnection(options, connection => removeStreams(connection, namespace))
    },
    async open({ namespace, nodeId, cache, create = true }) {
      checkNamespace(namespace)
      const { groupCommit = 'auto' } = options
      checkGroupCommitMode(groupCommit)
      const connection = await Connection.open(
        options,
        namespace,
        `cairn ${namespace} ${nodeId}`,
      )
      try {
        const stream = create
          ? await ensureLogStream(connection, namespace, options)
          : await readLogStream(connection, namespace)
        if (stream === undefined)
          throw unknownNamespace(
            namespace,
            `on NATS at ${connection.servers.join(', ')}`,
            // The user may not be allowed to list streams.
            await listNamespaces(connection, 1_000).catch(() => []),
          )
        const { partitions } = stream
        await openSideStreams(connection, stream, create)
        const queueOf = (name: keyof Queues) =>
          new JetStreamQueue(connection, namespace, name)
        const { damage } = connection
        const documents = new WatchedDocuments(
          new JetStreamDocuments(connection, namespace),
          damage,
          documentsBucketOf(namespace).stream,
        )
        const own = new OwnCommits(namespace)
        const store = new JetStreamStore({
          namespace,
          nodeId,
          connection,
          stream,
          groupCommit,
          own,
          ...(cache !== undefined && { cache }),
        })
        const bus = new NatsBus(connection, own)
        const transport = new NatsTransport(connection, namespace)
        const join = (self?: Member) =>
          NatsMembership.join(connection, namespace, self, options.heartbeat)
        const queues = {
          inbox: queueOf('inbox'),
          topic: queueOf('topic'),
          dead: queueOf('dead'),
        }
        const timers = new JetStreamTimers(connection, namespace, partitions)
        const readModels = new JetStreamReadModels(connection, namespace)
        const beside = { queues, documents, timers, readModels, damage }
        const stats = {
          groupCommit: () => store.groupStats(),
          connection: () => connection.stats(),
          checkMissing: (signal: AbortSignal) => checkMissing(connection, signal),
          onConnectionChange: (listener: (change: ConnectionChange) => void) => {
            connection.onInterruption(listener)
          },
        }
        const { isNew } = stream
        const parts = {
          isNew,
          store,
          bus,
          transport,
          ...beside,
          ...stats,
          partitions,
          join,
        }
        return toOpenNamespace(parts, () => connection.close())
      } catch (error) {
        await connection.close()
        throw error
      }
    },
  }
}

async function withConnection<T>(
  options: JetStreamOptions,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const name = 'namespaces'
  const connection = await Connection.open(options, name, `cairn ${name}`)
  try {
    return await work(connection)
  } finally {
    await connection.close()
  }
}
