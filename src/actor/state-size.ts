// How much memory a state takes, roughly and cheaply: for the limit on what stays awake.
//
// Where a commit was encoded anyway, three times its state's bytes: measured, states of text take
// 1.3 times their encoded size in memory, of numbers 2, of small objects 4. Where it was not, the
// first values are looked at and stand for the rest. Both may be wrong by a factor of three.

/** Memory for each encoded byte. */
const perEncodedByte = 3
/** Values looked at. */
const looksMax = 200
/** Levels looked into. */
const depthMax = 16

export function bytesOfEncoded(encoded: number): number {
  return perEncodedByte * encoded
}

/** An estimate from at most {@link looksMax} values; never throws, whatever the state is. */
export function roughBytes(state: unknown): number {
  let looks = looksMax
  const estimate = (value: unknown, depth: number): number => {
    looks--
    if (typeof value === 'string') return 24 + value.length
    if (typeof value !== 'object' || value === null) return 8
    if (ArrayBuffer.isView(value)) return 100 + value.byteLength
    const { count, items, perItem } = contentsOf(value)
    let bytes = 0
    let seen = 0
    if (depth < depthMax)
      for (const item of items) {
        if (looks <= 0) break
        bytes += estimate(item, depth + 1)
        seen++
      }
    const each = seen === 0 ? 16 : bytes / seen
    return 48 + Math.ceil(count * (each + perItem))
  }
  try {
    return estimate(state, 0)
  } catch {
    return 0 // A proxy may forbid to be looked at; it is not for the limit to complain.
  }
}

interface Contents {
  readonly count: number
  readonly items: Iterable<unknown>
  /** Memory of an item's place. */
  readonly perItem: number
}

function contentsOf(value: object): Contents {
  if (value instanceof Map || value instanceof Set)
    return { count: value.size, items: value, perItem: 40 }
  if (Array.isArray(value)) return { count: value.length, items: value, perItem: 8 }
  const keys = Object.keys(value)
  return { count: keys.length, items: propertiesOf(value, keys), perItem: 8 }
}

/** A getter is code of the user's, which this must not run. */
function* propertiesOf(value: object, keys: readonly string[]): Generator {
  for (const key of keys) yield Object.getOwnPropertyDescriptor(value, key)?.value
}
