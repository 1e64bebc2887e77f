// The parts that all records outside the log share: the wire version, the causes, bounded text, and how a record
// is read.
//
//   Cairn-Wire      1
//   Cairn-Correlation, Cairn-Causation, traceparent    where known

import { definedCauses } from '../model/causes.js'
import type { Causes } from '../model/commit.js'
import { CairnError, type ErrorCode, messageOf } from '../model/errors.js'
import { show } from '../model/show.js'
import { wireVersion } from './wire-version.js'
import { decodeHeader, encodeHeader } from './headers.js'
import { decode, encode } from './msgpack.js'

/** Headers as a store returns them: the values are still encoded. */
export type RecordHeaders = Readonly<Record<string, string>>

/** Returns the decoded value of a header. Throws `URIError` for one that is not decodable. */
export type HeaderReader = (name: string) => string | undefined

/** A record to store. */
export interface NewRecord {
  readonly headers: [string, string][]
  readonly body: Uint8Array
}

export const wireHeader: [string, string] = ['Cairn-Wire', String(wireVersion)]

/** The reason for records that lack a header. */
export const missingHeader = 'a required header is missing'

/** A record whose body holds nothing but `data`. */
export function encodeRecord(headers: [string, string][], data: unknown): NewRecord {
  return { headers, body: encode({ data }) }
}

/** The data in a body that {@link encodeRecord} made. */
export function decodeData(body: Uint8Array): unknown {
  return (decode(body) as { data?: unknown }).data
}

/**
 * Reads a record with `read`, or returns the reason why it is not readable: another wire version, the reason that
 * `read` returns, or what it throws.
 */
export function readRecord<T>(
  headers: RecordHeaders,
  read: (header: HeaderReader) => T | string,
): T | string {
  const wire = headers['Cairn-Wire']
  if (wire !== String(wireVersion))
    return `its wire version is ${show(wire)}, and this build reads ${wireVersion}`
  try {
    return read(name => {
      const value = headers[name]
      return value === undefined ? undefined : decodeHeader(value)
    })
  } catch (error) {
    return `it is not decodable (${messageOf(error)})`
  }
}

/** A required number in a header; NaN where it is missing or not a number. */
export function decodeNumber(value: string | undefined): number {
  return Number(value || NaN)
}

/**
 * Text as a header value. Throws `code` for text that is empty, not well-formed, or longer than `bytesMax` bytes of
 * UTF-8.
 */
export function encodeText(
  code: ErrorCode,
  what: string,
  value: unknown,
  bytesMax: number,
): string {
  const isText =
    typeof value === 'string' &&
    value !== '' &&
    value.isWellFormed() &&
    Buffer.byteLength(value) <= bytesMax
  if (isText) return encodeHeader(value)
  throw new CairnError(
    code,
    `${show(value)} is not a ${what}: use 1 to ${bytesMax} bytes of well-formed text.`,
  )
}

export function encodeCauses({
  correlationId,
  causationId,
  traceparent,
}: Causes): [string, string][] {
  const named: [string, string | undefined][] = [
    ['Cairn-Correlation', correlationId],
    ['Cairn-Causation', causationId],
    ['traceparent', traceparent],
  ]
  return named.flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, encodeHeader(value)]],
  )
}

export function decodeCauses(header: HeaderReader): Causes {
  return definedCauses({
    correlationId: header('Cairn-Correlation'),
    causationId: header('Cairn-Causation'),
    traceparent: header('traceparent'),
  })
}
