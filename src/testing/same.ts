// Whether two values are the same to whoever reads them from the store.

import { isDeepStrictEqual } from 'node:util'

import { decode, encode } from '../codec/msgpack.js'

/** Compared as they come back: one may have been stored, the other not. */
export function isSame(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(decode(encode(a)), decode(encode(b)))
}
