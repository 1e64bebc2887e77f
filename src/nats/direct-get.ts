// Reading messages of a stream: direct gets (ADR-31), answered by any replica, and gets
// from the stream's leader, which are slower and not stale. Neither creates anything on the
// server, and both may be repeated.

import type { Msg } from 'nats'

import { CairnError } from '../model/errors.js'
import { pause, throwIfAborted } from '../model/wait.js'
import type { Connection } from './connection.js'
import { apiError, jsErrorCode } from './errors.js'
import { findMissingStream, mayBeMissing, streamMissingError } from './missing-stream.js'
import {
  type HeaderBlock,
  type HeaderValues,
  parseHeaderBlock,
  readHeaderBlock,
} from './headers.js'
import { callApi, unreachable } from './jetstream-api.js'
import { PageBuffer } from './page-buffer.js'
import type { Reply } from './requests.js'

/** A stored message. */
export interface StoredMessage {
  readonly subject: string
  readonly position: number
  readonly headers: HeaderValues
  readonly body: Uint8Array
}

const noMessage = 10037
const attemptTimeout = 2_000
const totalTimeout = 15_000
/**
 * Per batched request. Many readers want little, so the first is small. For each further one on a filter with wildcards
 * the server matches all of the stream's subjects, once more: these are as large as memory allows.
 */
const firstBatch = 512
const nextBatch = 4_096
/** Where a reader has had what it may want, and goes on. */
const leastBatch = 16
const batchBytes = 2 * 1024 * 1024

export interface GetOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds for all attempts together. Default 15,000; the leader's gets 10,000. */
  readonly timeout?: number
}

/** The last message of `subject`, from any replica: one round trip. */
export async function directLast(
  connection: Connection,
  stream: string,
  subject: string,
  options: GetOptions = {},
): Promise<StoredMessage | undefined> {
  const api = `$JS.API.DIRECT.GET.${stream}.${subject}`
  return retrying<StoredMessage>(connection, stream, api, options, async left => {
    const reply = await connection.requests.request(api, nothing, left)
    return reply.kind === 'message' ? readOne(reply.message, api) : reply
  })
}

/** The message at `position`, from any replica. */
export async function directAt(
  connection: Connection,
  stream: string,
  position: number,
  signal?: AbortSignal,
): Promise<StoredMessage | undefined> {
  const api = `$JS.API.DIRECT.GET.${stream}`
  const body = Buffer.from(JSON.stringify({ seq: position }))
  return retrying<StoredMessage>(connection, stream, api, { signal }, async left => {
    const reply = await connection.requests.request(api, body, left)
    return reply.kind === 'message' ? readOne(reply.message, api) : reply
  })
}

/** The last message of a subject, the first of it at or behind a position, or the one there: from the leader. */
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
    if (result.error.err_code === noMessage) return undefined
    if (result.error.err_code === jsErrorCode.streamNotFound)
      throw streamMissingError(stream)
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

export interface ScanOptions {
  readonly signal?: AbortSignal | undefined
  /** How many the reader may want; more may come, and not all of them need to. Default: all. */
  readonly most?: number | undefined
  /** Called at the end of each batch with how many messages are left behind it; `false` ends the reading there. */
  readonly goOn?: (left: number) => boolean
}

/**
 * Messages of `filter` from position `from` on, in order, as far as the answering replica
 * has them, in pages of what has come. Batches are asked for one ahead of the reader, so memory is bounded.
 */
export async function* directPages(
  connection: Connection,
  stream: string,
  filter: string,
  from: number,
  { signal, most = Infinity, goOn = () => true }: ScanOptions = {},
): AsyncGenerator<readonly StoredMessage[]> {
  const pages = new PageBuffer<StoredMessage>()
  let next = from
  let isAsking = false
  let isOver = false
  let batch = firstBatch
  let wanted = most
  const take = (message: StoredMessage) => {
    next = message.position + 1
    wanted--
    pages.push(message)
  }
  const batchEnded = (left: number) => {
    isAsking = false
    isOver = left === 0 || !goOn(left)
    if (isOver) pages.end()
    // Who may have all that it wants is not read ahead for: it asks itself, or waits by now.
    else if (wanted > 0 || pages.buffered === 0) ask()
  }
  const ask = () => {
    if (isAsking || isOver || pages.buffered > firstBatch) return
    isAsking = true
    const limit = { count: Math.min(batch, Math.max(wanted, leastBatch)), signal }
    batch = nextBatch
    readBatch(connection, stream, filter, () => next, limit, take).then(
      batchEnded,
      (error: unknown) => pages.fail(error),
    )
  }
  try {
    for (;;) {
      pages.release()
      ask()
      const page = await pages.next()
      if (page === undefined) return
      yield page
    }
  } finally {
    // A reader that stops early leaves the batch ahead unread.
    isOver = true
  }
}

