// Streams as declared data: created where they are missing, held against the declaration
// where they exist. What is read back from the server decides, never what was asked for: an
// old server ignores what it does not know.

import { CairnError } from '../model/errors.js'
import { pause } from '../model/wait.js'
import type { Connection } from './connection.js'
import { apiError, jsErrorCode } from './errors.js'
import { callApi, type CallOptions } from './jetstream-api.js'

/** A stream's settings, by the names that the server gives them. */
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
  state: { first_seq: number; last_seq: number; messages: number }
}

/** Milliseconds to wait for a stream that another node has just created. */
const creationTimeout = 10_000

/**
 * The stream as the server has it, created as declared when there is none. Safe from many
 * nodes at once. Throws `foreign-stream` when another stream stores its subjects,
 * `no-jetstream`, `unauthorized` or `store-unreachable`.
 */
export async function ensureStream(
  connection: Connection,
  config: StreamConfig,
): Promise<StreamInfo> {
  const found = await readStream(connection, config.name)
  if (found !== undefined) return found
  const created = await callApi<StreamInfo>(
    connection,
    `STREAM.CREATE.${config.name}`,
    config,
  )
  if (created.ok) return created.value
  // Another node was faster: its stream must do. In a cluster it takes the other servers a
  // moment to hear of it.
  if (created.error.err_code === jsErrorCode.streamNameInUse) {
    const deadline = Date.now() + creationTimeout
    while (Date.now() < deadline) {
      const theirs = await readStream(connection, config.name)
      if (theirs !== undefined) return theirs
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

/** The stream as the server has it; `undefined` when there is none. */
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

/** What differs in the settings that all of our streams rest on, in words. */
export function differencesOf(actual: StreamConfig, wanted: StreamConfig): string[] {
  const metadata = (name: string) =>
    differenceIn(`metadata ${name}`, actual.metadata?.[name], wanted.metadata?.[name])
  return [
    ...differenceIn('subjects', actual.subjects, wanted.subjects),
    ...differenceIn('retention', actual.retention, wanted.retention),
    // In memory nothing outlives the server; acknowledged before it is written, neither.
    ...differenceIn('storage', actual.storage, wanted.storage),
    ...differenceIn('no_ack', actual.no_ack ?? false, false),
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

/** Throws `foreign-stream`, naming every setting that differs, where one does. */
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
