// Reads of a range of a stream by batched direct gets (ADR-31), which any replica answers. They create nothing on the
// server, and may be repeated.

import type { Connection } from './connection.js'
import {
  directGetApi,
  readFailedError,
  retryRead,
  type StoredMessage,
  toStored,
} from './direct-get.js'
import { readHeaderBlock } from './headers.js'
import { PageBuffer } from './page-buffer.js'

/**
 * Messages per batched request. The first batch is small because many readers want few messages. The server matches
 * all subjects of the stream again for each further batch on a filter with wildcards, so these are as large as memory
 * allows.
 */
const firstBatch = 512
const nextBatch = 4_096
/** The smallest batch, also for a reader that has received `most` messages and continues. */
const leastBatch = 16
const batchBytes = 2 * 1024 * 1024

export interface ScanOptions {
  readonly signal?: AbortSignal | undefined
  /** How many messages the reader probably wants. A hint: more may arrive. Default: all. */
  readonly most?: number | undefined
  /** Called after each batch with the number of messages left, of those wanted; `false` ends the scan. */
  readonly shouldContinue?: (left: number) => boolean
}

/**
 * Yields messages of `filter` from position `from` on, in order, as far as the answering replica
 * has them, in pages of what has arrived. At most one batch is requested ahead of the reader, so memory is bounded.
 */
export async function* directPages(
  connection: Connection,
  stream: string,
  filter: string,
  from: number,
  { signal, most = Infinity, shouldContinue = () => true }: ScanOptions = {},
): AsyncGenerator<readonly StoredMessage[]> {
  const pages = new PageBuffer<StoredMessage>()
  let next = from
  let isRequesting = false
  let isEnded = false
  let batch = firstBatch
  let wanted = most
  const receive = (message: StoredMessage) => {
    next = message.position + 1
    wanted--
    pages.push(message)
  }
  const batchEnded = (left: number) => {
    isRequesting = false
    isEnded = left === 0 || !shouldContinue(Math.min(left, wanted))
    if (isEnded) pages.end()
    // Prefetch only while the reader wants more; otherwise its next read requests the batch.
    else if (wanted > 0 || pages.buffered === 0) request()
  }
  const request = () => {
    if (isRequesting || isEnded || pages.buffered > firstBatch) return
    isRequesting = true
    const limit = { count: Math.min(batch, Math.max(wanted, leastBatch)), signal }
    batch = nextBatch
    readBatch(connection, stream, filter, () => next, limit, receive).then(
      batchEnded,
      (error: unknown) => pages.fail(error),
    )
  }
  try {
    for (;;) {
      pages.release()
      request()
      const page = await pages.next()
      if (page === undefined) return
      yield page
    }
  } finally {
    // A reader that stops early leaves the requested batch unread.
    isEnded = true
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
 * Reads one batch and calls `receive` with each message as it arrives; resolves with the number of messages left in the
 * stream. After a lost answer, the next attempt continues at `next()`.
 */
async function readBatch(
  connection: Connection,
  stream: string,
  filter: string,
  next: () => number,
  { count, signal }: { readonly count: number; readonly signal: AbortSignal | undefined },
  receive: (message: StoredMessage) => void,
): Promise<number> {
  const api = directGetApi(stream)
  const end = await retryRead<{ left: number }>(
    connection,
    stream,
    api,
    { signal },
    async timeout => {
      const query = {
        seq: next(),
        next_by_subj: filter,
        batch: count,
        max_bytes: batchBytes,
      }
      const body = Buffer.from(JSON.stringify(query))
      const reply = await connection.requests.requestMany(api, body, timeout, message => {
        const { data } = message
        const headers = readHeaderBlock(message, data)
        if (headers.code !== 0) return true
        receive(toStored(headers, data))
        return false
      })
      if (reply.kind !== 'message') return reply
      const last = readHeaderBlock(reply.message)
      if (last.code === 404) return { left: 0 }
      // Status 204 ends a batch and reports how many messages are left.
      if (last.code === 204)
        return { left: Number(last.values.get('Nats-Num-Pending')) || 0 }
      throw readFailedError(api, last)
    },
  )
  return end?.left ?? 0
}
