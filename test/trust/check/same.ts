// Equality of values that were read from JSON.

import { isDeepStrictEqual } from 'node:util'

/** A missing value and null are the same: JSON has only the one. */
export function isSame(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(a ?? null, b ?? null)
}

/** Whether an object has all that another one has; other values must be the same. */
export function includes(value: unknown, part: unknown): boolean {
  if (!isObject(value) || !isObject(part)) return isSame(value, part)
  return Object.entries(part).every(([name, expected]) => isSame(value[name], expected))
}

/** Equal values have equal texts. */
export function textOf(value: unknown): string {
  return (
    JSON.stringify(value, (_key, inner: unknown) =>
      isObject(inner)
        ? Object.fromEntries(Object.entries(inner).toSorted(byName))
        : inner,
    ) ?? 'undefined'
  )
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1
}
