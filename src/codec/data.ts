// Checks that a value is plain data: that it is read back as it was stored.
//
// What would be read back as something else is refused, with its path and what to pass instead. Storing it would lose
// data unnoticed, and a state folded from it would differ from the same state folded again. The check runs no code of the
// value: no getter, no trap of a proxy.

import { isDeepStrictEqual, types } from 'node:util'

import { CairnError } from '../model/errors.js'
import { pathOf } from '../model/path.js'

const depthMax = 100
/** A value that is used in several places counts, and is stored, several times. */
const objectsMax = 1_000_000
/** Up to this length it is cheaper to list the properties of a list than to compare it. */
const listedMax = 24

/**
 * Throws `invalid-data` naming the first path that cannot be stored.
 *
 * Stored unchanged: `null`, `undefined`, booleans, numbers (`NaN`, infinities and -0 too), well-formed strings, 64-bit
 * bigints, `Date`, `Uint8Array`, `Buffer`, arrays and plain objects of these. Everything else is refused.
 *
 * @param what name of the value in the error, such as `data of event "deposited"`
 */
export function checkData(value: unknown, what: string | (() => string)): void {
  objectsLeft = objectsMax
  const problem = findProblem(value, 0)
  if (problem === undefined) return
  const name = typeof what === 'string' ? what : what()
  const path = pathOf(problem.steps.toReversed())
  throw new CairnError(
    'invalid-data',
    `The ${name} cannot be stored: ${path === '' ? 'the value itself' : path} ${problem.text}.`,
    { details: { path } },
  )
}

/** Whether a value is bytes that can be stored: a `Buffer` or a `Uint8Array`, of no other class. */
export function isBytes(value: unknown): value is Uint8Array {
  if (!types.isUint8Array(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Buffer.prototype || prototype === Uint8Array.prototype
}

/** A copy of bytes, of the same class. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return Buffer.isBuffer(bytes) ? Buffer.from(bytes) : new Uint8Array(bytes)
}

interface Problem {
  readonly text: string
  /** The way to the value, from the inside out. */
  readonly steps: (string | number)[]
}

/** How many more objects may be visited. Only one check runs at a time: it runs no code of others. */
let objectsLeft = 0

function refused(text: string, ...steps: (string | number)[]): Problem {
  return { text, steps }
}

function findProblem(value: unknown, depth: number): Problem | undefined {
  switch (typeof value) {
    case 'boolean':
    case 'number':
    case 'undefined':
      return undefined
    case 'string':
      return value.isWellFormed()
        ? undefined
        : refused('contains half of a surrogate pair; use toWellFormed()')
    case 'bigint':
      return BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value
        ? undefined
        : refused('is a bigint of more than 64 bits; pass it as text')
    case 'object':
      return value === null ? undefined : findProblemInObject(value, depth)
    default:
      return refused(`is a ${typeof value}; leave it out`)
  }
}

function findProblemInObject(value: object, depth: number): Problem | undefined {
  if (types.isProxy(value)) return refused('is a Proxy; pass a plain copy')
  if (depth === depthMax)
    return refused(`is nested deeper than ${depthMax} levels, or part of a cycle`)
  if (--objectsLeft < 0)
    return refused(`is one of more than ${objectsMax} objects; store less in one value`)
  if (Array.isArray(value)) return findProblemInArray(value, depth)
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype
    ? findProblemInProperties(value, depth)
    : findProblemInInstance(value, prototype)
}

function findProblemInProperties(value: object, depth: number): Problem | undefined {
  const keys = Object.getOwnPropertyNames(value)
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!
    const property = Object.getOwnPropertyDescriptor(value, key)!
    const item: unknown = property.value
    if (property.get !== undefined || property.set !== undefined)
      return refused('is a getter or setter; pass its value', key)
    if (property.enumerable !== true)
      return refused('is not enumerable; make it an ordinary property', key)
    if (key === '__proto__') return refused('has a key "__proto__"; rename it')
    if (!key.isWellFormed())
      return refused('has a key that contains half of a surrogate pair; rename it')
    if (typeof item === 'number' || typeof item === 'boolean') continue
    const problem = findProblem(item, depth + 1)
    if (problem === undefined) continue
    problem.steps.push(key)
    return problem
  }
  return findSymbolKey(value)
}

function findProblemInArray(
  value: readonly unknown[],
  depth: number,
): Problem | undefined {
  if (Object.getPrototypeOf(value) !== Array.prototype)
    return refused(`is an instance of ${classOf(value)}; pass Array.from(…) of it`)
  const isListed = value.length <= listedMax
  for (let i = 0; i < value.length; i++) {
    if (!Object.hasOwn(value, i))
      return refused('is a hole in an array; use null or undefined', i)
    if (isListed && Object.getOwnPropertyDescriptor(value, i)!.get !== undefined)
      return refused('is a getter or setter; pass its value', i)
    const item = value[i]
    if (typeof item === 'number' || typeof item === 'boolean') continue
    const problem = findProblem(item, depth + 1)
    if (problem === undefined) continue
    problem.steps.push(i)
    return problem
  }
  const isBare = isListed
    ? Object.getOwnPropertyNames(value).length === value.length + 1 // and "length"
    : isDeepStrictEqual(value, value.slice())
  return isBare ? findSymbolKey(value) : ownProperties('an array')
}

function findProblemInInstance(value: object, prototype: unknown): Problem | undefined {
  if (prototype === Date.prototype && types.isDate(value)) {
    if (Number.isNaN(value.getTime()))
      return refused('is an invalid Date; use null or undefined')
    return Reflect.ownKeys(value).length === 0 ? undefined : ownProperties('a Date')
  }
  if (isBytes(value)) {
    // The comparison sees properties beside the bytes.
    return isDeepStrictEqual(value, copyBytes(value))
      ? undefined
      : ownProperties('an array of bytes')
  }
  if (prototype === null) return refused('has no prototype; pass { ...value }')
  return refused(`is an instance of ${classOf(value)}; ${remedyFor(value)}`)
}

function findSymbolKey(value: object): Problem | undefined {
  const [key] = Object.getOwnPropertySymbols(value)
  return key && refused(`has a key that is a symbol, ${String(key)}; use text as the key`)
}

function ownProperties(what: string): Problem {
  return refused(`is ${what} with properties of its own; pass them beside it`)
}

function classOf(value: object): string {
  const { constructor } = value as { readonly constructor?: unknown }
  return typeof constructor === 'function' && constructor.name !== ''
    ? constructor.name
    : 'a class'
}

function remedyFor(value: object): string {
  if (value instanceof Map) return 'pass its entries, Array.from(value)'
  if (value instanceof Set) return 'pass its members, Array.from(value)'
  if (value instanceof Date) return 'pass new Date(value)'
  if (ArrayBuffer.isView(value)) return 'pass its bytes as a Uint8Array, or Array.from(…)'
  return 'pass a plain object instead'
}
