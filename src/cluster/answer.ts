// Requests and answers as bytes, and errors that keep their identity on the way (T3).

import { decode, encode } from '../codec/msgpack.js'
import { checkData } from '../codec/data.js'
import { CairnError, isCairnError, isErrorCode, messageOf } from '../model/errors.js'
import type { NodeRequest, RequestHandler } from './transport.js'

interface Envelope {
  readonly request: NodeRequest
  /** Milliseconds left when it was sent. */
  readonly timeout: number
}

type Answer =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false
      readonly error: {
        code: string
        message: string
        details?: Readonly<Record<string, unknown>>
      }
    }

export function encodeRequest(request: NodeRequest, timeout: number): Uint8Array {
  if (request.kind === 'ask')
    checkData(request.data, `data of command "${request.command}"`)
  return encode({ request, timeout })
}

/** Decodes a request, carries it out, and encodes the answer, whatever happens. */
export async function answer(
  bytes: Uint8Array,
  handle: RequestHandler,
): Promise<Uint8Array> {
  try {
    const { request, timeout } = decodeRequest(bytes)
    const value = await handle(request, { timeout })
    checkData(value, 'answer')
    return encode({ ok: true, value })
  } catch (error) {
    return encode({ ok: false, error: describe(error) })
  }
}

/** The value of an answer; throws the error that it carries. */
export function readAnswer(bytes: Uint8Array): unknown {
  const answered = decode(bytes) as Answer
  if (answered.ok) return answered.value
  const { code, message, details } = answered.error
  throw new CairnError(isErrorCode(code) ? code : 'remote-failure', message, {
    ...(details !== undefined && { details }),
  })
}

function decodeRequest(bytes: Uint8Array): Envelope {
  let envelope: Partial<Envelope> | undefined
  try {
    envelope = decode(bytes) as Partial<Envelope>
  } catch (error) {
    throw new CairnError(
      'invalid-command',
      `A request is not MessagePack: ${messageOf(error)}.`,
    )
  }
  const { request, timeout } = envelope ?? {}
  const known = request?.kind === 'ask' || request?.kind === 'state'
  if (!known || typeof request.actor !== 'object' || typeof timeout !== 'number')
    throw new CairnError(
      'invalid-command',
      'A request has none of the shapes this node knows; its sender may be of a newer version.',
    )
  return { request, timeout }
}

function describe(error: unknown) {
  if (!isCairnError(error)) return { code: 'remote-failure', message: messageOf(error) }
  const { code, message, details } = error
  try {
    checkData(details, 'details')
    return { code, message, details }
  } catch {
    return { code, message } // Details that cannot travel; the message says what happened.
  }
}
