// Retries: how often a reactor tries a message, with which waits, and which errors it tries again.

import { CairnError } from '../../model/errors.js'
import { show } from '../../model/show.js'
import { type Backoff, delayAfter } from '../backoff.js'

/** As a reactor's definition says it. */
export interface RetryOptions extends Partial<Backoff> {
  /** Attempts in all, before a message becomes a dead letter. `Infinity` for no end. Default 5. */
  readonly attempts?: number
  /** Whether an error is worth another attempt, where the error does not say so. Default: all are. */
  readonly when?: (error: unknown) => boolean
}

/** Policies with a name. `deterministic-exponential-v1`: three attempts, 1,000 and 2,000 ms apart, no chance. */
export type RetryPreset = 'deterministic-exponential-v1'

export interface RetryPolicy {
  readonly attempts: number
  readonly backoff: Backoff
  readonly when: (error: unknown) => boolean
}

const waits: Backoff = { first: 1_000, factor: 2, max: 30_000 }

const presets: Readonly<Record<RetryPreset, RetryOptions>> = {
  'deterministic-exponential-v1': { attempts: 3, first: 1_000, factor: 2, max: Infinity },
}

/** The policy with its defaults; throws `invalid-definition`. */
export function retryPolicy(
  options: RetryOptions | RetryPreset = {},
  of = 'a reactor',
): RetryPolicy {
  const given = typeof options === 'string' ? presets[options] : options
  if (given === undefined)
    throw invalid(
      `retry of ${of} is ${show(options)}: use ${Object.keys(presets).join(', ')}, or an object.`,
    )
  const { attempts = 5, when = () => true, ...rest } = given
  const backoff = { ...waits, ...rest }
  const { kind = 'exponential', first, factor, max, jitter = 0 } = backoff
  const isRight =
    (attempts === Infinity || (Number.isSafeInteger(attempts) && attempts >= 1)) &&
    [first, factor].every(value => Number.isFinite(value) && value > 0) &&
    max > 0 &&
    jitter >= 0 &&
    jitter <= 1 &&
    ['exponential', 'linear', 'fixed'].includes(kind) &&
    typeof when === 'function'
  if (isRight) return { attempts, backoff, when }
  throw invalid(
    `retry of ${of} is ${show({ ...backoff, attempts })}: use whole attempts from 1 or Infinity; kind exponential, ` +
      'linear or fixed; first, factor and max above 0; jitter from 0 to 1; and a function as when.',
  )
}

/** Milliseconds to wait after an attempt, or why there is none after it. */
export function afterFailure(
  { attempts, backoff, when }: RetryPolicy,
  attempt: number,
  error: unknown,
): number | 'terminal' | 'max-attempts-exhausted' {
  const brand = brandOf(error)
  if (brand === 'terminal' || (brand === undefined && !when(error))) return 'terminal'
  if (attempt >= attempts) return 'max-attempts-exhausted'
  const after = brand === 'retryable' ? (error as RetryableError).after : undefined
  return after ?? delayAfter(attempt, backoff)
}

// Brands hold across copies of this package in one program, which `instanceof` does not.
const brand = Symbol.for('cairn.retry')

/** Thrown by a handler: trying again is of no use, whatever the policy says. */
export class TerminalError extends Error {
  override readonly name: string = 'TerminalError'
  readonly [brand] = 'terminal'
}

/** Thrown by a handler: trying again may help, whatever the policy's `when` says. */
export class RetryableError extends Error {
  override readonly name: string = 'RetryableError'
  readonly [brand] = 'retryable'
  /** Milliseconds to wait. Default: as the policy says. */
  readonly after: number | undefined

  constructor(
    message?: string,
    options: ErrorOptions & { readonly after?: number } = {},
  ) {
    super(message, options)
    this.after = options.after
  }
}

function brandOf(error: unknown): 'terminal' | 'retryable' | undefined {
  const found =
    typeof error === 'object' && error !== null && brand in error
      ? error[brand]
      : undefined
  return found === 'terminal' || found === 'retryable' ? found : undefined
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-definition', message)
}
