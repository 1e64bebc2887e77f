// How large a value is at most when it is encoded: what is certainly small need not be encoded
// to know that.

/**
 * Whether MessagePack takes at most `limit` bytes for the value; false where that is not
 * certain without encoding it. Only for what `checkData` has let through.
 */
export function certainlyFits(value: unknown, limit: number): boolean {
  return remainingBytes(value, limit) >= 0
}

/** What is left of a room of so many bytes once the value is in; less than 0 when it may not fit. */
export function remainingBytes(value: unknown, room: number): number {
  if (typeof value === 'string') return room - ofString(value)
  if (typeof value !== 'object' || value === null) return room - scalarBytes
  if (value instanceof Date) return room - dateBytes
  if (value instanceof Uint8Array) return room - headBytes - value.length
  let left = room - headBytes
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length && left >= 0; i++)
      left = remainingBytes(value[i], left)
    return left
  }
  for (const key in value) {
    if (left < 0) return left
    left = remainingBytes((value as Record<string, unknown>)[key], left - ofString(key))
  }
  return left
}

/** A unit of UTF-16 is at most three bytes of UTF-8. */
function ofString(text: string): number {
  return headBytes + 3 * text.length
}

/** What says how long a string, a list or a map is, at most. */
const headBytes = 5
/** A number, a 64-bit integer, a boolean, nothing. */
const scalarBytes = 9
const dateBytes = 15
