// Finds out which part of a read-only value user code has tried to change.
//
// What JavaScript throws names a property, and not where it is. The code is pure: it is run again on values that notice.

import { types } from 'node:util'

import { pathOf } from './path.js'
import { changingMethods } from './read-only.js'
import { show } from './show.js'
import { isError, messageOf, propertyOf } from './thrown.js'

/** Wraps a value, so that the first change of it is noticed. */
export type Watch = <T>(name: string, value: T) => T

/** A change that was refused. */
export interface RefusedChange {
  /** Of the value that would have been changed, as `again` has named it. */
  readonly name: string
  /** Where in it; empty for the value itself. */
  readonly path: string
}

/** What was changed, and where in it: `the state, at "items[0]"`. */
export function describeChange({ path }: RefusedChange, changed: string): string {
  return path === '' ? changed : `${changed}, at ${show(path)}`
}

// The texts of Node's engine, and that of a guarded Map or Set (read-only.ts).
const refusal =
  /read.only (property|collection)|object is not extensible|Cannot (delete|redefine|define) property/

/** Whether an error is the refusal of a change, also as another library reports it. */
export function isRefusedChange(thrown: unknown): boolean {
  for (let error = thrown, depth = 0; error !== undefined && depth < 5; depth++) {
    if (refusal.test(messageOf(error))) return true
    error = isError(error) ? propertyOf(error, 'cause') : undefined
  }
  return false
}

/**
 * The change that made user code throw; `undefined` if it was something else.
 * @param again calls the code again, with watched values in place of those that it got
 */
export function findRefusedChange(
  thrown: unknown,
  again: (watch: Watch) => unknown,
): RefusedChange | undefined {
  if (!isRefusedChange(thrown)) return undefined
  let found: RefusedChange | undefined
  const watch: Watch = (name, value) =>
    watched(value, [], steps => {
      found ??= { name, path: pathOf(steps) }
      throw new TypeError('Cannot change a read only property')
    })
  try {
    again(watch)
  } catch {
    // It throws as it did before. What it tried to change is known by now.
  }
  return found
}

type Steps = readonly (string | number)[]
type Refuse = (steps: Steps) => never
type Collection = Map<unknown, unknown> | Set<unknown>

function watched<T>(value: T, steps: Steps, refuse: Refuse): T {
  if (typeof value !== 'object' || value === null) return value
  if (types.isMap(value) || types.isSet(value))
    return watchedCollection(value as unknown as Collection, steps, refuse) as T
  const isArray = Array.isArray(value)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!isArray && prototype !== Object.prototype && prototype !== null) return value
  const stepTo = (key: string | symbol): Steps => {
    const isIndex = isArray && typeof key === 'string' && /^\d+$/.test(key)
    return [...steps, isIndex ? Number(key) : String(key)]
  }
  // A copy that is not frozen: a proxy must show a frozen property as it is.
  return new Proxy(isArray ? [...(value as unknown[])] : { ...value }, {
    get: (target, key) =>
      watched(Reflect.get(target, key) as unknown, stepTo(key), refuse),
    getOwnPropertyDescriptor: (target, key) => {
      const property = Reflect.getOwnPropertyDescriptor(target, key)
      if (property?.configurable !== true) return property
      return {
        ...property,
        value: watched(property.value as unknown, stepTo(key), refuse),
      }
    },
    set: (_target, key) => refuse(stepTo(key)),
    defineProperty: (_target, key) => refuse(stepTo(key)),
    deleteProperty: (_target, key) => refuse(stepTo(key)),
    setPrototypeOf: () => refuse(steps),
    preventExtensions: () => refuse(steps),
  }) as T
}

function watchedCollection(value: Collection, steps: Steps, refuse: Refuse): object {
  const part = (item: unknown) => watched(item, steps, refuse)
  const copy = types.isMap(value)
    ? new Map([...value].map(([key, item]) => [part(key), part(item)]))
    : new Set([...value].map(part))
  for (const name of changingMethods)
    Object.defineProperty(copy, name, { value: () => refuse(steps) })
  return copy
}
