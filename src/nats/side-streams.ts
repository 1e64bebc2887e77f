// The streams beside a namespace's log: its queues, and the bucket of its documents.

import type { QueueFamily } from './subjects.js'
import {
  documentsBucketOf,
  queuedSubjects,
  queueStream,
  queueSubjects,
  readModelsBucketOf,
  timerSubjects,
} from './subjects.js'
import type { Connection } from './connection.js'
import {
  differenceIn,
  differencesOf,
  ensureStream,
  checkDifferences,
  type StreamConfig,
} from './stream.js'

export interface ReplicaOptions {
  /** Copies, for a stream that is created here: those of the log. */
  readonly replicas: number
}

/** Nanoseconds within which the server knows a record's id again. */
const duplicateWindow = 120_000_000_000

/** A stream as it is declared, and what of it the promises rest on. */
export interface DeclaredStream {
  readonly what: string
  readonly wanted: StreamConfig
  /** In words. */
  differences(actual: StreamConfig): string[]
}

/** All of a namespace's, as they are declared. */
export function sideStreamsOf(namespace: string, replicas: number): DeclaredStream[] {
  return [
    ...(['inbox', 'topic', 'dead'] as const).map(family =>
      queueOf(namespace, family, replicas),
    ),
    timersOf(namespace, replicas),
    documentsOf(namespace, replicas),
    viewsOf(namespace, replicas),
  ]
}

async function ensureSide(
  connection: Connection,
  { what, wanted, differences }: DeclaredStream,
): Promise<void> {
  const { config } = await ensureStream(connection, wanted)
  checkDifferences(config, what, differences(config))
}

/** Makes sure that the stream of a queue exists as declared; throws as {@link ensureStream}. */
export function ensureQueueStream(
  connection: Connection,
  namespace: string,
  family: QueueFamily,
  { replicas }: ReplicaOptions,
): Promise<void> {
  return ensureSide(connection, queueOf(namespace, family, replicas))
}

function queueOf(
  namespace: string,
  family: QueueFamily,
  replicas: number,
): DeclaredStream {
  const wanted: StreamConfig = {
    name: queueStream(namespace, family),
    description: `Cairn: ${family} of namespace ${namespace}`,
    subjects: [queueSubjects(namespace, family)],
    // Records are removed one by one once they are handled; none goes by itself.
    retention: 'limits',
    storage: 'file',
    discard: 'new',
    max_age: 0,
    max_msgs: -1,
    max_bytes: -1,
    max_msgs_per_subject: -1,
    num_replicas: replicas,
    duplicate_window: duplicateWindow,
    allow_direct: true,
    republish: {
      src: queueSubjects(namespace, family),
      dest: queuedSubjects(namespace, family),
      headers_only: true,
    },
    metadata: { cairn_wire: '1', cairn_namespace: namespace },
  }
  // How long the topics' messages are kept is the operator's.
  const differences = (actual: StreamConfig) =>
    differencesOf(family === 'topic' ? { ...actual, max_age: 0 } : actual, wanted)
  return { what: family, wanted, differences }
}

/**
 * Makes sure that the stream of timers exists as declared, and that the server publishes what is
 * scheduled in it; throws as {@link ensureStream}.
 */
export function ensureTimersStream(
  connection: Connection,
  namespace: string,
  { replicas }: ReplicaOptions,
): Promise<void> {
  return ensureSide(connection, timersOf(namespace, replicas))
}

function timersOf(namespace: string, replicas: number): DeclaredStream {
  const wanted: StreamConfig = {
    name: queueStream(namespace, 'due'),
    description: `Cairn: timers of namespace ${namespace}`,
    subjects: [timerSubjects(namespace), queueSubjects(namespace, 'due')],
    retention: 'limits',
    storage: 'file',
    // The server takes no other for schedules; without limits nothing is ever discarded.
    discard: 'old',
    max_age: 0,
    max_msgs: -1,
    max_bytes: -1,
    max_msgs_per_subject: -1,
    num_replicas: replicas,
    allow_direct: true,
    allow_msg_schedules: true,
    republish: {
      src: queueSubjects(namespace, 'due'),
      dest: queuedSubjects(namespace, 'due'),
      headers_only: true,
    },
    metadata: { cairn_wire: '1', cairn_namespace: namespace },
  }
  const limits = (actual: StreamConfig) =>
    (['max_msgs', 'max_bytes', 'max_msgs_per_subject'] as const).flatMap(name =>
      differenceIn(name, actual[name] ?? -1, -1),
    )
  const differences = (actual: StreamConfig) => [
    ...differencesOf(actual, wanted),
    ...limits(actual),
    // Read back: a server that knows no schedules would ignore the wish, and keep timers for ever.
    ...differenceIn('allow_msg_schedules', actual['allow_msg_schedules'] ?? false, true),
  ]
  return { what: 'timers', wanted, differences }
}

/** Makes sure that the bucket of documents exists as declared; throws as {@link ensureStream}. */
export function ensureDocumentsBucket(
  connection: Connection,
  namespace: string,
  { replicas }: ReplicaOptions,
): Promise<void> {
  return ensureSide(connection, documentsOf(namespace, replicas))
}

function documentsOf(namespace: string, replicas: number): DeclaredStream {
  const wanted = bucket(namespace, documentsBucketOf(namespace), 'documents', replicas)
  return { what: 'bucket', wanted, differences: actual => differencesOf(actual, wanted) }
}

/** Makes sure that the bucket of read models exists as declared; throws as {@link ensureStream}. */
export function ensureReadModelsBucket(
  connection: Connection,
  namespace: string,
  { replicas }: ReplicaOptions,
): Promise<void> {
  return ensureSide(connection, viewsOf(namespace, replicas))
}

function viewsOf(namespace: string, replicas: number): DeclaredStream {
  const views = bucket(namespace, readModelsBucketOf(namespace), 'read models', replicas)
  // Rows and their place are one atomic batch.
  const wanted: StreamConfig = { ...views, allow_atomic: true }
  const differences = (actual: StreamConfig) => [
    ...differencesOf(actual, wanted),
    ...differenceIn('allow_atomic', actual.allow_atomic ?? false, true),
  ]
  return { what: 'bucket', wanted, differences }
}

function bucket(
  namespace: string,
  { stream, prefix }: { readonly stream: string; readonly prefix: string },
  what: string,
  replicas: number,
): StreamConfig {
  return {
    name: stream,
    description: `Cairn: ${what} of namespace ${namespace}`,
    subjects: [`${prefix}.>`],
    retention: 'limits',
    storage: 'file',
    discard: 'new',
    max_age: 0,
    max_msgs: -1,
    max_bytes: -1,
    max_msgs_per_subject: 1,
    num_replicas: replicas,
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
    metadata: { cairn_wire: '1', cairn_namespace: namespace },
  }
}
