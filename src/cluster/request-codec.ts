// Requests and answers as bytes. Errors keep their identity (TRANSPORT-3).

import { decode, encode } from '../codec/msgpack.js'
import { checkData } from '../codec/data.js'
import { type ActorAddress, checkAddress, formatAddress } from '../model/address.js'
import { CairnError, isCairnError, isErrorCode, messageOf } from '../model/errors.js'
import { isFreshness } from '../model/freshness.js'
import { isRedelivery } from '../model/redelivery.js'
import { show } from '../model/show.js'
import { isCount } from '../model/version.js'
import { throwIfAborted } from '../model/wait.js'
import {
  type NodeRequest,
  type RequestHandler,
  type RequestOptions,
  requestTimeoutDefault,
  warmActorsMax,
} from './transport.js'

interface RequestEnvelope {
  readonly request: NodeRequest
  /** Milliseconds left at the time of sending. */
  readonly timeout: number
}

interface Failure {
  readonly code: string
  readonly message: string
  readonly details?: Readonly<Record<string, unknown>>
}

type Answer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: Failure }

/** A request that only asks whether requests arrive. A node of an earlier version answers that it does not know it. */
export const probeBody = encode({ request: { kind: 'probe' }, timeout: 0 })
const probeAnswer = encode({ ok: true, value: null })

/** A request that may be sent. */
export interface PreparedRequest {
  /** Milliseconds. */
  readonly timeout: number
  readonly signal: AbortSignal | undefined
  readonly to: string | undefined
  /** Completes the texts of errors, such as `asking account/alice`. */
  readonly doing: string
}

/** Applies defaults. Throws `aborted` or `invalid-data`. */
export function prepareRequest(
  request: NodeRequest,
  { timeout = requestTimeoutDefault, signal, to }: RequestOptions,
): PreparedRequest {
  const doing = `asking ${formatAddress(request.actor)}`
  throwIfAborted(signal, doing)
  if (request.kind === 'ask' || request.kind === 'check')
    checkData(request.data, `data of command "${request.command}"`)
  return { timeout, signal, to, doing }
}

/**
 * Throws `invalid-command` if it takes more than `bytesMax`.
 *
 * @param timeout milliseconds left
 */
export function encodeRequest(
  request: NodeRequest,
  timeout: number,
  bytesMax: number,
  limit: string,
): Uint8Array {
  const body = encode({ request, timeout })
  if (body.length > bytesMax) throw tooLargeError('request', body.length, limit)
  return body
}

/**
 * Decodes a request, handles it, and encodes the answer or the error. Never rejects.
 *
 * @param waited milliseconds that the request may have waited before it was read
 */
export async function answerRequest(
  bytes: Uint8Array,
  handle: RequestHandler,
  waited = 0,
): Promise<Uint8Array> {
  if (isProbe(bytes)) return probeAnswer
  try {
    const { request, timeout: left } = decodeRequest(bytes)
    const timeout = left - waited
    if (timeout <= 0) throw expiredError(waited) // TRANSPORT-2
    const value = await handle(request, { timeout })
    checkData(value, 'answer')
    return encode({ ok: true, value })
  } catch (error) {
    return encodeFailure(error)
  }
}

/** Encodes an answer that is an error. */
export function encodeFailure(error: unknown): Uint8Array {
  return encode({ ok: false, error: toFailure(error) })
}

/** The error for a request or an answer that is too large for the transport. */
export function tooLargeError(what: string, bytes: number, limit: string): CairnError {
  return new CairnError(
    what === 'request' ? 'invalid-command' : 'remote-failure',
    `The ${what} takes ${bytes} bytes, and ${limit}: send less, and store large data elsewhere.`,
    { details: { bytes } },
  )
}

/** The error for a request that was sent, when the connection was lost before the answer. */
export function answerLost({ actor, kind }: NodeRequest, why: string): CairnError {
  return new CairnError(
    'answer-lost',
    `${formatAddress(actor)} did not answer: ${why}. ${remedyFor(kind)}`,
  )
}

/** The error for a request that was sent, and not answered in time (TRANSPORT-4). */
export function notAnsweredInTime(
  { actor, kind }: NodeRequest,
  timeout: number,
): CairnError {
  return new CairnError(
    kind === 'ask' ? 'outcome-unknown' : 'deadline-exceeded',
    `${formatAddress(actor)} did not answer within ${Math.round(timeout)} ms. ${remedyFor(kind)}`,
    { details: { timeout } },
  )
}

