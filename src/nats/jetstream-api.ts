// The JetStream API as JSON requests over the shared reply inbox. Each answer is returned as data: the response, or
// the server's error.

import type { Connection } from './connection.js'
import { type ApiError, isPassing, noJetStreamError } from './errors.js'
import { reserved } from './requests.js'
import { retryUntilAnswered, type Unanswered } from './retry.js'

export type ApiResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: ApiError }

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  /** Deadline for all attempts together, in milliseconds. Default 10,000. */
  readonly timeout?: number
}

/** Milliseconds after which the call fails if the connected server has no JetStream and no other answers. */
const noJetStreamAfter = 1_000
const noBody = new Uint8Array()

/**
 * Calls `$JS.API.<api>`. Retries while the server is unreachable or a stream has no leader, so only
 * for calls that may be repeated. Throws `store-unreachable` at the deadline, `no-jetstream`,
 * `unauthorized`, or `aborted`.
 */
export async function callApi<T>(
  connection: Connection,
  api: string,
  body: object | undefined,
  { signal, timeout = 10_000 }: CallOptions = {},
): Promise<ApiResult<T>> {
  const subject = `$JS.API.${api}`
  const payload = body === undefined ? noBody : Buffer.from(JSON.stringify(body))
  const attempt = async (attemptTimeout: number): Promise<ApiResult<T> | Unanswered> => {
    const reply = await connection.requests.request(
      subject,
      payload,
      attemptTimeout,
      reserved,
    )
    if (reply.kind !== 'message') return reply
    const answer = reply.message.json<T & { error?: ApiError }>()
    if (answer.error === undefined) return { ok: true, value: answer }
    return isPassing(answer.error) ? { kind: 'busy' } : { ok: false, error: answer.error }
  }
  const result = await retryUntilAnswered(
    connection,
    subject,
    'calling',
    { signal, timeout },
    attempt,
    // Another server of the cluster would have answered by then.
    async elapsed =>
      elapsed >= timeout || (elapsed >= noJetStreamAfter && !connection.hasJetStream)
        ? noJetStreamError(subject, 'no server answers on its API')
        : undefined,
  )
  return result!
}
