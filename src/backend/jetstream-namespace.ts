// Opens namespaces on NATS JetStream: streams, buckets and subjects of a server.

import { NatsBus } from '../bus/nats.js'
import type { Member } from '../cluster/membership.js'
import { NatsTransport } from '../cluster/nats.js'
import { NatsMembership } from '../cluster/nats-membership.js'
import { Connection } from '../nats/connection.js'
import type { ConnectionChange } from '../nats/connection-state.js'
import { checkGroupCommitMode } from '../nats/group-commit.js'
import { JetStreamQueue } from '../store/queue/jetstream.js'
import { JetStreamReadModels } from '../store/read-models/jetstream.js'
import { JetStreamDocuments } from '../store/documents/jetstream.js'
import { WatchedDocuments } from '../store/documents/watched.js'
import { documentsBucketOf, noNamespace } from '../nats/subjects.js'
import { LogReports } from '../nats/log-reports.js'
import { ensureLogStream, readLogStream } from '../nats/log-stream.js'
import { listNamespaces, removeStreams } from '../nats/namespaces.js'
import { checkMissing, openSideStreams } from '../nats/side-streams.js'
import { JetStreamStore } from '../store/event-store/jetstream.js'
import { OwnCommits } from '../store/event-store/own-commits.js'
import { JetStreamTimers } from '../store/timers/jetstream.js'
import {
  type OpenNamespace,
  type OpenOptions,
  type Queues,
  toOpenNamespace,
  unknownNamespace,
} from './backend.js'
import type { JetStreamOptions } from './jetstream-options.js'
import { defined } from '../model/defined.js'

/** Opens a namespace. Throws as `jetstream` says. */
export async function openJetStream(
  options: JetStreamOptions,
  { namespace, nodeId, cache, create = true }: OpenOptions,
): Promise<OpenNamespace> {
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
        `--nats ${connection.servers.join(',')}`,
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
    const reports = new LogReports(connection, namespace)
    const stats = {
      groupCommit: () => store.groupStats(),
      connection: () => ({ ...connection.stats(), ...defined({ log: reports.latest }) }),
      readLogReport: (signal: AbortSignal) => reports.read(signal),
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
}

/** The namespaces on the server. */
export function namespacesAt(options: JetStreamOptions): Promise<readonly string[]> {
  return withConnection(options, noNamespace, listNamespaces)
}

/** Removes the streams of a namespace. */
export function removeNamespace(
  options: JetStreamOptions,
  namespace: string,
): Promise<void> {
  return withConnection(options, namespace, connection =>
    removeStreams(connection, namespace),
  )
}

async function withConnection<T>(
  options: JetStreamOptions,
  namespace: string,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await Connection.open(options, namespace, 'cairn namespaces')
  try {
    return await work(connection)
  } finally {
    await connection.close()
  }
}
