// The outcomes that single publishes and batches have in common, from the server's answer or the lack of one.

import type { Position } from '../model/version.js'
import { type ApiError, isPassing, jsErrorCode } from './errors.js'
import type { Reply } from './requests.js'

/** Why nothing is known to be stored. */
export type FailedOutcome =
  /**
   * The last message of a subject has another position than expected; nothing was stored. `last` is its position if
   * the server reported it, 0 for none; of a batch, it does not name the subject.
   */
  | { readonly kind: 'wrong-sequence'; readonly last?: Position }
  /** Not stored; the same bytes may be sent again at once. */
  | { readonly kind: 'not-now'; readonly why: string }
  /** Not stored, permanently. */
  | { readonly kind: 'refused'; readonly error: ApiError }
  | TooLarge
  | WriteFailed
  | Unclear

/** Not sent: the server would close the connection over a message of so many bytes, headers included. */
export interface TooLarge {
  readonly kind: 'too-large'
  readonly subject: string
  readonly bytes: number
}

/** The server fails to write the stream. Not stored if it was not sent, and else it is unknown (WRITE-FAILURE-3). */
export interface WriteFailed {
  readonly kind: 'write-failed'
  readonly stream: string
  /** The server's words. */
  readonly reason: string
  readonly wasSent: boolean
}

/** Stored or not: unknown. */
export interface Unclear {
  readonly kind: 'unclear'
  readonly why: string
  /** No stream listened on the subject at the time. */
  readonly noResponders?: true
}

/** A JetStream acknowledgement of a message or of a batch. */
export interface Ack {
  readonly stream?: string
  readonly seq?: number
  readonly duplicate?: boolean
  /** Messages of the batch. */
  readonly count?: number
  readonly error?: ApiError
}

/** Parses an acknowledgement; `undefined` for text that is not JSON. */
export function parseAck(text: string): Ack | undefined {
  try {
    return JSON.parse(text) as Ack
  } catch {
    return undefined
  }
}

export const notAnAck = 'the answer is not a JetStream acknowledgement'
export const ackOfAnotherStream = 'the acknowledgement is from another stream'

/** The outcome of a request that was not answered. */
export function unansweredOutcome(
  reply: Exclude<Reply, { kind: 'message' | 'forbidden' | 'too-large' }>,
  stream: string,
  timeout: number,
): FailedOutcome {
  switch (reply.kind) {
    case 'write-failed':
      return { ...reply, stream, wasSent: true }
    case 'no-responders':
      return { kind: 'unclear', why: 'the stream has no leader', noResponders: true }
    case 'not-sent':
      return { kind: 'not-now', why: 'too many requests are in flight' }
    case 'timeout':
      return { kind: 'unclear', why: `no answer within ${Math.round(timeout)} ms` }
    case 'disconnected':
      return { kind: 'unclear', why: 'the connection was lost' }
    case 'aborted':
      return { kind: 'unclear', why: 'no answer until the caller stopped waiting' }
  }
}

/** Codes after which the same message or batch may be sent again at once. */
const retryable: ReadonlySet<number | undefined> = new Set([
  jsErrorCode.wrongLastSequenceInFlight,
  jsErrorCode.batchIncomplete,
  jsErrorCode.tooManyBatches,
])

/** What the server says when a limit refuses a message, before it is written. */
const limits: ReadonlySet<string | undefined> = new Set([
  'maximum messages exceeded',
  'maximum bytes exceeded',
  'maximum messages per subject exceeded',
  'message too large',
])

/** The outcome of an acknowledgement that reports an error. */
export function errorOutcome(error: ApiError, stream: string): FailedOutcome {
  const { err_code: code, description } = error
  if (code === jsErrorCode.wrongLastSequence) {
    const [, last] = /: (\d+)$/.exec(description ?? '') ?? []
    return { kind: 'wrong-sequence', ...(last !== undefined && { last: Number(last) }) }
  }
  if (code === jsErrorCode.storeFailed && !limits.has(description)) {
    const reason = description ?? 'no description'
    return { kind: 'write-failed', stream, reason, wasSent: true }
  }
  if (retryable.has(code) || isPassing(error))
    return { kind: 'not-now', why: description ?? String(code) }
  return { kind: 'refused', error }
}
