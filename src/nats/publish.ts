// One compare-and-append, and the meaning of its answer.

import type { Position } from '../model/version.js'
import type { Connection } from './connection.js'
import { permissionError } from './errors.js'
import { encodeHeaderLines } from './headers.js'
import {
  ackOfAnotherStream,
  errorOutcome,
  type FailedOutcome,
  notAnAck,
  parseAck,
  unansweredOutcome,
} from './publish-outcome.js'
import type { Reply } from './requests.js'

export interface ExpectingPublish {
  readonly stream: string
  readonly subject: string
  /** Expected position of the subject's last message; 0 for none. */
  readonly expected: Position
  /** Header bytes from {@link expectingHeaders}. */
  readonly headers: Uint8Array
  readonly body: Uint8Array
  /** Milliseconds to wait for the answer. */
  readonly timeout: number
  /** Ends the wait; then it is unclear whether the message is stored. */
  readonly signal?: AbortSignal | undefined
  /** Cairn's own write, which no user's request delays (REQUESTS-7). */
  readonly isReserved?: boolean | undefined
}

export type PublishOutcome =
  | { readonly kind: 'stored'; readonly position: Position; readonly duplicate: boolean }
  | FailedOutcome

/**
 * The headers of a commit, preceded by its expectation. The stored message keeps them, so
 * each commit also contains the position of the one before it.
 */
export function expectingHeaders(
  stream: string,
  expected: Position,
  headers: readonly (readonly [string, string])[],
): Uint8Array {
  return encodeHeaderLines([
    ['Nats-Expected-Stream', stream],
    [expectedHeader, String(expected)],
    ...headers,
  ])
}

/** The headers of a record that the server stores once within the stream's duplicate window. */
export function publishOnceHeaders(
  stream: string,
  messageId: string,
  headers: readonly (readonly [string, string])[],
): Uint8Array {
  return encodeHeaderLines([
    ['Nats-Expected-Stream', stream],
    ['Nats-Msg-Id', messageId],
    ...headers,
  ])
}

export const expectedHeader = 'Nats-Expected-Last-Subject-Sequence'

/** Publishes a record that expects nothing but its stream. Throws as {@link publishExpecting}. */
export async function publishOnce(
  connection: Connection,
  request: Omit<ExpectingPublish, 'expected'>,
): Promise<Exclude<PublishOutcome, { kind: 'wrong-sequence' }>> {
  const outcome = await publishExpecting(connection, { ...request, expected: 0 })
  return outcome.kind === 'wrong-sequence'
    ? { kind: 'unclear', why: 'the answer refers to an expectation that was not sent' }
    : outcome
}

/** Publishes and waits for the answer. Throws only `unauthorized` and `queue-full`. */
export async function publishExpecting(
  { requests, writeFailures }: Pick<Connection, 'requests' | 'writeFailures'>,
  request: ExpectingPublish,
): Promise<PublishOutcome> {
  const { stream, subject, body, timeout } = request
  if (writeFailures.isAny) {
    const reason = await writeFailures.confirm(stream)
    if (reason !== undefined)
      return { kind: 'write-failed', stream, reason, wasSent: false }
  }
  // The request itself serves as the options: it has their headers, signal and stream.
  const reply = await requests.request(subject, body, timeout, request)
  const outcome = outcomeOf(reply, request)
  if (outcome.kind === 'stored' && writeFailures.isAny) writeFailures.stored(stream)
  return outcome
}

function outcomeOf(
  reply: Reply,
  { stream, subject, headers, body, timeout }: ExpectingPublish,
): PublishOutcome {
  if (reply.kind === 'message') {
    const position = readPosition(reply.message.data, stream)
    return position > 0
      ? { kind: 'stored', position, duplicate: false }
      : readAck(reply.message.string(), stream)
  }
  if (reply.kind === 'forbidden') throw permissionError(reply.subject)
  if (reply.kind === 'too-large')
    return { kind: 'too-large', subject, bytes: headers.length + body.length }
  return unansweredOutcome(reply, stream, timeout)
}

/**
 * Reads the position from the bytes of a minimal acknowledgement: `{"stream":"CAIRN_a", "seq":12}`. Returns 0 for
 * anything else.
 */
function readPosition(ack: Uint8Array, stream: string): Position {
  let at = skip(ack, 0, '{"stream":"')
  at = skip(ack, at, stream)
  at = skip(ack, at, '",')
  if (ack[at] === space) at++
  at = skip(ack, at, '"seq":')
  if (ack[at] === space) at++
  if (at < 0) return 0
  let position = 0
  for (; at < ack.length - 1; at++) {
    const digit = ack[at]! - zero
    if (digit < 0 || digit > 9) return 0
    position = position * 10 + digit
  }
  return ack[at] === closingBrace && Number.isSafeInteger(position) ? position : 0
}

const space = 0x20
const zero = 0x30
const closingBrace = 0x7d

/** The index after `text` if it is at `from`, else -1. Returns -1 for -1. */
function skip(bytes: Uint8Array, from: number, text: string): number {
  if (from < 0) return -1
  for (let i = 0; i < text.length; i++)
    if (bytes[from + i] !== text.charCodeAt(i)) return -1
  return from + text.length
}

function readAck(text: string, stream: string): PublishOutcome {
  const ack = parseAck(text)
  if (ack === undefined) return { kind: 'unclear', why: notAnAck }
  if (ack.error !== undefined) return errorOutcome(ack.error, stream)
  if (ack.stream === stream && typeof ack.seq === 'number' && ack.seq > 0)
    return { kind: 'stored', position: ack.seq, duplicate: ack.duplicate === true }
  return { kind: 'unclear', why: ackOfAnotherStream }
}
