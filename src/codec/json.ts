// Values as JSON, for people and tools: the output of the command line and of the HTTP door.

/**
 * One line of JSON. Bytes as base64, 64-bit integers, NaN and the infinities as text, dates as ISO 8601, a Map as its entries,
 * and a Set as its members. Throws for what refers to itself.
 */
export function toJson(value: unknown): string {
  // A Buffer's own toJSON has run on `item`, so bytes are looked up in the object that holds them.
  return JSON.stringify(
    value,
    function (this: Record<string, unknown>, key, item: unknown) {
      const original = this[key]
      if (original instanceof Uint8Array) return Buffer.from(original).toString('base64')
      if (typeof item === 'bigint') return item.toString()
      if (typeof item === 'number') return Number.isFinite(item) ? item : String(item)
      return item instanceof Map || item instanceof Set
        ? [...(item as Set<unknown>)]
        : item
    },
  )
}
