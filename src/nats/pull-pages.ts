// Reads a long range of a stream through a temporary consumer. A message costs the server 3 µs this way, and 10 µs by
// direct get: for more than a few thousand messages that is most of the cost of reading.
//
// This is only an optimization. If the server does not create the consumer, or anything seems wrong, the reading ends
// without an error, and the caller continues after the last message by direct gets, which report errors.
//
// PULL-PAGES-1. Messages are yielded in the consumer's numbering, without a gap: a lost message ends the reading
//     before it.
// PULL-PAGES-2. At most two batches are requested and not yet read, with at most `batchBytes` bytes each.
// PULL-PAGES-3. Nothing remains on the server: the consumer is in the memory of one server, is deleted at the end, and
//     expires when no one pulls from it for a while.

import { nuid } from 'nats'

import { CairnError } from '../model/errors.js'
import { throwIfAborted } from '../model/wait.js'
import type { Connection } from './connection.js'
import type { StoredMessage } from './direct-get.js'
import { readHeaderBlock } from './headers.js'
import { callApi } from './jetstream-api.js'
import { PageBuffer } from './page-buffer.js'
import { reserved } from './requests.js'
import { offAbort, onAbort } from '../model/on-abort.js'

/** PULL-PAGES-2. */
const batchMessages = 1_024
const batchBytes = 2 * 1024 * 1024
/** Status descriptions of a batch that is complete, or whose bytes are used up. */
const batchEnds = /Batch Completed|MaxBytes/
/** Milliseconds. */
const createTimeout = 2_000
/** Time without a message after which the reading ends. */
const idleTimeout = 2_000
/** PULL-PAGES-3. Milliseconds; a reader that is slower than this gets another consumer. */
const expiresAfter = 30_000
const nsPerMs = 1_000_000
const noBody = new Uint8Array()

export interface PullOptions {
  readonly signal?: AbortSignal | undefined
  /** Number of messages in the range before filtering, at most; `Infinity` if unknown. */
  readonly span: number
}

/**
 * Yields messages of `filter` (the whole stream for `undefined`) from a position on, and may end before the last one. If
 * `filter` matches at least half of the range, messages that do not match are yielded too.
 */
export async function* pullPages(
  connection: Connection,
  stream: string,
  filter: string | undefined,
  from: number,
  { span, signal }: PullOptions,
): AsyncGenerator<readonly StoredMessage[]> {
  const name = nuid.next()
  const pending = await createConsumer(connection, stream, name, filter, from, signal)
  if (pending === undefined) return
  if (pending === 0) return deleteConsumer(connection, stream, name)
  if (filter !== undefined && pending >= span / 2) {
    // Filtering costs the server 10 µs a message, four times as much as sending it.
    deleteConsumer(connection, stream, name)
    return yield* pullPages(connection, stream, undefined, from, { span, signal })
  }
  const pages = new PageBuffer<StoredMessage>()
  const end = () => pages.end()
  const inbox = `${connection.inboxPrefix}.${nuid.next()}`
  const marker = `.${name}.`
  let delivered = 0
  let requested = 0
  const request = () => {
    if (requested + pages.buffered > batchMessages || connection.nc.isClosed()) return
    requested += batchMessages
    connection.nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`, pull, {
      reply: inbox,
    })
  }
  const subscription = connection.nc.subscribe(inbox, {
    callback(error, message) {
      if (error !== null) return end()
      const { subject, data: body, reply = '' } = message
      const headers = readHeaderBlock(message, body)
      if (headers.code !== 0) {
        // PULL-PAGES-2: the rest of a batch that ran out of bytes is requested again, unless one message alone is too large.
        const rest = Number(headers.values.get('Nats-Pending-Messages'))
        if (!batchEnds.test(headers.description) || !(rest < batchMessages)) return end()
        requested -= rest
        return request()
      }
      const delivery = parseDelivery(reply, marker)
      if (delivery?.delivered !== delivered + 1) return end() // PULL-PAGES-1
      delivered++
      requested--
      const { position } = delivery
      pages.push({ subject, position, headers: headers.values, body })
      if (delivery.left === 0) end()
    },
  })
  const stopListening = connection.onInterruption(end)
  onAbort(signal, end)
  try {
    for (;;) {
      pages.release()
      request()
      const page = await pages.next(idleTimeout)
      if (page === undefined) return
      yield page
    }
  } finally {
    offAbort(signal, end)
    stopListening()
    subscription.unsubscribe()
    deleteConsumer(connection, stream, name)
  }
}

/** Creates the consumer. Resolves with the number of its messages; `undefined` if it could not be created. */
async function createConsumer(
  connection: Connection,
  stream: string,
  name: string,
  filter: string | undefined,
  from: number,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  const config = {
    name,
    deliver_policy: 'by_start_sequence',
    opt_start_seq: from,
    ack_policy: 'none',
    replay_policy: 'instant',
    inactive_threshold: expiresAfter * nsPerMs,
    num_replicas: 1,
    mem_storage: true,
    ...(filter !== undefined && { filter_subject: filter }),
  }
  try {
    const created = await callApi<{ num_pending: number }>(
      connection,
      `CONSUMER.CREATE.${stream}.${name}`,
      { stream_name: stream, config, action: 'create' },
      { signal, timeout: createTimeout },
    )
    return created.ok ? created.value.num_pending : undefined
  } catch (error) {
    throwIfAborted(signal, `reading stream ${stream}`)
    // Not permitted, or not reachable: the direct gets that follow report it if it matters.
    if (error instanceof CairnError) return undefined
    throw error
  }
}

/** PULL-PAGES-3. Ignores failures: the server deletes an unused consumer itself. */
function deleteConsumer(connection: Connection, stream: string, name: string): void {
  const api = `$JS.API.CONSUMER.DELETE.${stream}.${name}`
  connection.requests.request(api, noBody, createTimeout, reserved).catch(() => {})
}

/** Parses the reply subject of a delivery: `….<consumer>.<deliveries>.<position>.<delivered>.<time>.<left>…`. */
function parseDelivery(
  reply: string,
  consumer: string,
): { position: number; delivered: number; left: number } | undefined {
  const at = reply.indexOf(consumer)
  if (at < 0) return undefined
  const position = reply.indexOf('.', at + consumer.length) + 1
  const delivered = reply.indexOf('.', position) + 1
  const time = reply.indexOf('.', delivered) + 1
  const left = reply.indexOf('.', time) + 1
  return {
    position: countAt(reply, position),
    delivered: countAt(reply, delivered),
    left: countAt(reply, left),
  }
}

/** The digits from `from` on as a number. */
function countAt(text: string, from: number): number {
  let count = 0
  for (let i = from; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) break
    count = count * 10 + digit
  }
  return count
}

const pull = Buffer.from(
  JSON.stringify({
    batch: batchMessages,
    max_bytes: batchBytes,
    expires: idleTimeout * nsPerMs,
  }),
)
