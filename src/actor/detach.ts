// Copies of plain data, so that what a caller holds and what an actor holds are never the
// same object: changing one must not change the other. A command that travelled from
// another node is a copy anyway; one from this node behaves alike.

import { checkData } from '../codec/data.js'

/** A deep copy; throws `invalid-data` for what could not travel or be stored. */
export function detach<T>(value: T, what: string | (() => string)): T {
  checkData(value, what)
  return copy(value) as T
}

/** A deep copy of plain data; anything else is returned as it is. */
export function detachPlain<T>(value: T): T {
  return isPlain(value) ? (copy(value) as T) : value
}

function isPlain(value: unknown): boolean {
  try {
    checkData(value, 'value')
    return true
  } catch {
    // The check's answer is this exception; its reason is of no interest here.
    return false
  }
}

/** Only for what `checkData` has let through: it ends, and knows every kind of object. */
function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(copy)
  if (value instanceof Date) return new Date(value)
  if (value instanceof Uint8Array) return new Uint8Array(value)
  const result: Record<string, unknown> = {}
  for (const key in value) result[key] = copy((value as Record<string, unknown>)[key])
  return result
}
