// The checksum of an entry: CRC32 of its key and value, the last four bytes of what is stored.
//
// The key is part of it: an entry that was moved to another key by a damaged page does not pass.

import { crc32 } from 'node:zlib'

export const checksumBytes = 4

/** Up to this length, a call into native code takes longer than the loop. */
const shortBytes = 48

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++)
    value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1
  return value
})

/** CRC32 of `bytes`, continued from `before`. */
function crcOf(bytes: Uint8Array, end: number, before: number): number {
  if (end > shortBytes)
    return crc32(end === bytes.length ? bytes : bytes.subarray(0, end), before)
  let value = ~before
  for (let i = 0; i < end; i++) value = table[(value ^ bytes[i]!) & 0xff]! ^ (value >>> 8)
  return ~value >>> 0
}

/** The value followed by its checksum. */
export function withChecksum(key: Uint8Array, value: Uint8Array): Buffer {
  const end = value.length
  const stored = Buffer.allocUnsafe(end + checksumBytes)
  stored.set(value, 0)
  stored.writeUInt32BE(crcOf(stored, end, crcOf(key, key.length, 0)), end)
  return stored
}

/** The value without its checksum; `undefined` if they do not belong together. */
export function withoutChecksum(key: Uint8Array, stored: Buffer): Buffer | undefined {
  const end = stored.length - checksumBytes
  if (end < 0) return undefined
  const sum = crcOf(stored, end, crcOf(key, key.length, 0))
  return sum === stored.readUInt32BE(end) ? stored.subarray(0, end) : undefined
}

/** CRC32 of a text in UTF-8. */
export function checksumOfText(text: string): number {
  return crc32(text)
}
