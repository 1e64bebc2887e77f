// Retries of requests that may be repeated, while the server or a stream's leader is unreachable.

import { CairnError } from '../model/errors.js'
import { pause, throwIfAborted } from '../model/wait.js'
import type { Connection } from './connection.js'
import { permissionError } from './errors.js'
import type { Reply } from './requests.js'

export interface RetryOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds for all attempts together. */
  readonly timeout: number
}

/** A request without an answer, or with one that asks for a retry (`busy`). */
export type Unanswered = Exclude<Reply, { kind: 'message' }> | { readonly kind: 'busy' }

/** Milliseconds for one attempt. */
const attemptTimeoutMax = 2_000
/** Milliseconds between attempts. */
const retryDelay = 25

/**
 * Repeats `attempt` until it returns an answer (an object without `kind`, or `undefined`). Throws `unauthorized`,
 * `aborted`, the error that `onNoResponders` returns, or `store-unreachable` at the deadline or on a closed connection.
 *
 * @param doing verb for the `aborted` error, such as `reading with`
 * @param onNoResponders called after each attempt that no server answered for; returns the error to end with, if any
 */
export async function retryUntilAnswered<T extends object>(
  connection: Connection,
  api: string,
  doing: string,
  { signal, timeout }: RetryOptions,
  attempt: (timeout: number) => Promise<T | Unanswered | undefined>,
  onNoResponders: (
    elapsed: number,
    attemptTimeout: number,
  ) => Promise<CairnError | undefined>,
): Promise<T | undefined> {
  const start = Date.now()
  const deadline = start + timeout
  for (;;) {
    throwIfAborted(signal, `${doing} ${api}`)
    const attemptTimeout = Math.max(1, Math.min(attemptTimeoutMax, deadline - Date.now()))
    const result = await attempt(attemptTimeout)
    if (result === undefined || !isUnanswered(result)) return result
    if (result.kind === 'forbidden') throw permissionError(result.subject)
    if (connection.isUnusable)
      throw unreachableError(
        connection,
        api,
        connection.closed ? 'the connection is closed' : 'the login is refused',
      )
    if (result.kind === 'no-responders') {
      const error = await onNoResponders(Date.now() - start, attemptTimeout)
      if (error !== undefined) throw error
    }
    if (Date.now() >= deadline)
      throw unreachableError(
        connection,
        api,
        `no answer within ${Math.round(timeout)} ms (${result.kind})`,
        start,
      )
    await connection.whenConnected(deadline - Date.now(), signal)
    if (result.kind !== 'timeout') await pause(retryDelay, signal)
  }
}

function isUnanswered(result: object): result is Unanswered {
  return 'kind' in result
}

export function unreachableError(
  connection: Connection,
  doing: string,
  why: string,
  start = Date.now(),
): CairnError {
  return new CairnError(
    'store-unreachable',
    `${connection.whySilent(start)} (${doing}): ${why}. ` +
      'Check that the server runs and has JetStream; the call may be repeated.',
  )
}
