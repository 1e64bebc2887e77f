// One atomic batch (ADR-50): several compare-and-appends of which the server stores all or none, and the meaning of
// its answer.
//
// BATCH-1. A batch is sent in one piece, and only its last message asks for an answer: nothing is
//     stored before that message arrives, and the server drops an unfinished batch after 10 s.
// BATCH-2. Every attempt has its own batch id: the remains of an earlier attempt cannot be
//     mistaken for a part of it. The expectations ensure that it is stored at most once.
// BATCH-3. The acknowledgement counts the messages. A server that does not know batches would store each
//     message on its own, so the count is checked.

import { CairnError } from '../model/errors.js'
import { newId } from '../model/id.js'
import type { Position } from '../model/version.js'
import type { Connection } from './connection.js'
import { permissionError } from './errors.js'
import { encodeHeaderLines, joinHeaders } from './headers.js'
import { expectedHeader } from './publish.js'
import {
  ackOfAnotherStream,
  errorOutcome,
  type FailedOutcome,
  notAnAck,
  parseAck,
  type TooLarge,
  unansweredOutcome,
} from './publish-outcome.js'
import type { OutgoingMessage } from './requests.js'

/** A message of a batch. */
export interface BatchPart {
  readonly subject: string
  /** Position of the last message of `expectedOn`, or of the subject without it; 0 for none. */
  readonly expected?: Position
  /** Another subject, whose last message is compared instead. */
  readonly expectedOn?: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
}

/** A message whose expectation must hold for the batch to be stored. */
export interface BatchMessage extends BatchPart {
  readonly expected: Position
}

export type BatchOutcome =
  /** The positions of the messages, in order. */
  { readonly kind: 'stored'; readonly positions: readonly Position[] } | FailedOutcome

export const expectedOnHeader = 'Nats-Expected-Last-Subject-Sequence-Subject'

/** Publishes and waits for the answer. Throws `unauthorized`, `queue-full` and `storage-failed`. */
export async function publishBatch(
  connection: Connection,
  stream: string,
  messages: readonly BatchPart[],
  timeout: number,
  options: Omit<SendBounds, 'timeout'> = {},
): Promise<BatchOutcome> {
  const encoded = encodeBatch(stream, messages)
  const outcome = await send(connection, stream, encoded, { ...options, timeout })
  if (outcome.kind === 'forbidden') throw permissionError(outcome.subject)
  return outcome
}

/**
 * Publishes messages that are encoded for single publishes, with the headers of `expectingHeaders`, as one batch.
 * Throws `queue-full` and `storage-failed`.
 */
export function publishEncodedBatch(
  connection: PublishPorts,
  stream: string,
  messages: readonly OutgoingMessage[],
  timeout: number,
): Promise<BatchOutcome | Forbidden> {
  const batchId = newId()
  const encoded = messages.map(({ subject, headers, body }, i) => {
    const isLast = i === messages.length - 1
    const lines = encodeHeaderLines(batchLines(batchId, i, isLast))
    return { subject, headers: joinHeaders(lines, headers), body }
  })
  return send(connection, stream, encoded, { timeout })
}

type PublishPorts = Pick<Connection, 'requests' | 'maxPayload' | 'writeFailures'>

/** Not stored: the user may not publish there. */
export interface Forbidden {
  readonly kind: 'forbidden'
  readonly subject: string
}

interface SendBounds {
  readonly timeout: number
  readonly signal?: AbortSignal | undefined
  readonly isReserved?: boolean | undefined
}

/** BATCH-1. */
async function send(
  { requests, maxPayload, writeFailures }: PublishPorts,
  stream: string,
  messages: readonly OutgoingMessage[],
  { timeout, signal, isReserved }: SendBounds,
): Promise<BatchOutcome | Forbidden> {
  // None of the messages is sent: the server would keep those before the large one for a while.
  const large = messages.find(message => bytesOf(message) > maxPayload)
  if (large !== undefined) return tooLarge(large)
  const reason = writeFailures.isAny ? await writeFailures.confirm(stream) : undefined
  if (reason !== undefined)
    return { kind: 'write-failed', stream, reason, wasSent: false }
  const { subject, headers, body } = messages.at(-1)!
  const preceding = messages.slice(0, -1)
  const options = { headers, preceding, signal, stream, isReserved }
  const reply = await requests.request(subject, body, timeout, options)
  if (reply.kind === 'message')
    return readBatchAck(reply.message.string(), stream, messages.length)
  if (reply.kind === 'forbidden') return reply
  // The limit was lowered just now.
  if (reply.kind === 'too-large') return tooLarge(largestOf(messages))
  return unansweredOutcome(reply, stream, timeout)
}

function bytesOf({ headers, body }: OutgoingMessage): number {
  return headers.length + body.length
}

function largestOf(messages: readonly OutgoingMessage[]): OutgoingMessage {
  return messages.reduce((one, other) => (bytesOf(other) > bytesOf(one) ? other : one))
}

function tooLarge(message: OutgoingMessage): TooLarge {
  return { kind: 'too-large', subject: message.subject, bytes: bytesOf(message) }
}

/** BATCH-1, BATCH-2. */
function encodeBatch(stream: string, messages: readonly BatchPart[]): OutgoingMessage[] {
  const batchId = newId()
  return messages.map(({ subject, expected, expectedOn, headers, body }, i) => {
    const lines = batchLines(batchId, i, i === messages.length - 1)
    lines.push(['Nats-Expected-Stream', stream])
    if (expected !== undefined) lines.push([expectedHeader, String(expected)])
    if (expectedOn !== undefined) lines.push([expectedOnHeader, expectedOn])
    return { subject, headers: encodeHeaderLines([...lines, ...headers]), body }
  })
}

/** The headers that make a message part of a batch. */
function batchLines(batchId: string, i: number, isLast: boolean): [string, string][] {
  const lines: [string, string][] = [
    ['Nats-Batch-Id', batchId],
    ['Nats-Batch-Sequence', String(i + 1)],
  ]
  if (isLast) lines.push(['Nats-Batch-Commit', '1'])
  return lines
}

function readBatchAck(text: string, stream: string, count: number): BatchOutcome {
  const ack = parseAck(text)
  if (ack === undefined) return { kind: 'unclear', why: notAnAck }
  if (ack.error !== undefined) return errorOutcome(ack.error, stream)
  const { seq } = ack
  if (ack.stream !== stream || typeof seq !== 'number' || seq < count)
    return { kind: 'unclear', why: ackOfAnotherStream }
  if (ack.count !== count) throw notAtomicError(stream, count, ack.count)
  return {
    kind: 'stored',
    positions: Array.from({ length: count }, (_, i) => seq - count + 1 + i),
  }
}

/** BATCH-3. */
function notAtomicError(
  stream: string,
  count: number,
  counted: number | undefined,
): CairnError {
  return new CairnError(
    'storage-failed',
    `The server acknowledged an atomic batch of ${count} messages on stream ${stream} as ` +
      `${counted === undefined ? 'no batch' : `a batch of ${counted}`}: it does not store batches atomically. ` +
      'Inspect the last records of the log, and upgrade every server of the cluster.',
    { details: { stream, count, counted } },
  )
}
