// Supervision policies: what happens to an actor that has failed.

import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'

/**
 * What happens to an actor that has failed. An actor fails if its `evolve` or `initialState` throws, or
 * if records of its history are missing or unreadable.
 */
export interface SupervisionOptions {
  /**
   * - `'park'` (default): it fails every command with the reason (`actor-parked`), until the cause has
   *   been corrected or an operator gives the directive `retry` or `skip`.
   * - `'restart'`: it is read again after a growing delay, during which its commands wait within their
   *   deadlines; after `backoff.times` failures in a row it is parked.
   * - `'escalate'`: it is parked, and the failure is reported to `startNode({ onEscalation })`.
   */
  readonly onFailure?: 'park' | 'restart' | 'escalate' | undefined
  /** With `'restart'` only. */
  readonly backoff?: {
    /** Milliseconds before the first restart. Default 100. */
    readonly first?: number
    /** The factor from each delay to the next, at least 1. Default 2. */
    readonly factor?: number
    /** The longest delay in milliseconds. Default 10,000. */
    readonly max?: number
    /** The most restarts in a row. Default 5. */
    readonly times?: number
  }
}

export interface SupervisionPolicy {
  readonly onFailure: 'park' | 'restart' | 'escalate'
  readonly first: number
  readonly factor: number
  readonly max: number
  readonly times: number
}

const delayMax = 2 ** 31 - 1

/** Returns the policy with its defaults. Throws `invalid-definition`. */
export function policyOf(options: SupervisionOptions = {}): SupervisionPolicy {
  checkKeys('supervision', options, ['onFailure', 'backoff'])
  const { onFailure = 'park', backoff } = options
  if (!['park', 'restart', 'escalate'].includes(onFailure))
    throw invalid('onFailure', show(onFailure), '"park", "restart" or "escalate"')
  if (backoff !== undefined && onFailure !== 'restart')
    throw invalid('backoff', 'given', 'it with onFailure: "restart" only')
  checkKeys('supervision.backoff', backoff === undefined ? {} : backoff, [
    'first',
    'factor',
    'max',
    'times',
  ])
  const { first = 100, factor = 2, times = 5 } = backoff ?? {}
  const { max = Math.max(10_000, first) } = backoff ?? {}
  for (const [name, ms] of Object.entries({ first, max }))
    if (!Number.isSafeInteger(ms) || ms < 1 || ms > delayMax)
      throw invalid(`backoff.${name}`, numeral(ms), `1 to ${delayMax} milliseconds`)
  if (max < first)
    throw invalid('backoff.max', numeral(max), `at least first, which is ${first}`)
  if (!Number.isFinite(factor) || factor < 1)
    throw invalid('backoff.factor', numeral(factor), 'a number from 1')
  if (!Number.isSafeInteger(times) || times < 1)
    throw invalid('backoff.times', numeral(times), 'a whole number from 1')
  return { onFailure, first, factor, max, times }
}

/** Milliseconds before the next restart, after a number of failures in a row; undefined for no restart. */
export function delayAfter(
  policy: SupervisionPolicy,
  failures: number,
): number | undefined {
  const { onFailure, first, factor, max, times } = policy
  if (onFailure !== 'restart' || failures > times) return undefined
  return Math.min(max, Math.round(first * factor ** (failures - 1)))
}

function checkKeys(name: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null)
    throw new CairnError(
      'invalid-definition',
      `${name} is ${show(options)}: use an object with ${known.join(', ')}.`,
    )
  for (const key of Object.keys(options))
    if (!known.includes(key))
      throw new CairnError(
        'invalid-definition',
        `${name} has ${show(key)}, which is not an option: use ${known.join(', ')}.`,
      )
}

function invalid(name: string, value: string, use: string): CairnError {
  return new CairnError(
    'invalid-definition',
    `supervision.${name} is ${value}: use ${use}.`,
  )
}

function numeral(value: unknown): string {
  return typeof value === 'number' ? String(value) : show(value)
}
