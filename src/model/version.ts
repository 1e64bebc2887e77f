// Versions count an actor's events; positions count a namespace's stored records.

import { CairnError } from './errors.js'
import { show } from './show.js'

/** Number of an actor's event: 1, 2, 3 … without a gap; 0 stands for "no events yet". */
export type Version = number

/** Place of a record in its namespace's log: 1, 2, 3 …; 0 stands for "before the first". */
export type Position = number

/**
 * What the writer believes about the actor it appends to.
 * - a number: its last version is exactly this (0 is the same as `'none'`)
 * - `'none'`: it has no events
 * - `'exists'`: it has at least one event
 * - `'any'`: whatever it has
 */
export type ExpectedVersion = Version | 'none' | 'exists' | 'any'

/** True when an actor at `actual` is what `expected` asks for. */
export function meetsExpectation(expected: ExpectedVersion, actual: Version): boolean {
  if (typeof expected === 'number') return expected === actual
  if (expected === 'none') return actual === 0
  return expected === 'any' || actual > 0
}

/** Returns `expected`, or throws `invalid-option`. */
export function checkExpectedVersion(expected: ExpectedVersion): ExpectedVersion {
  const known = expected === 'none' || expected === 'exists' || expected === 'any'
  if (known || isCount(expected)) return expected
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

/** Returns a version or position, or throws `invalid-option` naming it. */
export function checkCount(name: string, value: unknown): number {
  if (isCount(value)) return value
  throw new CairnError(
    'invalid-option',
    `${name} is ${typeof value === 'number' ? value : show(value)}: use a whole number from 0.`,
    { details: { [name]: value } },
  )
}
