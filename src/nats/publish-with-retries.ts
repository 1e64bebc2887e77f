// Publishing until the server answers: repeats one attempt within a deadline.
//
// PUBLISH-RETRY-1. An attempt without an answer is ambiguous and is made again. The caller makes
//     sure that a repeated attempt cannot store twice.
// PUBLISH-RETRY-2. After an ambiguous attempt the outcome counts as unknown until an attempt is stored or its
//     expectation is refused: the error is `outcome-unknown` then, and never claims that nothing was stored.
// PUBLISH-RETRY-3. A message that has become too large for the server is not sent again (PAYLOAD-2). It is searched where the
//     caller can do that.
// PUBLISH-RETRY-4. A stream that was deleted ends the attempts: nothing of it is stored.

import { CairnError } from '../model/errors.js'
import { pause } from '../model/wait.js'
import type { Connection } from './connection.js'
import { type ApiError, apiError, writeFailedError, writeFailure } from './errors.js'
import { findMissingStream, mayBeMissing } from './missing-stream.js'
import {
  notSendable,
  passBehind,
  tooLargeError,
  UnansweredServers,
} from './payload-limit.js'
import type { TooLarge, Unclear, WriteFailed } from './publish-outcome.js'

/** Milliseconds to wait for one answer before the attempt is made again. */
export const attemptTimeout = 2_000

export interface RetryOptions<Outcome> {
  readonly stream: string
  readonly subject: string
  /** Milliseconds for all attempts together. */
  readonly timeout: number
  readonly signal?: AbortSignal | undefined
  /** What is written, for errors: `document a.b`. */
  readonly target: string
  /** What a caller can do when the outcome is unknown, for errors: a sentence. */
  readonly remedy: string
  /** PUBLISH-RETRY-3: searches what an ambiguous attempt has stored; `undefined` if it is not there. */
  find?(left: () => number): Promise<Settled<Outcome> | undefined>
}

/** Outcomes after which the attempt is made again, or fails for good. */
type Unsettled =
  | Unclear
  | TooLarge
  | WriteFailed
  | { readonly kind: 'not-now'; readonly why: string }
  | { readonly kind: 'refused'; readonly error: ApiError }
  /** Asks for another attempt at once. */
  | { readonly kind: 'retry' }

type Settled<Outcome> = Exclude<Outcome, { readonly kind: Unsettled['kind'] }>

export interface Published<Outcome> {
  readonly outcome: Settled<Outcome>
  /** An earlier attempt had no answer, and may have been stored. */
  readonly afterAmbiguity: boolean
}

/**
 * Repeats `attempt` until its outcome is none of these, and resolves with it. Throws `outcome-unknown`, `aborted`,
 * `store-unreachable`, `commit-too-large`, `foreign-stream`, or the error of a refused attempt.
 *
 * @param attempt is given a function that returns the milliseconds left
 */
export async function publishWithRetries<Outcome extends { readonly kind: string }>(
  connection: Connection,
  options: RetryOptions<Outcome>,
  attempt: (left: () => number) => Promise<Outcome>,
): Promise<Published<Outcome>> {
  const { stream, timeout, signal, target } = options
  const start = Date.now()
  const deadline = start + timeout
  const left = () => deadline - Date.now()
  const servers = new UnansweredServers()
  let ambiguity: string | undefined
  let unanswered = 0
  if (!connection.connected) await connection.whenConnected(timeout, signal)
  for (;;) {
    const ms = left()
    if (ms <= 0 || signal?.aborted || connection.isUnusable)
      throw ambiguity === undefined
        ? notWritten(connection, options, start)
        : outcomeUnknown(options, ambiguity + connection.explainSilence(start, stream))
    const { serverId } = connection
    let outcome: { readonly kind: string }
    try {
      outcome = await attempt(left)
    } catch (error) {
      // An error of this attempt tells nothing about an ambiguous one before it.
      throw ambiguity === undefined ? error : outcomeUnknown(options, ambiguity, error)
    }
    if (!isUnsettled(outcome))
      return {
        outcome: outcome as Settled<Outcome>,
        afterAmbiguity: ambiguity !== undefined,
      }
    switch (outcome.kind) {
      case 'refused': {
        const error = apiError(outcome.error, `writing ${target}`)
        throw ambiguity === undefined ? error : outcomeUnknown(options, ambiguity, error)
      }
      case 'too-large': {
        if (ambiguity === undefined) throw tooLargeError(connection, outcome)
        const why = notSendable(connection, outcome, ambiguity)
        return await search(connection, options, outcome, why, servers, deadline)
      }
      case 'write-failed': {
        const { reason, wasSent } = outcome
        throw wasSent || ambiguity !== undefined
          ? outcomeUnknown(options, writeFailure(stream, reason))
          : writeFailedError(`writing ${target}`, stream, reason)
      }
      case 'unclear': // PUBLISH-RETRY-1
        ambiguity = outcome.why
        servers.add(serverId)
        servers.add(connection.serverId)
        if (outcome.noResponders && mayBeMissing(++unanswered)) {
          const missing = await findMissingStream(connection, stream, Math.max(1, left()))
          if (missing !== undefined) throw missing // PUBLISH-RETRY-4
        }
        await pause(Math.min(50, ms), signal)
        break
      case 'not-now':
        await pause(1 + Math.random() * 4, signal)
        break
    }
    await connection.whenConnected(left(), signal)
  }
}

/** PUBLISH-RETRY-3. */
async function search<Outcome>(
  connection: Connection,
  options: RetryOptions<Outcome>,
  tooLarge: TooLarge,
  why: string,
  servers: UnansweredServers,
  deadline: number,
): Promise<Published<Outcome>> {
  const { find, signal } = options
  if (find === undefined) throw outcomeUnknown(options, why)
  let isProof = false
  try {
    const behind = await passBehind(connection, options, servers, { deadline, signal })
    const found = behind && (await find(() => Math.max(1, deadline - Date.now())))
    if (found !== undefined) return { outcome: found, afterAmbiguity: true }
    isProof = behind?.isProof === true
  } catch (error) {
    throw outcomeUnknown(options, why, error)
  }
  throw isProof ? tooLargeError(connection, tooLarge) : outcomeUnknown(options, why)
}

const unsettled: ReadonlySet<string> = new Set<Unsettled['kind']>([
  'unclear',
  'too-large',
  'write-failed',
  'not-now',
  'refused',
  'retry',
])

function isUnsettled(outcome: { readonly kind: string }): outcome is Unsettled {
  return unsettled.has(outcome.kind)
}

/** PUBLISH-RETRY-2. */
function outcomeUnknown(
  { target, remedy }: RetryOptions<unknown>,
  why: string,
  cause?: unknown,
): CairnError {
  return new CairnError(
    'outcome-unknown',
    `The outcome of writing ${target} is unknown: ${why}. ${remedy}`,
    { cause },
  )
}

/** No attempt was sent, or each was answered that it is not stored. */
function notWritten(
  connection: Connection,
  { target, timeout, signal }: RetryOptions<unknown>,
  start: number,
): CairnError {
  if (signal?.aborted)
    return new CairnError(
      'aborted',
      `Stopped writing ${target}: the caller's signal was aborted. Nothing was stored.`,
    )
  return new CairnError(
    'store-unreachable',
    `Could not write ${target} within ${Math.round(timeout)} ms: ${connection.whySilent(start)}. ` +
      'Nothing was stored; the call may be repeated.',
  )
}
