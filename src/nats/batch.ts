// One atomic batch on the wire (ADR-50): several compare-and-appends that the server stores all
// or none of, and what its answer means.
//
// B1. A batch goes out in one piece, and only its last message asks for an answer: nothing is
//     stored before that one has arrived, and an unfinished batch is forgotten after 10 s.
// B2. Every attempt has a batch id of its own: what is left of an earlier one cannot be
//     mistaken for a part of it. That it is stored at most once is what the expectations see to.
// B3. The acknowledgement counts the messages. A server that knows no batches would store each
//     for itself; that it does not is checked, not believed.

import { CairnError } from '../model/errors.js'
import { newId } from '../model/id.js'
import type { Position } from '../model/version.js'
import type { Connection } from './connection.js'
import { type ApiError, isPassing, jsErrorCode } from './errors.js'
import { encodeHeaderLines, joinHeaders } from './headers.js'
import { checkPayload, expectedHeader } from './publish.js'
import type { OutgoingMessage } from './requests.js'

/** A message that goes with a batch, wherever it goes. */
export interface BatchPart {
  readonly subject: string
  /** Position of the last message of `expectedOn`, or else of the subject; 0 for none. */
  readonly expected?: Position
  /** Another subject, whose last message is compared instead. */
  readonly expectedOn?: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
}

/** One that the batch is stored with only if its expectation holds. */
export interface BatchMessage extends BatchPart {
  readonly expected: Position
}

export type BatchOutcome =
  /** Where each message is, in their order. */
  | { readonly kind: 'stored'; readonly positions: readonly Position[] }
  /**
   * A subject's last message is another one than expected; nothing was stored now. `last` is its
   * position as the server said it, 0 for none; it does not say of which subject.
   */
  | { readonly kind: 'wrong-sequence'; readonly last?: Position }
  /** Not stored, and the same messages may be sent again at once. */
  | { readonly kind: 'not-now'; readonly why: string }
  /** Not stored, for good. */
  | { readonly kind: 'refused'; readonly error: ApiError }
  /** Stored or not: nobody said. `nobodyThere`: no stream listens on the subject, for now. */
  | { readonly kind: 'unclear'; readonly why: string; readonly nobodyThere?: true }

export const expectedOnHeader = 'Nats-Expected-Last-Subject-Sequence-Subject'

/** Throws `commit-too-large` when the server would cut the connection over one of the messages. */
export function checkBatchPayload(
  connection: Connection,
  stream: string,
  messages: readonly BatchPart[],
): void {
  for (const { subject, headers, body } of encodeBatch(stream, messages))
    checkPayload(connection, subject, headers, body)
}

/** Publishes and waits for the answer. Throws `unauthorized`, `queue-full` and `storage-failed`. */
export async function publishBatch(
  connection: Connection,
  stream: string,
  messages: readonly BatchPart[],
  timeout: number,
  signal?: AbortSignal,
): Promise<BatchOutcome> {
  const published = encodeBatch(stream, messages)
  const outcome = await exchange(connection, stream, published, { timeout, signal })
  if (outcome.kind !== 'forbidden') return outcome
  throw new CairnError(
    'unauthorized',
    `The NATS server does not let this user publish to ${outcome.subject}: check its permissions.`,
  )
}

/**
 * Publishes messages that are ready to go out each for itself, with the headers of
 * `expectingHeaders`, as one batch. Throws `queue-full` and `storage-failed`.
 */
export function publishEncodedBatch(
  connection: Pick<Connection, 'requests'>,
  stream: string,
  messages: readonly OutgoingMessage[],
  timeout: number,
): Promise<BatchOutcome | Forbidden> {
  const batchId = newId()
  const published = messages.map(({ subject, headers, body }, i) => {
    const isLast = i === messages.length - 1
    const lines = encodeHeaderLines(batchLines(batchId, i, isLast))
    return { subject, headers: joinHeaders(lines, headers), body }
  })
  return exchange(connection, stream, published, { timeout, signal: undefined })
}

/** Not stored: the user may not publish there. */
export interface Forbidden {
  readonly kind: 'forbidden'
  readonly subject: string
}

/** B1. */
async function exchange(
  { requests }: Pick<Connection, 'requests'>,
  stream: string,
  published: readonly OutgoingMessage[],
  { timeout, signal }: { timeout: number; signal: AbortSignal | undefined },
): Promise<BatchOutcome | Forbidden> {
  const { subject, headers, body } = published.at(-1)!
  const preceding = published.slice(0, -1)
  const reply = await requests.request(subject, body, timeout, {
    headers,
    preceding,
    signal,
  })
  switch (reply.kind) {
    case 'message':
      return readBatchAck(reply.message.string(), stream, published.length)
    case 'forbidden':
      return reply
    case 'no-responders':
      return { kind: 'unclear', why: 'the stream has no leader', nobodyThere: true }
    case 'not-sent':
      return { kind: 'not-now', why: 'too many requests are in flight' }
    case 'timeout':
      return { kind: 'unclear', why: `no answer within ${timeout} ms` }
    case 'disconnected':
      return { kind: 'unclear', why: 'the connection was lost' }
    case 'aborted':
      return { kind: 'unclear', why: "the caller's signal was aborted" }
  }
}

/** B1, B2. */
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

/** Where a message stands in its batch. */
function batchLines(batchId: string, i: number, isLast: boolean): [string, string][] {
  const lines: [string, string][] = [
    ['Nats-Batch-Id', batchId],
    ['Nats-Batch-Sequence', String(i + 1)],
  ]
  if (isLast) lines.push(['Nats-Batch-Commit', '1'])
  return lines
}

interface BatchAck {
  readonly stream?: string
  readonly seq?: number
  readonly count?: number
  readonly error?: ApiError
}

function readBatchAck(text: string, stream: string, count: number): BatchOutcome {
  let ack: BatchAck
  try {
    ack = JSON.parse(text) as BatchAck
  } catch {
    return { kind: 'unclear', why: 'the answer is no JetStream acknowledgement' }
  }
  const { error } = ack
  if (error === undefined) {
    const { seq } = ack
    if (ack.stream !== stream || typeof seq !== 'number' || seq < count)
      return { kind: 'unclear', why: 'the acknowledgement is of another stream' }
    if (ack.count !== count) throw storedOneByOne(stream, count, ack.count)
    return {
      kind: 'stored',
      positions: Array.from({ length: count }, (_, i) => seq - count + 1 + i),
    }
  }
  const { err_code: code, description } = error
  if (code === jsErrorCode.wrongLastSequence) {
    const [, last] = /: (\d+)$/.exec(description ?? '') ?? []
    return { kind: 'wrong-sequence', ...(last !== undefined && { last: Number(last) }) }
  }
  const again =
    code === jsErrorCode.wrongLastSequenceInFlight ||
    code === jsErrorCode.batchIncomplete ||
    code === jsErrorCode.tooManyBatches ||
    isPassing(error)
  if (again) return { kind: 'not-now', why: description ?? String(code) }
  return { kind: 'refused', error }
}

/** B3. */
function storedOneByOne(
  stream: string,
  count: number,
  counted: number | undefined,
): CairnError {
  return new CairnError(
    'storage-failed',
    `The server acknowledged an atomic batch of ${count} messages on stream ${stream} as ` +
      `${counted ?? 'no batch'}: it does not keep them together. Look at the last records of the ` +
      'log, and upgrade every server of the cluster.',
    { details: { stream, count, counted } },
  )
}
