// The headers of a request that name it: its correlation id, its trace and the id of its command.

import { correlationOf } from '../model/causes.js'
import { newId } from '../model/id.js'
import type { Caller } from './authenticate.js'
import type { ReadRequest } from './headers.js'
import { Problem } from './problem.js'
import type { CallCauses } from './route.js'

const keyCharactersMax = 255

export interface RequestIds {
  /** Of `x-correlation-id`, or one derived from it if it is not valid, always the same; or a new one. */
  readonly correlationId: string
  /** Of a valid `traceparent`. An invalid one is ignored, as W3C's recommendation says. */
  readonly traceparent: string | undefined
}

export function requestIds({ headers }: ReadRequest): RequestIds {
  const given = headers.get('x-correlation-id')
  const traceparent = headers.get('traceparent') ?? ''
  return {
    correlationId: given === null || given === '' ? newId() : correlationOf(given, given),
    traceparent: isTraceparent(traceparent) ? traceparent : undefined,
  }
}

export function callCauses(
  { correlationId, traceparent }: RequestIds,
  { principal, isKnown }: Caller,
): CallCauses {
  return {
    correlationId,
    ...(traceparent !== undefined && { traceparent }),
    ...(isKnown && { principal: principal.id }),
  }
}

/** `Idempotency-Key`, or a new one. Throws a problem for one that is not valid. */
export function idempotencyKey({ headers }: ReadRequest): string {
  const given = headers.get('idempotency-key')
  if (given === null) return newId()
  // The draft of the IETF writes it as a string in quotes.
  const key = given.replace(/^"(.*)"$/, '$1')
  if (/^[\u0021-\u007e]+$/.test(key) && key.length <= keyCharactersMax) return key
  throw new Problem(
    'invalid-request',
    `The header idempotency-key is not 1 to ${keyCharactersMax} visible ASCII characters.`,
  )
}

/** The id of a command or message: one principal's keys never meet another's. */
export function scopedId({ principal, isKnown }: Caller, key: string): string {
  return `http:${isKnown ? encodeURIComponent(principal.id) : ''}:${key}`
}

function isTraceparent(text: string): boolean {
  const [, version, trace, span] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(text) ?? []
  const isZero = (id: string | undefined) => id === undefined || /^0+$/.test(id)
  return version !== 'ff' && !isZero(trace) && !isZero(span)
}
