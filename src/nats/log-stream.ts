// The log stream of a namespace.

import { newId } from '../model/id.js'
import { defaultPartitions } from '../model/partition.js'
import type { Connection } from './connection.js'
import type { CallOptions } from './jetstream-api.js'
import type { LogStreamOptions } from './options.js'
import {
  differenceIn,
  differencesOf,
  ensureStream,
  namespaceStreamConfig,
  readStream,
  checkDifferences,
  type StreamConfig,
  type StreamInfo,
} from './stream.js'
import { logStream, logSubjects, noticeSubjects } from './subjects.js'

/** The log stream as the server reports it. */
export interface LogStream {
  readonly name: string
  readonly namespace: string
  readonly partitions: number
  readonly replicas: number
  /** Changes when the stream is created again: positions of another generation are meaningless. */
  readonly generation: string
  readonly lastPosition: number
  /** Whether this call has created it. */
  readonly isNew: boolean
}

/** Cairn needs few consumers; without this setting the server's default of 1,000 applies. */
export const logConsumersMax = 4096

/** The log as a node creates it. */
export function declareLog(namespace: string, options: LogStreamOptions): StreamConfig {
  const { replicas = 1, partitions = defaultPartitions } = options
  return namespaceStreamConfig(namespace, {
    name: logStream(namespace),
    description: `Cairn: the log of namespace ${namespace}`,
    subjects: [logSubjects(namespace)],
    max_consumers: logConsumersMax,
    num_replicas: replicas,
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
  })
}

/**
 * Makes sure that the namespace's log stream exists as declared. Several nodes may call it at
 * once. Throws `foreign-stream` naming every setting that differs, `no-jetstream`,
 * `unauthorized` or `store-unreachable`.
 */
export async function ensureLogStream(
  connection: Connection,
  namespace: string,
  options: LogStreamOptions = {},
): Promise<LogStream> {
  const wanted = declareLog(namespace, options)
  const info = await ensureStream(connection, wanted)
  return fromInfo(namespace, info, wanted.metadata?.cairn_generation)
}

/** Reads the stream from the server; `undefined` if it does not exist. */
export async function readLogStream(
  connection: Connection,
  namespace: string,
  options?: CallOptions,
): Promise<LogStream | undefined> {
  const info = await readStream(connection, logStream(namespace), options)
  return info && fromInfo(namespace, info)
}

/** @param declared the generation that a new stream was to have */
function fromInfo(
  namespace: string,
  { config, state }: StreamInfo,
  declared?: string,
): LogStream {
  const differences = compare(config, declareLog(namespace, {}))
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
    isNew: generation === declared,
  }
}

/** Compares the settings on which Cairn relies. Replicas, compression and placement are the operator's choice. */
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
