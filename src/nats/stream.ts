// Streams as declarations: a missing stream is created, an existing one is compared with its declaration. Settings are
// read back from the server and never assumed: an old server ignores settings that it does not know.

import { CairnError } from '../model/errors.js'
import { pause } from '../model/wait.js'
import type { Connection } from './connection.js'
import { apiError, jsErrorCode } from './errors.js'
import { callApi, type CallOptions } from './jetstream-api.js'
import { firstPosition } from './missing-streams.js'

/** A stream's settings, by the server's names. */
export interface StreamConfig {
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

export interface StreamInfo {
  config: StreamConfig
  state: {
    first_seq: number
    last_seq: number
    messages: number
    bytes?: number
    consumer_count?: number
  }
  /** The time of the server. */
  ts?: string
}

/** A stream as it is declared. */
export interface DeclaredStream {
  /** What it is, for errors. */
  readonly what: string
  readonly wanted: StreamConfig
  /** Describes each setting on which Cairn relies and that differs. */
  differences(actual: StreamConfig): string[]
}

/** The settings that a namespace's streams share, overridden by `config`. By default nothing is ever removed. */
export function namespaceStreamConfig(
  namespace: string,
  config: StreamConfig,
): StreamConfig {
  return {
    retention: 'limits',
    storage: 'file',
    // A full stream refuses new messages instead of removing old ones.
    discard: 'new',
    max_age: 0,
    max_msgs: -1,
    max_bytes: -1,
    max_msgs_per_subject: -1,
    allow_direct: true,
    metadata: namespaceMetadata(namespace),
    ...config,
  }
}

export function namespaceMetadata(namespace: string): Record<string, string> {
  return { cairn_wire: '1', cairn_namespace: namespace }
}

/** Milliseconds to wait for a stream that another node has just created. */
const creationTimeout = 10_000

export interface EnsureOptions {
  /** The namespace exists: a stream that is missing had records before (MISSING-STREAM-2). Default false. */
  readonly isAgain?: boolean
}

export interface EnsuredStream extends StreamInfo {
  /** This call has created it. */
  readonly isCreated: boolean
}

/**
 * Makes sure that a stream exists as declared. Throws as {@link ensureStream}, and `foreign-stream` naming every setting
 * that differs.
 */
export async function ensureDeclaredStream(
  connection: Connection,
  { what, wanted, differences }: DeclaredStream,
  { isAgain = false }: EnsureOptions = {},
): Promise<EnsuredStream> {
  const again = { ...wanted, first_seq: firstPosition() }
  const ensured = await ensureStream(connection, isAgain ? again : wanted)
  const { config } = ensured
  checkDifferences(config, what, differences(config))
  return ensured
}

/**
 * Reads the stream from the server, and creates it as declared if it does not exist. Several
 * nodes may call it at once. Throws `foreign-stream` if another stream stores its subjects,
 * `no-jetstream`, `unauthorized` or `store-unreachable`.
 */
export async function ensureStream(
  connection: Connection,
  config: StreamConfig,
): Promise<EnsuredStream> {
  const found = await readStream(connection, config.name)
  if (found !== undefined) return { ...found, isCreated: false }
  const created = await callApi<StreamInfo>(
    connection,
    `STREAM.CREATE.${config.name}`,
    config,
  )
  if (created.ok) return { ...created.value, isCreated: true }
  // Another node created it first: use that stream. In a cluster the other servers learn of it with
  // a delay.
  if (created.error.err_code === jsErrorCode.streamNameInUse) {
    const deadline = Date.now() + creationTimeout
    while (Date.now() < deadline) {
      const created = await readStream(connection, config.name)
      if (created !== undefined) return { ...created, isCreated: false }
      await pause(25)
    }
  }
  if (created.error.err_code === jsErrorCode.subjectsOverlap)
    throw new CairnError(
      'foreign-stream',
      `Another stream already stores ${config.subjects?.join(', ')}, so ${config.name} cannot be created. ` +
        'Find it with "nats stream ls --subjects", and remove those subjects from it.',
    )
  throw apiError(created.error, `creating stream ${config.name}`)
}

/** Reads the stream from the server; `undefined` if it does not exist. */
export async function readStream(
  connection: Connection,
  name: string,
  options?: CallOptions,
): Promise<StreamInfo | undefined> {
  const info = await callApi<StreamInfo>(
    connection,
    `STREAM.INFO.${name}`,
    undefined,
    options,
  )
  if (info.ok) return info.value
  if (info.error.err_code === jsErrorCode.streamNotFound) return undefined
  throw apiError(info.error, `reading stream ${name}`)
}

/** Describes each setting on which all of Cairn's streams rely and that differs. */
export function differencesOf(actual: StreamConfig, wanted: StreamConfig): string[] {
  const metadata = (name: string) =>
    differenceIn(`metadata ${name}`, actual.metadata?.[name], wanted.metadata?.[name])
  return [
    ...differenceIn('subjects', actual.subjects, wanted.subjects),
    ...differenceIn('retention', actual.retention, wanted.retention),
    // Memory storage is lost when the server restarts.
    ...differenceIn('storage', actual.storage, wanted.storage),
    ...differenceIn('no_ack', actual.no_ack ?? false, false),
    // `async` acknowledges before it writes: a crash can lose acknowledged messages.
    ...differenceIn('persist_mode', actual.persist_mode || 'default', 'default'),
    ...differenceIn('max_age', actual.max_age ?? 0, wanted.max_age),
    ...differenceIn('allow_direct', actual.allow_direct ?? false, wanted.allow_direct),
    ...differenceIn('republish.src', actual.republish?.src, wanted.republish?.src),
    ...differenceIn('republish.dest', actual.republish?.dest, wanted.republish?.dest),
    ...differenceIn('subject_transform', actual.subject_transform ?? null, null),
    ...differenceIn('mirror', actual.mirror ?? null, null),
    ...differenceIn('sources', actual.sources ?? null, null),
    ...metadata('cairn_wire'),
    ...metadata('cairn_namespace'),
  ]
}

export function differenceIn(what: string, is: unknown, should: unknown): string[] {
  if (JSON.stringify(is) === JSON.stringify(should)) return []
  return [
    `${what} is ${JSON.stringify(is) ?? 'not set'} and must be ${JSON.stringify(should)}`,
  ]
}

/** Throws `foreign-stream` if there are differences, and names them. */
export function checkDifferences(
  { name }: StreamConfig,
  what: string,
  differences: readonly string[],
): void {
  if (differences.length === 0) return
  throw new CairnError(
    'foreign-stream',
    `Stream ${name} exists and is not a Cairn ${what} of this version: ${differences.join('; ')}. ` +
      'Use another namespace, or correct the stream with "nats stream edit".',
    { details: { stream: name, differences } },
  )
}
