// Values ⇄ bytes. The only file that imports msgpackr.

import { addExtension, Packr } from 'msgpackr'
import { CairnError, messageOf } from '../model/errors.js'
import { checkMsgpackBounds } from './msgpack-bounds.js'

// Plain MessagePack maps instead of msgpackr's record structures: a library of any language can read a
// commit, and each body is self-contained. Byte values are copied out of the input: a caller that changes
// them does not change the input, and a few bytes do not keep a whole record in memory. A key "toJSON" is data.
const options = {
  useRecords: false,
  mapsAsObjects: true,
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
    return pack(needsMarks(value) ? withMarks(value) : value)
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

/** Decodes `bytes`. Throws unless they are exactly one MessagePack value, within the bounds of what Cairn writes. */
export function decode(bytes: Uint8Array): unknown {
  checkMsgpackBounds(bytes)
  isDecoding = true
  try {
    // Not as a Buffer: msgpackr reads byte values as what the input is.
    return packr.unpack(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length))
  } finally {
    isDecoding = false
  }
}

// msgpackr writes -0 as the integer 0, and a Buffer as a Uint8Array. Both are replaced by marks, which write themselves: -0
// as a float, and a Buffer as the extension that msgpackr has for typed arrays.

/** Bytes to write as they are. */
class Mark {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

const negativeZero = new Mark(Uint8Array.of(0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0))
const typedArrayExtension = 0x74
/** msgpackr's number for a Uint8Array in this extension. A plain one is `bin`, so it is free to mean a Buffer. */
const bufferCode = 1
const typedArrays = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
]

/** Extensions are registered for all users of msgpackr in the process: others must read theirs as before. */
let isDecoding = false

addExtension({
  Class: Mark,
  type: typedArrayExtension,
  pack({ bytes }: Mark, ...[allocate]: unknown[]) {
    const { target, position } = (allocate as Allocate)(bytes.length)
    target.set(bytes, position)
    return undefined as never
  },
  unpack(extension: Uint8Array) {
    const bytes = Uint8Array.prototype.slice.call(extension, 1)
    const { buffer } = bytes
    const code = extension[0]!
    if (isDecoding && code === bufferCode) return Buffer.from(buffer, 0, bytes.length)
    const TypedArray = typedArrays[code]
    if (TypedArray !== undefined) {
      if (buffer.byteLength % TypedArray.BYTES_PER_ELEMENT !== 0)
        throw new Error(`it has ${buffer.byteLength} bytes for a ${TypedArray.name}`)
      return new TypedArray(buffer)
    }
    if (code === 16) return buffer
    if (code === 17) return new DataView(buffer)
    throw new Error(`Could not find typed array for code ${code}`)
  },
})

/** Where msgpackr lets an extension write into its output; its types do not declare it. */
type Allocate = (size: number) => {
  readonly target: Uint8Array
  readonly position: number
}

function markOf(buffer: Buffer): Mark {
  const length = buffer.length + 1
  const head = Buffer.alloc(7)
  let at = 0
  if (length < 0x100) {
    head[0] = 0xc7
    at = head.writeUInt8(length, 1)
  } else if (length < 0x10000) {
    head[0] = 0xc8
    at = head.writeUInt16BE(length, 1)
  } else {
    head[0] = 0xc9
    at = head.writeUInt32BE(length, 1)
  }
  head[at++] = typedArrayExtension
  head[at++] = bufferCode
  return new Mark(Buffer.concat([head.subarray(0, at), buffer]))
}

function needsMarks(value: unknown): boolean {
  if (typeof value === 'number') return value === 0 && Object.is(value, -0)
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (needsMarks(value[i])) return true
    return false
  }
  if (ArrayBuffer.isView(value)) return Buffer.isBuffer(value)
  for (const key in value)
    if (needsMarks((value as Record<string, unknown>)[key])) return true
  return false
}

function withMarks(value: unknown): unknown {
  if (Object.is(value, -0)) return negativeZero
  if (Buffer.isBuffer(value)) return markOf(value)
  if (!needsMarks(value)) return value
  if (Array.isArray(value)) return value.map(withMarks)
  return Object.fromEntries(
    Object.entries(value as object).map(([key, item]) => [key, withMarks(item)]),
  )
}
