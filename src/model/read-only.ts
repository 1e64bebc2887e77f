// Values that nobody can change: the states, events and rows that Cairn keeps in memory and hands to user code.
//
// READ-ONLY-1. Arrays and plain objects are frozen in place. The methods of a Map or a Set that change it throw.
// READ-ONLY-2. A Date and bytes cannot be frozen. Each user of a value gets copies of its own of these, and of the
//     containers around them; the rest is shared (`handOut`).
// READ-ONLY-3. Freezing costs what is new: parts that the state before had at the same place are not visited again. An
//     object that is frozen is visited all the same: whoever froze it may not have frozen what it holds.
// READ-ONLY-4. Instances of other classes are left as they are: freezing one may break it. No state with one is stored.

import { types } from 'node:util'

/** `T` as user code gets it: nothing in it can be changed. */
export type DeepReadonly<T> = 0 extends 1 & T
  ? T // any
  : unknown extends T
    ? T
    : T extends Atomic
      ? T
      : T extends ReadonlyMap<infer Key, infer Value>
        ? ReadonlyMap<Key, DeepReadonly<Value>>
        : T extends ReadonlySet<infer Member>
          ? ReadonlySet<DeepReadonly<Member>>
          : { readonly [Key in keyof T]: DeepReadonly<T[Key]> }

/** What is not entered. A Date and bytes belong to whoever gets them. */
type Atomic =
  | string
  | number
  | bigint
  | boolean
  | symbol
  | null
  | undefined
  | Date
  | ArrayBufferView
  | ArrayBuffer
  | ((...args: never) => unknown)

/** Deeper parts are not frozen. */
const depthMax = 1_000
/** Objects after which a walk remembers where it has been: the value may be a cycle, or share its parts. */
const unrecordedMax = 10_000

/** Frozen containers that hold something that cannot be frozen (READ-ONLY-2). */
const mutableHolders = new WeakSet()
let isAnythingMutable = false

interface Walk {
  visits: number
  /** Made when something is remembered. */
  visited: Set<object> | undefined
}

/**
 * Freezes a value, deeply and in place, and returns it.
 * @param like a value that is frozen already; parts that both have at the same place are not visited (READ-ONLY-3)
 */
export function freeze<T>(value: T, like?: unknown): T {
  if (typeof value === 'object' && value !== null && (value as unknown) !== like)
    freezeObject(value, like, 0, { visits: 0, visited: undefined })
  return value
}

/** A frozen value for user code: itself, or a copy in part (READ-ONLY-2). */
export function handOut<T>(value: T): T {
  if (!isAnythingMutable || typeof value !== 'object' || value === null) return value
  return isMutable(value) ? (copyMutable(value, new Map()) as T) : value
}

/** Whether a value that was frozen holds parts of which each user gets a copy. */
function isMutable(value: unknown): boolean {
  if (!isAnythingMutable || typeof value !== 'object' || value === null) return false
  return mutableHolders.has(value) || isUnfreezable(value)
}

function isUnfreezable(value: object): boolean {
  return ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value) || isPlainDate(value)
}

function isPlainDate(value: object): boolean {
  return types.isDate(value) && Object.getPrototypeOf(value) === Date.prototype
}

/** Returns whether the object holds something that can be changed. */
function freezeObject(value: object, like: unknown, depth: number, walk: Walk): boolean {
  if (value === like || depth > depthMax) return isMutable(value)
  if (++walk.visits > unrecordedMax) {
    walk.visited ??= new Set()
    if (walk.visited.has(value)) return isMutable(value)
    walk.visited.add(value)
  }
  let holdsMutable: boolean
  if (Array.isArray(value)) holdsMutable = freezeItems(value, like, depth, walk)
  else {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null)
      holdsMutable = freezeProperties(value, like, depth, walk)
    else if (prototype === Map.prototype && types.isMap(value))
      holdsMutable = freezeMap(value, like, depth, walk)
    else if (prototype === Set.prototype && types.isSet(value))
      holdsMutable = freezeSet(value, depth, walk)
    else return isUnfreezable(value) && noteMutable()
  }
  Object.freeze(value)
  if (holdsMutable) mutableHolders.add(value)
  return holdsMutable
}

function noteMutable(): true {
  isAnythingMutable = true
  return true
}

