// Publishing until the server answers: repeats one attempt within a deadline.
//
// PUBLISH-RETRY-1. An attempt without an answer is ambiguous and is made again. The caller makes
//     sure that a repeated attempt cannot store twice.
// PUBLISH-RETRY-2. After an ambiguous attempt the outcome counts as unknown until an attempt is
//     answered: the error is `outcome-unknown` then, and never claims that nothing was stored.

import { CairnError } from '../model/errors.js'
import { pause } from '../model/wait.js'
import type { Connection } from './connection.js'
import { type ApiError, apiError } from './errors.js'

/** Milliseconds to wait for one answer before the attempt is made again. */
export const attemptTimeout = 2_000

export interface RetryOptions {
  /** Milliseconds for all attempts together. */
  readonly timeout: number
  readonly signal?: AbortSignal | undefined
  /** What is written, for errors: `document a.b`. */
  readonly target: string
  /** What a caller can do when the outcome is unknown, for errors: a sentence. */
  readonly remedy: string
}

/** Outcomes after which the attempt is made again, or fails for good. */
type Unsettled =
  | { readonly kind: 'unclear'; readonly why: string }
  | { readonly kind: 'not-now'; readonly why: string }
  | { readonly kind: 'refused'; readonly error: ApiError }
  /** Asks for another attempt at once. */
  | { readonly kind: 'retry' }

type Settled<Outcome> = Exclude<Outcome, { readonly kind: Unsettled['kind'] }>

/**
 * Repeats `attempt` until its outcome is none of these, and resolves with it. `afterAmbiguity`: an
 * earlier attempt had no answer, and may have been stored. Throws `outcome-unknown`, `aborted`,
 * `store-unreachable`, or the error of a refused attempt.
 *
 * @param attempt is given a function that returns the milliseconds left
 */
export async function publishWithRetries<Outcome extends { readonly kind: string }>(
  connection: Connection,
  { timeout, signal, target, remedy }: RetryOptions,
  attempt: (left: () => number) => Promise<Outcome>,
): Promise<{ readonly outcome: Settled<Outcome>; readonly afterAmbiguity: boolean }> {
  const deadline = Date.now() + timeout
  const left = () => deadline - Date.now()
  let ambiguity: string | undefined
  for (;;) {
    const ms = left()
    if (ms <= 0 || signal?.aborted || connection.closed)
      throw gaveUp(target, timeout, ambiguity, remedy, signal)
    const outcome: { readonly kind: string } = await attempt(left)
    if (!isUnsettled(outcome))
      return {
        outcome: outcome as Settled<Outcome>,
        afterAmbiguity: ambiguity !== undefined,
      }
    if (outcome.kind === 'refused') throw apiError(outcome.error, `writing ${target}`)
    if (outcome.kind === 'unclear') {
      ambiguity = outcome.why // PUBLISH-RETRY-1
      await pause(Math.min(50, ms), signal)
    } else if (outcome.kind === 'not-now') await pause(1 + Math.random() * 4, signal)
    await connection.whenConnected(left(), signal)
  }
}

const unsettled: ReadonlySet<string> = new Set<Unsettled['kind']>([
  'unclear',
  'not-now',
  'refused',
  'retry',
])

function isUnsettled(outcome: { readonly kind: string }): outcome is Unsettled {
  return unsettled.has(outcome.kind)
}

/** PUBLISH-RETRY-2. */
function gaveUp(
  target: string,
  timeout: number,
  ambiguity: string | undefined,
  remedy: string,
  signal: AbortSignal | undefined,
): CairnError {
  if (ambiguity !== undefined)
    return new CairnError(
      'outcome-unknown',
      `The outcome of writing ${target} is unknown: ${ambiguity}. ${remedy}`,
    )
  if (signal?.aborted)
    return new CairnError(
      'aborted',
      `Stopped writing ${target}: the caller's signal was aborted. Nothing was stored.`,
    )
  return new CairnError(
    'store-unreachable',
    `Could not write ${target} within ${timeout} ms: NATS does not answer. ` +
      'Nothing was stored; the call may be repeated.',
  )
}
