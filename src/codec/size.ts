// An upper bound of a value's encoded size. A value that is certainly small does not have to be encoded to check
// its size.

/**
 * Whether the value certainly takes at most `limit` bytes as MessagePack; false if only encoding can tell.
 * Only for values that `checkData` accepts.
 */
export function certainlyFits(value: unknown, limit: number): boolean {
  return remainingBytes(value, limit) >= 0
}

/** `limit` minus the value's largest possible size in bytes; less than 0 if the value may not fit. */
export function remainingBytes(value: unknown, limit: number): number {
  if (typeof value === 'string') return limit - stringBytes(value)
  if (typeof value !== 'object' || value === null) return limit - scalarBytes
  if (value instanceof Date) return limit - dateBytes
  if (value instanceof Uint8Array) return limit - bytesPrefixBytes - value.length
  let left = limit - prefixBytes
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length && left >= 0; i++)
      left = remainingBytes(value[i], left)
    return left
  }
  for (const key in value) {
    if (left < 0) return left
    left = remainingBytes(
      (value as Record<string, unknown>)[key],
      left - stringBytes(key),
    )
  }
  return left
}

/** A UTF-16 code unit takes at most three bytes of UTF-8. */
function stringBytes(text: string): number {
  return prefixBytes + 3 * text.length
}

/** The length prefix of a string, a list or a map, at most. */
const prefixBytes = 5
/** The prefix of bytes, at most. */
const bytesPrefixBytes = 7
/** A number, a 64-bit integer, a boolean, null or undefined. */
const scalarBytes = 9
const dateBytes = 15