/** The error for a request that could not be sent in time. */
export function notSentInTime({ actor }: NodeRequest, timeout: number): CairnError {
  return new CairnError(
    'deadline-exceeded',
    `No node that serves ${formatAddress(actor)} was reached within ${Math.round(timeout)} ms; nothing was sent. Allow more time.`,
    { details: { timeout } },
  )
}

function remedyFor(kind: NodeRequest['kind']): string {
  return kind === 'ask'
    ? 'Whether the command took effect is not known: ask again with the same command id; it takes effect once.'
    : 'Read again, and allow more time.'
}

/** Returns the value of an answer, or throws its error. */
export function readAnswer(bytes: Uint8Array): unknown {
  const answered = decodeAnswer(bytes)
  if (answered.ok) return answered.value
  const { code, message, details: given } = answered.error
  const details = typeof given === 'object' && given !== null ? given : {}
  if (isErrorCode(code)) throw new CairnError(code, message, { details })
  // From a newer node, or not from Cairn: `details.code` keeps the original code.
  throw new CairnError('remote-failure', message, { details: { ...details, code } })
}

/** Checks the answer: other programs may respond on the subject or socket. */
function decodeAnswer(bytes: Uint8Array): Answer {
  let answered: Partial<{ ok: boolean; value: unknown; error: Failure }> | null
  try {
    answered = decode(bytes) as typeof answered
  } catch {
    answered = null
  }
  if (answered?.ok === true) return { ok: true, value: answered.value }
  const error = answered?.error
  if (typeof error?.code === 'string' && typeof error.message === 'string')
    return { ok: false, error }
  throw new CairnError(
    'remote-failure',
    'The answer does not come from a node: another program answers on its subject or socket.',
  )
}

function isProbe(bytes: Uint8Array): boolean {
  return (
    bytes.length === probeBody.length && probeBody.every((byte, i) => bytes[i] === byte)
  )
}

function decodeRequest(bytes: Uint8Array): RequestEnvelope {
  let envelope: Partial<RequestEnvelope> | null | undefined
  try {
    envelope = decode(bytes) as Partial<RequestEnvelope> | null
  } catch (error) {
    throw new CairnError(
      'invalid-command',
      `The request is not MessagePack: ${messageOf(error)}.`,
    )
  }
  const { request, timeout } = envelope ?? {}
  const kind: unknown = request?.kind
  if (typeof kind === 'string' && !kinds.includes(kind))
    throw new CairnError(
      'invalid-command',
      `The request has kind ${show(kind)}, and this node supports ${kinds.join(', ')}: the sender may ` +
        'run a newer version. Nothing was done; upgrade this node, or ask another.',
      { details: { kind } },
    )
  const known =
    (request?.kind === 'ask' &&
      typeof request.command === 'string' &&
      (request.gone === undefined || Array.isArray(request.gone)) &&
      isVersion(request.expectedVersion) &&
      (request.redelivery === undefined || isRedelivery(request.redelivery))) ||
    (request?.kind === 'state' &&
      isVersion(request.version) &&
      (request.freshness === undefined || isFreshness(request.freshness))) ||
    (request?.kind === 'warm' && isActorList(request.actors)) ||
    request?.kind === 'describe' ||
    (request?.kind === 'check' && typeof request.command === 'string')
  if (!known || typeof request.actor !== 'object' || typeof timeout !== 'number')
    throw new CairnError(
      'invalid-command',
      'The request has a shape that this node does not support; the sender may run a newer version.',
    )
  checkAddress(request.actor)
  return { request, timeout }
}

function expiredError(waited: number): CairnError {
  return new CairnError(
    'deadline-exceeded',
    'The request had expired, or may have, when the node read it; nothing was done. Send it again.',
    { details: { waited } },
  )
}

/** Whether a node answered that a request was not begun, as it may have waited too long in that node. */
export function isExpired(error: unknown): boolean {
  return isCairnError(error, 'deadline-exceeded') && error.details.waited !== undefined
}

const kinds: readonly string[] = [
  'ask',
  'state',
  'warm',
  'describe',
  'check',
] satisfies NodeRequest['kind'][]

function isActorList(actors: unknown): boolean {
  if (!Array.isArray(actors) || actors.length > warmActorsMax) return false
  for (const actor of actors as readonly unknown[]) {
    if (typeof actor !== 'object' || actor === null) return false
    checkAddress(actor as ActorAddress)
  }
  return true
}

function isVersion(version: unknown): boolean {
  return version === undefined || isCount(version)
}

function toFailure(error: unknown) {
  if (!isCairnError(error)) return { code: 'remote-failure', message: messageOf(error) }
  const { code, message, details } = error
  try {
    checkData(details, 'details')
    return { code, message, details }
  } catch {
    return { code, message } // Details that cannot be encoded are left out.
  }
}
