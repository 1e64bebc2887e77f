// The streams beside a namespace's log: its queues, and the bucket of its documents.

import type { QueueFamily } from './subjects.js'
import {
  bucketOf,
  queuedSubjects,
  queueStream,
  queueSubjects,
  viewsBucketOf,
  timerSubjects,
} from './subjects.js'
import type { Connection } from './connection.js'
import {
  differenceIn,
  differencesOf,
  ensureStream,
  refuseForeign,
  type StreamConfig,
} from './stream.js'

export interface SideStreamOptions {
  /** Copies, for a stream that is created here: those of the log. */
  readonly replicas: number
}

/** Nanoseconds within which the server knows a record's id again. */
const duplicateWindow = 120_000_000_000

/** Makes sure that the stream of a queue exists as declared; throws as {@link ensureStream}. */
export async function ensureQueueStream(
  connection: Connection,
  namespace: string,
  family: QueueFamily,
  { replicas }: SideStreamOptions,
): Promise<void> {
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
  const { config } = await ensureStream(connection, wanted)
  refuseForeign(config, family, differencesOf(config, wanted))
}

/**
 * Makes sure that the stream of timers exists as declared, and that the server publishes what is
 * scheduled in it; throws as {@link ensureStream}.
 */
export async function ensureTimersStream(
  connection: Connection,
  namespace: string,
  { replicas }: SideStreamOptions,
): Promise<void> {
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
  const { config } = await ensureStream(connection, wanted)
  const limits = (['max_msgs', 'max_bytes', 'max_msgs_per_subject'] as const).flatMap(
    name => differenceIn(name, config[name] ?? -1, -1),
  )
  // Read back: a server that knows no schedules would ignore the wish, and keep timers for ever.
  const schedules = differenceIn(
    'allow_msg_schedules',
    config['allow_msg_schedules'] ?? false,
    true,
  )
  const differences = [...differencesOf(config, wanted), ...limits, ...schedules]
  refuseForeign(config, 'timers', differences)
}

/** Makes sure that the bucket of documents exists as declared; throws as {@link ensureStream}. */
export async function ensureBucket(
  connection: Connection,
  namespace: string,
  { replicas }: SideStreamOptions,
): Promise<void> {
  const wanted = bucket(namespace, bucketOf(namespace), 'documents', replicas)
  const { config } = await ensureStream(connection, wanted)
  refuseForeign(config, 'bucket', differencesOf(config, wanted))
}

/** Makes sure that the bucket of read models exists as declared; throws as {@link ensureStream}. */
export async function ensureViewsBucket(
  connection: Connection,
  namespace: string,
  { replicas }: SideStreamOptions,
): Promise<void> {
  const views = bucket(namespace, viewsBucketOf(namespace), 'read models', replicas)
  // Rows and their place are one atomic batch.
  const wanted: StreamConfig = { ...views, allow_atomic: true }
  const { config } = await ensureStream(connection, wanted)
  refuseForeign(config, 'bucket', [
    ...differencesOf(config, wanted),
    ...differenceIn('allow_atomic', config.allow_atomic ?? false, true),
  ])
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
