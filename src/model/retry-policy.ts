// Retry policies: the number of attempts at a message or a piece of work, the delays between them, and the errors that
// are retried.

import { checkOptions, type OptionNames } from './check-options.js'
import { CairnError } from './errors.js'
import { show } from './show.js'
import { isIgnoredPromise } from './thenable.js'
import { propertyOf } from './thrown.js'
import { type Backoff, delayAfter } from './backoff.js'

/** The retry options of a reactor's definition. */
export interface RetryOptions extends Partial<Backoff> {
  /** Attempts before a message becomes a dead letter; `Infinity` for no limit. Default 5. */
  readonly attempts?: number
  /**
   * Whether an error is retried, unless it is a TerminalError or a RetryableError. An error for which it throws is
   * retried. Default: all are.
   */
  readonly when?: (error: unknown) => boolean
}

/** Named policies. `deterministic-exponential-v1`: three attempts, 1,000 and 2,000 ms apart, without jitter. */
export type RetryPreset = 'deterministic-exponential-v1'

export interface RetryPolicy {
  readonly attempts: number
  readonly backoff: Backoff
  readonly when: (error: unknown) => boolean
}

const defaultBackoff: Backoff = { first: 1_000, factor: 2, max: 30_000 }

const retryOptionNames: OptionNames<RetryOptions> = {
  attempts: true,
  when: true,
  kind: true,
  first: true,
  factor: true,
  max: true,
  jitter: true,
}

const presets: Readonly<Record<RetryPreset, RetryOptions>> = {
  'deterministic-exponential-v1': { attempts: 3, first: 1_000, factor: 2, max: Infinity },
}

/** Completes a policy with its defaults; throws `invalid-definition`. */
export function retryPolicy(
  options: RetryOptions | RetryPreset = {},
  owner = 'a reactor',
): RetryPolicy {
  const given = typeof options === 'string' ? presets[options] : options
  if (given === undefined)
    throw invalid(
      `retry of ${owner} is ${show(options)}: use ${Object.keys(presets).join(', ')}, or an object.`,
    )
  checkOptions(`retry of ${owner}`, given, retryOptionNames, 'invalid-definition')
  const { attempts = 5, when = () => true, ...rest } = given
  const backoff = { ...defaultBackoff, ...rest }
  const { kind = 'exponential', first, factor, max, jitter = 0 } = backoff
  const isValid =
    (attempts === Infinity || (Number.isSafeInteger(attempts) && attempts >= 1)) &&
    [first, factor].every(value => Number.isFinite(value) && value > 0) &&
    max > 0 &&
    jitter >= 0 &&
    jitter <= 1 &&
    ['exponential', 'linear', 'fixed'].includes(kind) &&
    typeof when === 'function'
  if (isValid) return { attempts, backoff, when }
  throw invalid(
    `retry of ${owner} is ${show({ ...backoff, attempts })}: use whole attempts from 1 or Infinity; kind exponential, ` +
      'linear or fixed; first, factor and max above 0; jitter from 0 to 1; and a function as when.',
  )
}

/**
 * Milliseconds until the next attempt, or the reason why there is none. Never throws.
 *
 * @param onFault called with the error of a policy's `when` that throws or returns a promise
 */
export function afterFailure(
  { attempts, backoff, when }: RetryPolicy,
  attempt: number,
  error: unknown,
  onFault: (fault: unknown) => void = () => {},
): number | 'terminal' | 'max-attempts-exhausted' {
  const brand = brandOf(error)
  if (brand === 'terminal') return 'terminal'
  if (brand === undefined && !isRetried(when, error, onFault)) return 'terminal'
  if (attempt >= attempts) return 'max-attempts-exhausted'
  const after = brand === 'retryable' ? propertyOf(error, 'after') : undefined
  return isDelay(after) ? after : delayAfter(attempt, backoff)
}

/** Whether a value is a time to wait: a number from 0. */
export function isDelay(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

/** What `when` says. Where it throws or returns a promise it says nothing: the error is retried. */
function isRetried(
  when: RetryPolicy['when'],
  error: unknown,
  onFault: (fault: unknown) => void,
): boolean {
  try {
    const answer: unknown = when(error)
    if (isIgnoredPromise(answer))
      throw invalid('when returned a promise: it must return true or false.')
    return Boolean(answer)
  } catch (fault) {
    onFault(fault)
    return true
  }
}

// A brand works across several copies of this package in one program; `instanceof` does not.
const brand = Symbol.for('cairn.retry')

/** Thrown by a handler: the message is not retried, whatever the policy says. */
export class TerminalError extends Error {
  override readonly name: string = 'TerminalError'
  readonly [brand] = 'terminal'
}

/** Thrown by a handler: the message is retried, whatever the policy's `when` says. */
export class RetryableError extends Error {
  override readonly name: string = 'RetryableError'
  readonly [brand] = 'retryable'
  /** Milliseconds until the next attempt. Default: the policy decides. */
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
  const found = propertyOf(error, brand)
  return found === 'terminal' || found === 'retryable' ? found : undefined
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-definition', message)
}
