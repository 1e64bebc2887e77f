// One compare-and-append on the wire, and what its answer means.

import { CairnError } from '../model/errors.js'
import type { Position } from '../model/version.js'
import type { Connection } from './connection.js'
import { type ApiError, isPassing, jsErrorCode } from './errors.js'
import { encodeHeaderLines } from './headers.js'
import type { Reply } from './requests.js'

export interface ExpectingPublish {
  readonly stream: string
  readonly subject: string
  /** Position of the subject's last message as believed; 0 for none. */
  readonly expected: Position
  /** Header bytes from {@link expectingHeaders}. */
  readonly headers: Uint8Array
  readonly body: Uint8Array
  /** Milliseconds to wait for the answer. */
  readonly timeout: number
  /** Ends the wait; whether the message is stored is unclear then. */
  readonly signal?: AbortSignal | undefined
}

export type PublishOutcome =
  | { readonly kind: 'stored'; readonly position: Position; readonly duplicate: boolean }
  /**
   * The subject's last message is another one than expected; nothing was stored now. `last`
   * is its position as the server said it, 0 for none.
   */
  | { readonly kind: 'wrong-sequence'; readonly last?: Position }
  /** Not stored, and the same bytes may be sent again at once. */
  | { readonly kind: 'not-now'; readonly why: string }
  /** Not stored, for good. */
  | { readonly kind: 'refused'; readonly error: ApiError }
  /** Stored or not: nobody said. `nobodyThere`: no stream listens on the subject, for now. */
  | { readonly kind: 'unclear'; readonly why: string; readonly nobodyThere?: true }

/**
 * The headers of a commit with its expectation in front. The stored message keeps them, so
 * each commit also says where the one before it is.
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

/** The headers of a record that the server stores once within its window of ids. */
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

/** Throws `commit-too-large` when the server would cut the connection over the message. */
export function checkPayload(
  connection: Connection,
  subject: string,
  headers: Uint8Array,
  body: Uint8Array,
): void {
  const bytes = headers.length + body.length
  const limit = connection.maxPayload
  if (bytes <= limit) return
  throw new CairnError(
    'commit-too-large',
    `A commit on ${subject} takes ${bytes} bytes, and the server's max_payload is ${limit}: ` +
      'split it into several commits, store large data elsewhere, or raise max_payload.',
    { details: { limit, actual: bytes } },
  )
}

/** Publishes a record that expects nothing but its stream. Throws as {@link publishExpecting}. */
export async function publishOnce(
  connection: Connection,
  request: Omit<ExpectingPublish, 'expected'>,
): Promise<Exclude<PublishOutcome, { kind: 'wrong-sequence' }>> {
  const outcome = await publishExpecting(connection, { ...request, expected: 0 })
  return outcome.kind === 'wrong-sequence'
    ? { kind: 'unclear', why: 'the answer is about an expectation that was not sent' }
    : outcome
}

/** Publishes and waits for the answer. Throws only `unauthorized` and `queue-full`. */
export async function publishExpecting(
  { requests }: Pick<Connection, 'requests'>,
  request: ExpectingPublish,
): Promise<PublishOutcome> {
  const { subject, body, timeout } = request
  // The request's headers and signal are the options.
  return outcomeOf(await requests.request(subject, body, timeout, request), request)
}

function outcomeOf(
  reply: Reply,
  { stream, timeout }: Pick<ExpectingPublish, 'stream' | 'timeout'>,
): PublishOutcome {
  switch (reply.kind) {
    case 'message': {
      const position = positionIn(reply.message.data, stream)
      return position > 0
        ? { kind: 'stored', position, duplicate: false }
        : readAck(reply.message.string(), stream)
    }
    case 'forbidden':
      throw new CairnError(
        'unauthorized',
        `The NATS server does not let this user publish to ${reply.subject}: check its permissions.`,
      )
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

/**
 * The position in an acknowledgement that says nothing else, read from its bytes:
 * `{"stream":"CAIRN_a", "seq":12}`. 0 for everything that is not exactly that.
 */
function positionIn(ack: Uint8Array, stream: string): Position {
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
  return ack[at] === closing && Number.isSafeInteger(position) ? position : 0
}

const space = 0x20
const zero = 0x30
const closing = 0x7d

/** The index behind `text`; -1 where it does not stand, and behind an index of -1. */
function skip(bytes: Uint8Array, from: number, text: string): number {
  if (from < 0) return -1
  for (let i = 0; i < text.length; i++)
    if (bytes[from + i] !== text.charCodeAt(i)) return -1
  return from + text.length
}

interface Ack {
  readonly stream?: string
  readonly seq?: number
  readonly duplicate?: boolean
  readonly error?: ApiError
}

function readAck(text: string, stream: string): PublishOutcome {
  let ack: Ack
  try {
    ack = JSON.parse(text) as Ack
  } catch {
    return { kind: 'unclear', why: `the answer is no JetStream acknowledgement` }
  }
  const { error } = ack
  if (error === undefined) {
    if (ack.stream === stream && typeof ack.seq === 'number' && ack.seq > 0)
      return { kind: 'stored', position: ack.seq, duplicate: ack.duplicate === true }
    return { kind: 'unclear', why: 'the acknowledgement is of another stream' }
  }
  if (error.err_code === jsErrorCode.wrongLastSequence) {
    const [, last] = /: (\d+)$/.exec(error.description ?? '') ?? []
    return { kind: 'wrong-sequence', ...(last !== undefined && { last: Number(last) }) }
  }
  if (error.err_code === jsErrorCode.wrongLastSequenceInFlight || isPassing(error))
    return { kind: 'not-now', why: error.description ?? String(error.err_code) }
  return { kind: 'refused', error }
}
