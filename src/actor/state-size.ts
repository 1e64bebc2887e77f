// A cheap estimate of the memory of a state, for the limit on residents.
//
// If the state was encoded with its commit, the estimate is three times its encoded size: measured,
// states of text take 1.3 times their encoded size in memory, of numbers 2, of small objects 4.
// Otherwise the first values are sampled. Both may be wrong by a factor of three.

/** Bytes of memory for each encoded byte. */
const bytesPerEncodedByte = 3
/** At most this many values are sampled. */
const valuesMax = 200
/** At most this many levels are entered. */
const depthMax = 16

export function stateBytesOfEncoded(encoded: number): number {
  return bytesPerEncodedByte * encoded
}

/** An estimate from at most {@link valuesMax} values; never throws, whatever the state is. */
export function estimateStateBytes(state: unknown): number {
  let valuesLeft = valuesMax
  const estimate = (value: unknown, depth: number): number => {
    valuesLeft--
    if (typeof value === 'string') return 24 + value.length
    if (typeof value !== 'object' || value === null) return 8
    if (ArrayBuffer.isView(value)) return 100 + value.byteLength
    const { count, items, perItem } = contentsOf(value)
    let bytes = 0
    let sampled = 0
    if (depth < depthMax)
      for (const item of items) {
        if (valuesLeft <= 0) break
        bytes += estimate(item, depth + 1)
        sampled++
      }
    const each = sampled === 0 ? 16 : bytes / sampled
    return 48 + Math.ceil(count * (each + perItem))
  }
  try {
    return estimate(state, 0)
  } catch {
    return 0 // A proxy may throw on access. An estimate must not fail for that.
  }
}

interface Contents {
  readonly count: number
  readonly items: Iterable<unknown>
  /** Memory of the slot of an item. */
  readonly perItem: number
}

function contentsOf(value: object): Contents {
  if (value instanceof Map || value instanceof Set)
    return { count: value.size, items: value, perItem: 40 }
  if (Array.isArray(value)) return { count: value.length, items: value, perItem: 8 }
  const keys = Object.keys(value)
  return { count: keys.length, items: propertiesOf(value, keys), perItem: 8 }
}

/** Does not run getters: they are user code. */
function* propertiesOf(value: object, keys: readonly string[]): Generator {
  for (const key of keys) yield Object.getOwnPropertyDescriptor(value, key)?.value
}
