// Values ⇄ bytes. The only file that imports msgpackr.

import { Packr } from 'msgpackr'
import { CairnError, messageOf } from '../model/errors.js'

// Plain MessagePack maps instead of msgpackr's record structures: a library of any language can read a
// commit, and each body is self-contained. Byte values are copied out of the input: a caller that changes
// them does not change the input, and a few bytes do not keep a whole record in memory.
const packr = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  encodeUndefinedAsNil: false,
  copyBuffers: true,
})

/** Encodes `value`. Throws `invalid-data` for a value that `checkData` accepts and msgpackr refuses. */
export function encode(value: unknown): Uint8Array {
  try {
    return packr.pack(value)
  } catch (cause) {
    throw new CairnError(
      'invalid-data',
      `A value cannot be encoded as MessagePack: ${messageOf(cause)}. Pass plain data.`,
      { cause },
    )
  }
}

/** Decodes `bytes`. Throws unless they are exactly one MessagePack value. */
export function decode(bytes: Uint8Array): unknown {
  return packr.unpack(bytes)
}
