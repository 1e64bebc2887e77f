// Reading a long stretch of a stream through a consumer that exists only as long as the reading. It takes the
// server 3 µs a message, a direct get 10: beyond some thousand messages that is most of what reading costs.
//
// It is a shortcut and nothing more. Where the server makes no consumer, or anything at all seems wrong on the way,
// it ends without a word, and whoever reads goes on behind the last message by direct gets, which report what
// the matter is.
//
// P1. Messages are handed on as the consumer numbers them, without a gap: a message that was lost on the way
//     ends the reading before it.
// P2. At most two batches are asked for and not yet read, with at most so many bytes each.
// P3. Nothing stays: the consumer is in the memory of one server, is deleted at the end, and forgotten by the server when
//     nobody has asked it for a while.

import { nuid } from 'nats'

import { CairnError } from '../model/errors.js'
import { throwIfAborted } from '../model/wait.js'
import type { Connection } from './connection.js'
import type { StoredMessage } from './direct-get.js'
import { readHeaderBlock } from './headers.js'
import { callApi } from './jetstream-api.js'
import { PageBuffer } from './page-buffer.js'

/** P2. */
const batchMessages = 512
const batchBytes = 2 * 1024 * 1024
/** The words of the server for a batch that is complete, or whose bytes are used up. */
const batchEnds = /Batch Completed|MaxBytes/
/** Milliseconds. */
const createTimeout = 2_000
const patience = 2_000
/** P3. Milliseconds; a reader that is slower than this gets another consumer. */
const forgottenAfter = 30_000
const perMs = 1_000_000
const nothing = new Uint8Array()

export interface PullOptions {
  readonly signal?: AbortSignal | undefined
  /** How many messages the filter chooses from, at most; `Infinity` where nobody knows. */
  readonly span: number
}

/**
 * Messages of `filter` (all of the stream for `undefined`) from a position on, up to the last one or less. Where
 * `filter` lets half of them pass, or more, all of them come.
 */
export async function* pullPages(
  connection: Connection,
  stream: string,
  filter: string | undefined,
  from: number,
  { span, signal }: PullOptions,
): AsyncGenerator<readonly StoredMessage[]> {
  const name = nuid.next()
  const waiting = await create(connection, stream, name, filter, from, signal)
  if (waiting === undefined) return
  if (waiting === 0) return forget(connection, stream, name)
  if (filter !== undefined && waiting >= span / 2) {
    // To look for what passes takes the server 10 µs a message, four times what it takes to send it.
    forget(connection, stream, name)
    return yield* pullPages(connection, stream, undefined, from, { span, signal })
  }
  const pages = new PageBuffer<StoredMessage>()
  const end = () => pages.end()
  const inbox = `${connection.inboxPrefix}.${nuid.next()}`
  const numbers = `.${name}.`
  let delivered = 0
  let asked = 0
  const ask = () => {
    if (asked + pages.buffered > batchMessages || connection.nc.isClosed()) return
    asked += batchMessages
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
        // P2: what a batch had no bytes left for is asked for anew, unless one message alone is too large.
        const rest = Number(headers.values.get('Nats-Pending-Messages'))
        if (!batchEnds.test(headers.description) || !(rest < batchMessages)) return end()
        asked -= rest
        return ask()
      }
      const place = placeIn(reply, numbers)
      if (place?.delivered !== delivered + 1) return end() // P1
      delivered++
      asked--
      const { position } = place
      pages.push({ subject, position, headers: headers.values, body })
      if (place.left === 0) end()
    },
  })
  const stopListening = connection.onInterruption(end)
  signal?.addEventListener('abort', end)
  try {
    for (;;) {
      pages.release()
      ask()
      const page = await pages.next(patience)
      if (page === undefined) return
      yield page
    }
  } finally {
    signal?.removeEventListener('abort', end)
    stopListening()
    subscription.unsubscribe()
    forget(connection, stream, name)
  }
}

/** Makes the consumer; resolves with how many messages wait for it, or with nothing where there is none. */
async function create(
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
    inactive_threshold: forgottenAfter * perMs,
    num_replicas: 1,
    mem_storage: true,
    ...(filter !== undefined && { filter_subject: filter }),
  }
  try {
    const made = await callApi<{ num_pending: number }>(
      connection,
      `CONSUMER.CREATE.${stream}.${name}`,
      { stream_name: stream, config, action: 'create' },
      { signal, timeout: createTimeout },
    )
    return made.ok ? made.value.num_pending : undefined
  } catch (error) {
    throwIfAborted(signal, `reading stream ${stream}`)
    // Not permitted, or out of reach: the direct gets behind this one say it where it matters.
    if (error instanceof CairnError) return undefined
    throw error
  }
}

/** P3: it would be forgotten without this, too, so that nothing hangs on its success. */
function forget(connection: Connection, stream: string, name: string): void {
  const api = `$JS.API.CONSUMER.DELETE.${stream}.${name}`
  connection.requests.request(api, nothing, createTimeout).catch(() => {})
}

/** A message's place as its reply subject tells it: `….<consumer>.<times>.<position>.<delivered>.<time>.<left>…`. */
function placeIn(
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

/** The digits from there on as a number. */
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
    expires: patience * perMs,
  }),
)
