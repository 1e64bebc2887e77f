// Whether a state has the parts that a specification names.

import { isDeepStrictEqual } from 'node:util'

/** Parts of a state: any fields, at any depth. */
export type StateMatch<State> = unknown extends State
  ? unknown
  : State extends readonly (infer Item)[]
    ? readonly StateMatch<Item>[]
    : State extends Date | Uint8Array
      ? State
      : State extends object
        ? { readonly [Field in keyof State]?: StateMatch<State[Field]> }
        : State

/**
 * @param isInState whether the value of a machine's state is one that is named; default: as for any other field
 */
export function matchesState(
  state: unknown,
  expected: unknown,
  isInState?: (state: unknown, value: unknown) => boolean,
): boolean {
  if (isInState === undefined || !isRecord(expected) || expected.value === undefined)
    return matches(state, expected)
  const { value, ...rest } = expected
  return isInState(state, value) && matches(state, rest)
}

function matches(actual: unknown, expected: unknown): boolean {
  if (Array.isArray(expected))
    return (
      Array.isArray(actual) &&
      actual.length === expected.length &&
      expected.every((item, i) => matches(actual[i], item))
    )
  if (!isRecord(expected)) return isDeepStrictEqual(actual, expected)
  if (!isRecord(actual)) return false
  return Object.keys(expected).every(name => matches(actual[name], expected[name]))
}

/** A plain object; dates and bytes are values. */
function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