/** {@link directPages}, message by message. */
export async function* directScan(
  connection: Connection,
  stream: string,
  filter: string,
  from: number,
  signal?: AbortSignal,
): AsyncGenerator<StoredMessage> {
  for await (const page of directPages(connection, stream, filter, from, { signal }))
    yield* page
}

/** Up to `count` messages of `filter` from position `from` on, in order: one round trip. */
export async function directSome(
  connection: Connection,
  stream: string,
  filter: string,
  from: number,
  count: number,
  signal?: AbortSignal,
): Promise<readonly StoredMessage[]> {
  const messages: StoredMessage[] = []
  const next = () => (messages.at(-1)?.position ?? from - 1) + 1
  const limit = { count, signal }
  await readBatch(connection, stream, filter, next, limit, message => {
    messages.push(message)
  })
  return messages
}

/**
 * One batch, message by message as they come; resolves with how many are left behind it. When an answer
 * is lost, the attempt after it goes on at `next()`.
 */
async function readBatch(
  connection: Connection,
  stream: string,
  filter: string,
  next: () => number,
  { count, signal }: { readonly count: number; readonly signal: AbortSignal | undefined },
  take: (message: StoredMessage) => void,
): Promise<number> {
  const api = `$JS.API.DIRECT.GET.${stream}`
  const end = await retrying<{ left: number }>(
    connection,
    stream,
    api,
    { signal },
    async left => {
      const query = {
        seq: next(),
        next_by_subj: filter,
        batch: count,
        max_bytes: batchBytes,
      }
      const body = Buffer.from(JSON.stringify(query))
      const reply = await connection.requests.requestMany(api, body, left, message => {
        const { data } = message
        const headers = readHeaderBlock(message, data)
        if (headers.code !== 0) return true
        take(toStored(headers, data))
        return false
      })
      if (reply.kind !== 'message') return reply
      const last = readHeaderBlock(reply.message)
      if (last.code === 404) return { left: 0 }
      // 204 ends a batch and says how many are left behind it.
      if (last.code === 204)
        return { left: Number(last.values.get('Nats-Num-Pending')) || 0 }
      throw readFailed(api, last)
    },
  )
  return end?.left ?? 0
}

type Unanswered = {
  readonly kind: Exclude<Reply['kind'], 'message'>
}

/** Repeats a read until it is answered, its deadline passes or the signal fires. */
async function retrying<T extends object>(
  connection: Connection,
  stream: string,
  api: string,
  { signal, timeout = totalTimeout }: GetOptions,
  attempt: (timeout: number) => Promise<T | Unanswered | undefined>,
): Promise<T | undefined> {
  const deadline = Date.now() + timeout
  let nobodyThere = 0
  for (;;) {
    throwIfAborted(signal, `reading with ${api}`)
    const left = Math.max(1, deadline - Date.now())
    const result = await attempt(Math.min(attemptTimeout, left))
    if (result === undefined || !isUnanswered(result)) return result
    if (result.kind === 'forbidden')
      throw new CairnError(
        'unauthorized',
        `The NATS server does not let this user read with ${api}: check its permissions.`,
      )
    if (connection.closed) throw unreachable(connection, api, 'the connection is closed')
    if (result.kind === 'no-responders' && mayBeMissing(++nobodyThere)) {
      const gone = await findMissingStream(
        connection,
        stream,
        Math.min(attemptTimeout, left),
      )
      if (gone !== undefined) throw gone
    }
    if (Date.now() >= deadline)
      throw unreachable(
        connection,
        api,
        `no answer within ${timeout} ms (${result.kind})`,
      )
    await connection.whenConnected(deadline - Date.now(), signal)
    if (result.kind !== 'timeout') await pause(25, signal)
  }
}

function isUnanswered(result: object): result is Unanswered {
  return 'kind' in result
}

function readOne(message: Msg, api: string): StoredMessage | undefined {
  const { data } = message
  const headers = readHeaderBlock(message, data)
  if (headers.code === 0) return toStored(headers, data)
  if (headers.code === 404) return undefined
  throw readFailed(api, headers)
}

function readFailed(api: string, { code, description }: HeaderBlock): CairnError {
  return new CairnError(
    'storage-failed',
    `The server refused to read with ${api}: it said "${code} ${description}".`,
  )
}

function toStored({ values }: HeaderBlock, data: Uint8Array): StoredMessage {
  return {
    subject: values.get('Nats-Subject') ?? '',
    position: Number(values.get('Nats-Sequence')),
    headers: values,
    body: data,
  }
}

const nothing = new Uint8Array()
