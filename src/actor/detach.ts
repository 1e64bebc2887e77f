// Copies of plain data, so that a caller and an actor never share an object: a change by one must not
// affect the other. A command from another node is a copy anyway, and one from this node behaves alike.

import { checkData, copyBytes, isBytes } from '../codec/data.js'

/** A deep copy; throws `invalid-data` for a value that cannot be encoded. */
export function detach<T>(value: T, what: string | (() => string)): T {
  checkData(value, what)
  return deepCopy(value) as T
}

/** A deep copy of plain data; any other value is returned unchanged. */
export function detachPlain<T>(value: T): T {
  return isPlain(value) ? (deepCopy(value) as T) : value
}

function isPlain(value: unknown): boolean {
  try {
    checkData(value, 'value')
    return true
  } catch {
    // checkData answers with this exception; its reason does not matter here.
    return false
  }
}

/** Only for values that passed `checkData`: they have no cycles and no other kinds of objects. */
function deepCopy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(deepCopy)
  if (value instanceof Date) return new Date(value)
  if (isBytes(value)) return copyBytes(value)
  const copy: Record<string, unknown> = { ...value }
  for (const key in copy) {
    const item = copy[key]
    if (typeof item === 'object' && item !== null) copy[key] = deepCopy(item)
  }
  return copy
}
