// The log stream of a namespace, as declared data: created where it is missing, held against
// the declaration where it exists. What is read back from the server decides, never what
// was asked for: an old server ignores what it does not know.

import { newId } from '../model/id.js'
import { defaultPartitions } from '../model/partition.js'
import type { Connection } from './connection.js'
import type { CallOptions } from './jetstream-api.js'
import type { LogStreamOptions } from './options.js'
import {
  differenceIn,
  differencesOf,
  ensureStream,
  readStream,
  checkDifferences,
  type StreamConfig,
  type StreamInfo,
} from './stream.js'
import { logStream, logSubjects, noticeSubjects } from './subjects.js'

/** What the server says about the stream. */
export interface LogStream {
  readonly name: string
  readonly namespace: string
  readonly partitions: number
  readonly replicas: number
  /** Changes when the stream is created anew: positions of another generation mean nothing. */
  readonly generation: string
  readonly lastPosition: number
}

/** Consumers are few by design; without a number of our own the server's default of 1,000 rules. */
const maxConsumers = 4096

function declaration(namespace: string, options: LogStreamOptions): StreamConfig {
  const { replicas = 1, partitions = defaultPartitions } = options
  return {
    name: logStream(namespace),
    description: `Cairn: the log of namespace ${namespace}`,
    subjects: [logSubjects(namespace)],
    retention: 'limits',
    storage: 'file',
    // Never drop history: a full stream refuses new messages instead.
    discard: 'new',
    max_age: 0,
    max_msgs: -1,
    max_bytes: -1,
    max_msgs_per_subject: -1,
    max_consumers: maxConsumers,
    num_replicas: replicas,
    allow_direct: true,
    allow_atomic: true,
    republish: {
      src: logSubjects(namespace),
      dest: noticeSubjects(namespace),
      headers_only: true,
    },
    metadata: {
      cairn_wire: '1',
      cairn_namespace: namespace,
      cairn_partitions: String(partitions),
      cairn_generation: newId(),
    },
  }
}

/**
 * Makes sure that the namespace's log stream exists as declared. Safe from many nodes at
 * once. Throws `foreign-stream` naming every setting that differs, `no-jetstream`,
 * `unauthorized` or `store-unreachable`.
 */
export async function ensureLogStream(
  connection: Connection,
  namespace: string,
  options: LogStreamOptions = {},
): Promise<LogStream> {
  const info = await ensureStream(connection, declaration(namespace, options))
  return fromInfo(namespace, info)
}

/** The stream as the server has it; `undefined` when there is none. */
export async function readLogStream(
  connection: Connection,
  namespace: string,
  options?: CallOptions,
): Promise<LogStream | undefined> {
  const info = await readStream(connection, logStream(namespace), options)
  return info && fromInfo(namespace, info)
}

function fromInfo(namespace: string, { config, state }: StreamInfo): LogStream {
  const differences = compare(config, declaration(namespace, {}))
  const partitions = Number(config.metadata?.cairn_partitions)
  const generation = config.metadata?.cairn_generation
  if (!Number.isSafeInteger(partitions) || partitions < 1)
    differences.push(
      `metadata cairn_partitions is ${config.metadata?.cairn_partitions ?? 'missing'}`,
    )
  if (generation === undefined) differences.push('metadata cairn_generation is missing')
  checkDifferences(config, 'log', differences)
  return {
    name: config.name,
    namespace,
    partitions,
    replicas: config.num_replicas ?? 1,
    generation: generation!,
    lastPosition: state.last_seq,
  }
}

/** Settings that the promises rest on. Replicas, compression and placement are the operator's. */
function compare(actual: StreamConfig, wanted: StreamConfig): string[] {
  return [
    ...differencesOf(actual, wanted),
    ...differenceIn('discard', actual.discard, wanted.discard),
    ...differenceIn('max_msgs', actual.max_msgs ?? -1, wanted.max_msgs),
    ...differenceIn(
      'max_msgs_per_subject',
      actual.max_msgs_per_subject ?? -1,
      wanted.max_msgs_per_subject,
    ),
    ...differenceIn('allow_atomic', actual.allow_atomic ?? false, wanted.allow_atomic),
  ]
}