/** Skips the items that both lists have at the start and at the end. */
function freezeItems(
  items: readonly unknown[],
  like: unknown,
  depth: number,
  walk: Walk,
): boolean {
  const before: readonly unknown[] = Array.isArray(like) ? like : []
  const shift = before.length - items.length
  const common = Math.min(before.length, items.length)
  let start = 0
  while (start < common && items[start] === before[start]) start++
  let end = items.length
  while (end > start && end + shift > start && items[end - 1] === before[end - 1 + shift])
    end--
  let holdsMutable =
    end - start < items.length && isMutable(like) && items.some(isMutable)
  for (let i = start; i < end; i++) {
    const item = items[i]
    if (typeof item !== 'object' || item === null) continue
    if (freezeObject(item, before[i], depth + 1, walk)) holdsMutable = true
  }
  return holdsMutable
}

function freezeProperties(
  value: object,
  like: unknown,
  depth: number,
  walk: Walk,
): boolean {
  const before = (typeof like === 'object' && like !== null ? like : none) as Properties
  let holdsMutable = false
  for (const key in value) {
    const item = (value as Properties)[key]
    if (typeof item !== 'object' || item === null) continue
    if (freezeObject(item, before[key], depth + 1, walk)) holdsMutable = true
  }
  return holdsMutable
}

type Properties = Readonly<Record<string, unknown>>

const none: Properties = Object.freeze({})

function freezeMap(
  map: ReadonlyMap<unknown, unknown>,
  like: unknown,
  depth: number,
  walk: Walk,
): boolean {
  const before = types.isMap(like) ? like : new Map<unknown, unknown>()
  let holdsMutable = false
  for (const [key, item] of map) {
    for (const part of [key, item])
      if (typeof part === 'object' && part !== null)
        if (freezeObject(part, part === item ? before.get(key) : part, depth + 1, walk))
          holdsMutable = true
  }
  guard(map)
  return holdsMutable
}

function freezeSet(set: ReadonlySet<unknown>, depth: number, walk: Walk): boolean {
  let holdsMutable = false
  for (const item of set)
    if (typeof item === 'object' && item !== null)
      if (freezeObject(item, undefined, depth + 1, walk)) holdsMutable = true
  guard(set)
  return holdsMutable
}

/** Replaces the methods that change a Map or a Set. */
function guard(collection: object): void {
  if (!Object.isFrozen(collection)) Object.defineProperties(collection, guards)
}

/** The methods that change a Map or a Set. */
export const changingMethods = ['set', 'add', 'delete', 'clear'] as const

const guards = Object.fromEntries(
  changingMethods.map(name => [
    name,
    {
      value: (): never => {
        throw new TypeError(`${readOnlyCollection}: ${name}() would change it`)
      },
    },
  ]),
)

const readOnlyCollection = 'Cannot change a read only collection'

/** READ-ONLY-2. Frozen like the original. */
function copyMutable(value: object, copies: Map<object, object>): object {
  const known = copies.get(value)
  if (known !== undefined) return known
  if (isUnfreezable(value)) return copyUnfreezable(value)
  const copyPart = <T>(part: T): T =>
    isMutable(part) ? (copyMutable(part as object, copies) as T) : part
  let copy: object
  if (types.isMap(value)) {
    const map = new Map<unknown, unknown>()
    copies.set(value, (copy = map))
    for (const [key, item] of value) map.set(copyPart(key), copyPart(item))
    guard(map)
  } else if (types.isSet(value)) {
    const set = new Set<unknown>()
    copies.set(value, (copy = set))
    for (const item of value) set.add(copyPart(item))
    guard(set)
  } else if (Array.isArray(value)) {
    // With its holes, as `slice` keeps them.
    const items = value.slice() as unknown[]
    copies.set(value, (copy = items))
    for (const i of items.keys()) if (i in items) items[i] = copyPart(items[i])
  } else {
    const properties = Object.assign(
      Object.create(Object.getPrototypeOf(value) as object | null) as Properties,
      value,
    ) as Record<string, unknown>
    copies.set(value, (copy = properties))
    for (const key in properties) properties[key] = copyPart(properties[key])
  }
  copyExtra(value, copy)
  mutableHolders.add(copy)
  return Object.freeze(copy)
}

function copyUnfreezable(value: object): object {
  if (types.isDate(value)) return copyExtra(value, new Date(value))
  return Buffer.isBuffer(value) ? Buffer.from(value) : structuredClone(value)
}

/** Properties that a Date, a list, a Map or a Set has beside its content. */
function copyExtra<T extends object>(value: object, copy: T): T {
  const isList = Array.isArray(value)
  for (const key of Reflect.ownKeys(value))
    if (!Object.hasOwn(copy, key) && !(isList && key === 'length')) {
      const descriptor = Object.getOwnPropertyDescriptor(value, key)!
      Object.defineProperty(copy, key, descriptor)
    }
  return copy
}
