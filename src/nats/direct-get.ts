// Single reads of a stream: direct gets (ADR-31), which any replica answers, and gets from the stream's leader, which
// are slower and never stale. Neither creates anything on the server, and both may be repeated.

import type { Msg } from 'nats'

import { CairnError } from '../model/errors.js'
import type { Connection } from './connection.js'
import { apiError, jsErrorCode } from './errors.js'
import {
  type HeaderBlock,
  type HeaderValues,
  parseHeaderBlock,
  readHeaderBlock,
} from './headers.js'
import { callApi } from './jetstream-api.js'
import { findMissingStream, mayBeMissing, mustExist } from './missing-stream.js'
import { retryUntilAnswered, type Unanswered } from './retry.js'

/** A stored message. */
export interface StoredMessage {
  readonly subject: string
  readonly position: number
  readonly headers: HeaderValues
  readonly body: Uint8Array
}

const timeoutDefault = 15_000

export interface GetOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds for all attempts together. Default 15,000; 10,000 for gets from the leader. */
  readonly timeout?: number
}

/** The last message of `subject`, from any replica: one round trip. */
export function directLast(
  connection: Connection,
  stream: string,
  subject: string,
  options: GetOptions = {},
): Promise<StoredMessage | undefined> {
  const api = `$JS.API.DIRECT.GET.${stream}.${subject}`
  return directGet(connection, stream, api, noBody, options)
}

/** The message at `position`, from any replica. */
export function directAt(
  connection: Connection,
  stream: string,
  position: number,
  signal?: AbortSignal,
): Promise<StoredMessage | undefined> {
  const body = Buffer.from(JSON.stringify({ seq: position }))
  return directGet(connection, stream, directGetApi(stream), body, { signal })
}

function directGet(
  connection: Connection,
  stream: string,
  api: string,
  body: Uint8Array,
  options: GetOptions,
): Promise<StoredMessage | undefined> {
  return retryRead<StoredMessage>(connection, stream, api, options, async timeout => {
    const reply = await connection.requests.request(api, body, timeout)
    return reply.kind === 'message' ? readOne(reply.message, api) : reply
  })
}

/**
 * Reads from the leader: the last message of a subject, the first message of a subject at or after a position, or the
 * message at a position.
 */
export async function leaderGet(
  connection: Connection,
  stream: string,
  query: { last_by_subj: string } | { seq: number; next_by_subj?: string },
  options: GetOptions = {},
): Promise<StoredMessage | undefined> {
  const result = await callApi<{
    message: { subject: string; seq: number; hdrs?: string; data?: string }
  }>(connection, `STREAM.MSG.GET.${stream}`, query, options)
  if (!result.ok) {
    const code = result.error.err_code
    if (code === jsErrorCode.messageNotFound) return undefined
    if (code === jsErrorCode.streamNotFound) {
      await mustExist(connection, stream)
      return undefined
    }
    throw apiError(result.error, `reading from stream ${stream}`)
  }
  const { subject, seq, hdrs = '', data = '' } = result.value.message
  return {
    subject,
    position: seq,
    headers: parseHeaderBlock(Buffer.from(hdrs, 'base64').toString('utf8')).values,
    body: Buffer.from(data, 'base64'),
  }
}

/** The API subject of direct gets by position, single or batched. */
export function directGetApi(stream: string): string {
  return `$JS.API.DIRECT.GET.${stream}`
}

/** Retries a read until it is answered. Throws `foreign-stream` if the stream no longer exists. */
export function retryRead<T extends object>(
  connection: Connection,
  stream: string,
  api: string,
  { signal, timeout = timeoutDefault }: GetOptions,
  attempt: (timeout: number) => Promise<T | Unanswered | undefined>,
): Promise<T | undefined> {
  let unanswered = 0
  return retryUntilAnswered(
    connection,
    api,
    'reading with',
    { signal, timeout },
    attempt,
    async (_, attemptTimeout) =>
      mayBeMissing(++unanswered)
        ? findMissingStream(connection, stream, attemptTimeout)
        : undefined,
  )
}

function readOne(message: Msg, api: string): StoredMessage | undefined {
  const { data } = message
  const headers = readHeaderBlock(message, data)
  if (headers.code === 0) return toStored(headers, data)
  if (headers.code === 404) return undefined
  throw readFailedError(api, headers)
}

export function readFailedError(
  api: string,
  { code, description }: HeaderBlock,
): CairnError {
  return new CairnError(
    'storage-failed',
    `The server refused to read with ${api}: "${code} ${description}".`,
  )
}

export function toStored({ values }: HeaderBlock, data: Uint8Array): StoredMessage {
  return {
    subject: values.get('Nats-Subject') ?? '',
    position: Number(values.get('Nats-Sequence')),
    headers: values,
    body: data,
  }
}

const noBody = new Uint8Array()
