// Checks that a value can be stored, before it is encoded.
//
// A value that would be read back as a different one is refused with its path. Storing it would lose data unnoticed.

import { CairnError } from '../model/errors.js'

const depthMax = 100

/**
 * Throws `invalid-data` naming the first path that cannot be stored.
 *
 * Stored unchanged: `null`, `undefined`, booleans, numbers, well-formed strings, 64-bit
 * bigints, `Date`, `Uint8Array`, arrays and plain objects of these. Refused: functions,
 * symbols, class instances, `Map`, `Set`, invalid dates, cycles, nesting beyond 100 levels.
 * As in JSON, -0 becomes 0, holes in arrays become values, and symbol keys are left out.
 *
 * @param what name of the value in the error, such as `data of event "deposited"`
 */
export function checkData(value: unknown, what: string | (() => string)): void {
  const problem = findProblem(value, '', 0)
  if (problem === undefined) return
  const name = typeof what === 'string' ? what : what()
  throw new CairnError('invalid-data', `The ${name} cannot be stored: ${problem}.`)
}

function findProblem(value: unknown, path: string, depth: number): string | undefined {
  switch (typeof value) {
    case 'boolean':
    case 'number':
    case 'undefined':
      return undefined
    case 'string':
      return value.isWellFormed()
        ? undefined
        : `${at(path)} contains half of a surrogate pair`
    case 'bigint':
      return BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value
        ? undefined
        : `${at(path)} is a bigint of more than 64 bits`
    case 'object':
      return value === null ? undefined : findProblemInObject(value, path, depth)
    default:
      return `${at(path)} is a ${typeof value}`
  }
}

function findProblemInObject(
  value: object,
  path: string,
  depth: number,
): string | undefined {
  if (depth === depthMax)
    return `${at(path)} is nested deeper than ${depthMax} levels, or part of a cycle`
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const problem = findProblem(value[i], `${path}[${i}]`, depth + 1)
      if (problem !== undefined) return problem
    }
    return undefined
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) {
    for (const key in value) {
      if (key === '__proto__') return `${at(path)} has a key "__proto__"`
      if (!key.isWellFormed())
        return `${at(path)} has a key that contains half of a surrogate pair`
      const item = (value as Record<string, unknown>)[key]
      // Leaves get no path: building one for each would cost more than the check.
      if (typeof item === 'number' || typeof item === 'boolean') continue
      const problem =
        typeof item === 'object' && item !== null
          ? findProblemInObject(item, `${path}.${key}`, depth + 1)
          : findProblem(item, '', depth + 1) &&
            findProblem(item, `${path}.${key}`, depth + 1)
      if (problem !== undefined) return problem
    }
    return undefined
  }
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? `${at(path)} is an invalid Date` : undefined
  if (value instanceof Uint8Array) return undefined
  const name = (value.constructor as { name?: string } | undefined)?.name
  return `${at(path)} is an instance of ${name ?? 'a class'}; pass a plain object instead`
}

function at(path: string): string {
  return path === '' ? 'the value itself' : path.replace(/^\./, '')
}
