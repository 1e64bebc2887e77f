// The log stream of a namespace, as declared data: created where it is missing, held against
// the declaration where it exists. What is read back from the server decides, never what
// was asked for: an old server ignores what it does not know.

import { CairnError } from '../model/errors.js'
import { newId } from '../model/id.js'
import { pause } from '../model/wait.js'
import { defaultPartitions } from '../model/partition.js'
import type { Connection } from './connection.js'
import { apiError, jsErrorCode } from './errors.js'
import { callApi, type CallOptions } from './jetstream-api.js'
import type { LogStreamOptions } from './options.js'
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

interface StreamConfig {
  name: string
  subjects?: string[]
  retention?: string
  storage?: string
  discard?: string
  num_replicas?: number
  max_age?: number
  max_msgs?: number
  max_bytes?: number
  max_msgs_per_subject?: number
  max_consumers?: number
  allow_direct?: boolean
  allow_atomic?: boolean
  republish?: { src?: string; dest?: string; headers_only?: boolean }
  metadata?: Record<string, string>
  [option: string]: unknown
}

interface StreamInfo {
  config: StreamConfig
  state: { last_seq: number }
}

/** Milliseconds to wait for a stream that another node has just created. */
const creationTimeout = 10_000
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
  const found = await readLogStream(connection, namespace)
  if (found !== undefined) return found
  const config = declaration(namespace, options)
  const created = await callApi<StreamInfo>(
    connection,
    `STREAM.CREATE.${config.name}`,
    config,
  )
  if (created.ok) return fromInfo(namespace, created.value)
  // Another node was faster: its stream must do. In a cluster it takes the other servers a
  // moment to hear of it.
  if (created.error.err_code === jsErrorCode.streamNameInUse) {
    const deadline = Date.now() + creationTimeout
    while (Date.now() < deadline) {
      const theirs = await readLogStream(connection, namespace)
      if (theirs !== undefined) return theirs
      await pause(25)
    }
  }
  if (created.error.err_code === jsErrorCode.subjectsOverlap)
    throw new CairnError(
      'foreign-stream',
      `Another stream already stores ${logSubjects(namespace)}, so ${config.name} cannot be created. ` +
        'Find it with "nats stream ls --subjects", and remove those subjects from it.',
    )
  throw apiError(created.error, `creating stream ${config.name}`)
}

/** The stream as the server has it; `undefined` when there is none. */
export async function readLogStream(
  connection: Connection,
  namespace: string,
  options?: CallOptions,
): Promise<LogStream | undefined> {
  const name = logStream(namespace)
  const info = await callApi<StreamInfo>(
    connection,
    `STREAM.INFO.${name}`,
    undefined,
    options,
  )
  if (info.ok) return fromInfo(namespace, info.value)
  if (info.error.err_code === jsErrorCode.streamNotFound) return undefined
  throw apiError(info.error, `reading stream ${name}`)
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
  if (differences.length > 0)
    throw new CairnError(
      'foreign-stream',
      `Stream ${config.name} exists and is not a Cairn log of this version: ${differences.join('; ')}. ` +
        'Use another namespace, or correct the stream with "nats stream edit".',
      { details: { stream: config.name, differences } },
    )
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
  const differences: string[] = []
  const expectSame = (what: string, is: unknown, should: unknown) => {
    if (JSON.stringify(is) !== JSON.stringify(should))
      differences.push(
        `${what} is ${JSON.stringify(is) ?? 'not set'} and must be ${JSON.stringify(should)}`,
      )
  }
  expectSame('subjects', actual.subjects, wanted.subjects)
  expectSame('retention', actual.retention, wanted.retention)
  // In memory nothing outlives the server; acknowledged before it is written, neither.
  expectSame('storage', actual.storage, wanted.storage)
  expectSame('no_ack', actual.no_ack ?? false, false)
  expectSame('persist_mode', actual.persist_mode || 'default', 'default')
  expectSame('discard', actual.discard, wanted.discard)
  expectSame('max_age', actual.max_age ?? 0, wanted.max_age)
  expectSame('max_msgs', actual.max_msgs ?? -1, wanted.max_msgs)
  expectSame(
    'max_msgs_per_subject',
    actual.max_msgs_per_subject ?? -1,
    wanted.max_msgs_per_subject,
  )
  expectSame('allow_direct', actual.allow_direct ?? false, wanted.allow_direct)
  expectSame('allow_atomic', actual.allow_atomic ?? false, wanted.allow_atomic)
  expectSame('republish.src', actual.republish?.src, wanted.republish?.src)
  expectSame('republish.dest', actual.republish?.dest, wanted.republish?.dest)
  expectSame('subject_transform', actual.subject_transform ?? null, null)
  expectSame('mirror', actual.mirror ?? null, null)
  expectSame('sources', actual.sources ?? null, null)
  expectSame(
    'metadata cairn_wire',
    actual.metadata?.cairn_wire,
    wanted.metadata?.cairn_wire,
  )
  expectSame(
    'metadata cairn_namespace',
    actual.metadata?.cairn_namespace,
    wanted.metadata?.cairn_namespace,
  )
  return differences
}
