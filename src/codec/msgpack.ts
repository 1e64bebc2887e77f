// Values ⇄ bytes. The only file that imports msgpackr.

import { addExtension, Packr } from 'msgpackr'
import { CairnError, messageOf } from '../model/errors.js'

// Plain MessagePack maps instead of msgpackr's record structures: a library of any language can read a
// commit, and each body is self-contained. Byte values are copied out of the input: a caller that changes
// them does not change the input, and a few bytes do not keep a whole record in memory. A Buffer is `bin`, and a
// Uint8Array an extension, so that each is read as what it was. A key "toJSON" is data.
const options = {
  useRecords: false,
  mapsAsObjects: true,
  moreTypes: true,
  useToJSON: false,
  encodeUndefinedAsNil: false,
  copyBuffers: true,
}
const packr = new Packr(options)
/** Writes the length of a map as it is, not in 16 bits: for objects of more than 65,535 keys. */
const widePackr = new Packr({ ...options, variableMapSize: true })

/** Encodes `value`. Throws `invalid-data` for a value that `checkData` accepts and msgpackr refuses. */
export function encode(value: unknown): Uint8Array {
  try {
    return pack(hasNegativeZero(value) ? withNegativeZeros(value) : value)
  } catch (cause) {
    throw new CairnError(
      'invalid-data',
      `A value cannot be encoded as MessagePack: ${messageOf(cause)}. Pass plain data.`,
      { cause },
    )
  }
}

function pack(value: unknown): Uint8Array {
  try {
    return packr.pack(value)
  } catch {
    return widePackr.pack(value) // It throws as well, unless the object was only too wide.
  }
}

/** Decodes `bytes`. Throws unless they are exactly one MessagePack value. */
export function decode(bytes: Uint8Array): unknown {
  return packr.unpack(bytes)
}

// msgpackr writes -0 as the integer 0. It is written as a float in place of a marker.
class NegativeZero {
  readonly value = -0
}

const negativeZero = new NegativeZero()
/** Where msgpackr lets an extension write into its output; its types do not declare it. */
type Allocate = (size: number) => {
  readonly target: Uint8Array
  readonly position: number
}

addExtension({
  Class: NegativeZero,
  type: 1, // Never written: the bytes below are an ordinary float.
  pack(_marker: NegativeZero, ...[allocate]: unknown[]) {
    const { target, position } = (allocate as Allocate)(9)
    target.fill(0, position, position + 9)
    target[position] = 0xcb
    target[position + 1] = 0x80
    return undefined as never
  },
})

function hasNegativeZero(value: unknown): boolean {
  if (typeof value === 'number') return value === 0 && Object.is(value, -0)
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (hasNegativeZero(value[i])) return true
    return false
  }
  if (ArrayBuffer.isView(value)) return false
  for (const key in value)
    if (hasNegativeZero((value as Record<string, unknown>)[key])) return true
  return false
}

function withNegativeZeros(value: unknown): unknown {
  if (Object.is(value, -0)) return negativeZero
  if (!hasNegativeZero(value)) return value
  if (Array.isArray(value)) return value.map(withNegativeZeros)
  return Object.fromEntries(
    Object.entries(value as object).map(([key, item]) => [key, withNegativeZeros(item)]),
  )
}
