// Values ⇄ bytes. The only home of msgpackr.

import { Packr } from 'msgpackr'
import { CairnError, messageOf } from '../model/errors.js'

// Plain MessagePack maps, no private record structures: any language's library can read a
// commit, and a body says everything about itself. Bytes are copied out of what they are read
// from: a caller that changes them changes nothing that is stored, and a few of them do not
// keep a whole record in memory.
const packr = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  encodeUndefinedAsNil: false,
  copyBuffers: true,
})

/** Bytes of `value`. Throws `invalid-data` for what `checkData` let through and msgpackr refuses. */
export function encode(value: unknown): Uint8Array {
  try {
    return packr.pack(value)
  } catch (cause) {
    throw new CairnError(
      'invalid-data',
      `A value cannot be written as MessagePack: ${messageOf(cause)}. Pass plain data.`,
      { cause },
    )
  }
}

/** The value in `bytes`; throws when they are not exactly one MessagePack value. */
export function decode(bytes: Uint8Array): unknown {
  return packr.unpack(bytes)
}
