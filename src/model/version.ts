// Versions number an actor's events; positions number the records of a namespace's log.

import { CairnError } from './errors.js'
import { show } from './show.js'

/** The number of an actor's event: 1, 2, 3 … without a gap; 0 means "no events yet". */
export type Version = number

/** The number of a record in its namespace's log: 1, 2, 3 …; 0 means "before the first". */
export type Position = number

/**
 * The version that the writer expects of the actor it appends to.
 * - a number: exactly this last version (0 is the same as `'none'`)
 * - `'none'`: no events
 * - `'exists'`: at least one event
 * - `'any'`: any version
 */
export type ExpectedVersion = Version | 'none' | 'exists' | 'any'

/** True if an actor at version `actual` meets the expectation. */
export function meetsExpectation(expected: ExpectedVersion, actual: Version): boolean {
  if (typeof expected === 'number') return expected === actual
  if (expected === 'none') return actual === 0
  return expected === 'any' || actual > 0
}

/** Returns `expected`, or throws `invalid-option`. */
export function checkExpectedVersion(expected: ExpectedVersion): ExpectedVersion {
  const isWord = expected === 'none' || expected === 'exists' || expected === 'any'
  if (isWord || isCount(expected)) return expected
  throw new CairnError(
    'invalid-option',
    `${typeof expected === 'number' ? expected : show(expected)} is not an expected version: ` +
      "use a whole number from 0, 'none', 'exists' or 'any'.",
    { details: { expected } },
  )
}

/** True for 0, 1, 2 … up to 2^53 - 1. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** Returns `value`, or throws `invalid-option` with `name`. */
export function checkCount(name: string, value: unknown): number {
  if (isCount(value)) return value
  throw new CairnError(
    'invalid-option',
    `${name} is ${typeof value === 'number' ? value : show(value)}: use a whole number from 0.`,
    { details: { [name]: value } },
  )
}
