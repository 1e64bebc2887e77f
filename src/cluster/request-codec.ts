// Requests and answers as bytes, and errors that keep their identity on the way (T3).

import { decode, encode } from '../codec/msgpack.js'
import { checkData } from '../codec/data.js'
import { checkAddress } from '../model/address.js'
import { CairnError, isCairnError, isErrorCode, messageOf } from '../model/errors.js'
import { isFreshness } from '../model/freshness.js'
import { show } from '../model/show.js'
import { isCount } from '../model/version.js'
import type { NodeRequest, RequestHandler } from './transport.js'

interface RequestEnvelope {
  readonly request: NodeRequest
  /** Milliseconds left when it was sent. */
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

export function encodeRequest(request: NodeRequest, timeout: number): Uint8Array {
  if (request.kind === 'ask')
    checkData(request.data, `data of command "${request.command}"`)
  return encode({ request, timeout })
}

/** Decodes a request, carries it out, and encodes the answer, whatever happens. */
export async function answerRequest(
  bytes: Uint8Array,
  handle: RequestHandler,
): Promise<Uint8Array> {
  try {
    const { request, timeout } = decodeRequest(bytes)
    const value = await handle(request, { timeout })
    checkData(value, 'answer')
    return encode({ ok: true, value })
  } catch (error) {
    return encodeFailure(error)
  }
}

/** The answer that carries an error. */
export function encodeFailure(error: unknown): Uint8Array {
  return encode({ ok: false, error: toFailure(error) })
}

/** The error instead of an answer, or of a request, that the way does not carry. */
export function tooLargeError(what: string, bytes: number, limit: string): CairnError {
  return new CairnError(
    what === 'request' ? 'invalid-command' : 'remote-failure',
    `The ${what} takes ${bytes} bytes, and ${limit}: send less, and store large data elsewhere.`,
    { details: { bytes } },
  )
}

/** The value of an answer; throws the error that it carries. */
export function readAnswer(bytes: Uint8Array): unknown {
  const answered = decodeAnswer(bytes)
  if (answered.ok) return answered.value
  const { code, message, details } = answered.error
  if (isErrorCode(code))
    throw new CairnError(code, message, details === undefined ? {} : { details })
  // A newer node's, or none of Cairn's: what it was called is kept for whoever knows it.
  throw new CairnError('remote-failure', message, { details: { ...details, code } })
}

/** Whoever may answer on the way may answer anything. */
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
    'An answer came that is none of a node: something else answers on its subject or socket.',
  )
}

function decodeRequest(bytes: Uint8Array): RequestEnvelope {
  let envelope: Partial<RequestEnvelope> | null | undefined
  try {
    envelope = decode(bytes) as Partial<RequestEnvelope> | null
  } catch (error) {
    throw new CairnError(
      'invalid-command',
      `A request is not MessagePack: ${messageOf(error)}.`,
    )
  }
  const { request, timeout } = envelope ?? {}
  const kind: unknown = request?.kind
  if (typeof kind === 'string' && kind !== 'ask' && kind !== 'state')
    throw new CairnError(
      'invalid-command',
      `A request of kind ${show(kind)} came, and this node knows "ask" and "state": its sender may ` +
        'be of a newer version. Nothing was done; upgrade this node, or ask another.',
      { details: { kind } },
    )
  const known =
    (request?.kind === 'ask' &&
      typeof request.command === 'string' &&
      (request.gone === undefined || Array.isArray(request.gone))) ||
    (request?.kind === 'state' &&
      isVersion(request.version) &&
      (request.freshness === undefined || isFreshness(request.freshness)))
  if (!known || typeof request.actor !== 'object' || typeof timeout !== 'number')
    throw new CairnError(
      'invalid-command',
      'A request has none of the shapes this node knows; its sender may be of a newer version.',
    )
  checkAddress(request.actor)
  if (timeout <= 0)
    // T2
    throw new CairnError(
      'deadline-exceeded',
      'The request had expired when it came; nothing was begun.',
    )
  return { request, timeout }
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
    return { code, message } // Details that cannot travel; the message says what happened.
  }
}
