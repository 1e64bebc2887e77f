// The records beside the log: headers of one table, and a body. Headers that a reader does not know are kept with what
// it has read, and are written again with it.

import { messageOf } from '../model/errors.js'
import type { KeptHeaders } from '../model/kept-headers.js'
import { decodeWith, encodeHeaders, type HeaderTable } from './header-row.js'
import { decode, encode } from './msgpack.js'
import { otherHeadersOf, otherHeadersToWrite } from './other-headers.js'

/** Headers as a store returns them: the values are still encoded. */
export type RecordHeaders = Readonly<Record<string, string>>

/** A record to store. */
export interface NewRecord {
  readonly headers: [string, string][]
  readonly body: Uint8Array
}

/** Throws for a value that must not be stored. */
export function encodeRecord<Header extends object>(
  table: HeaderTable<Header>,
  from: Header & KeptHeaders,
  body: unknown,
): NewRecord {
  const headers = encodeHeaders(table, from)
  if (from.otherHeaders !== undefined)
    headers.push(...otherHeadersToWrite(from.otherHeaders, headers))
  return { headers, body: encode(body) }
}

/**
 * Reads a record with `read`, or returns the reason why it is not readable: of its headers, the one that `read`
 * returns, or what it throws.
 */
export function decodeRecord<Header extends object, T>(
  table: HeaderTable<Header>,
  headers: RecordHeaders,
  body: Uint8Array,
  read: (header: Header & KeptHeaders, body: unknown) => T | string,
): T | string {
  const header = decodeWith(table, name => headers[name])
  if (typeof header === 'string') return header
  const otherHeaders = otherHeadersOf(table, headers)
  try {
    const kept = otherHeaders === undefined ? header : { ...header, otherHeaders }
    return read(kept, decode(body))
  } catch (error) {
    return `it is not decodable (${messageOf(error)})`
  }
}

/** The data in the body of a record that holds nothing else. */
export function dataOf(body: unknown): unknown {
  return (body as { readonly data?: unknown } | null | undefined)?.data
}
