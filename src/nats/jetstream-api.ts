// The JetStream API as JSON requests, on the shared reply inbox. Only what Cairn needs;
// every answer is either the response or the server's error, as data.

import { CairnError } from '../model/errors.js'
import { pause, throwIfAborted } from '../model/wait.js'
import type { Connection } from './connection.js'
import { type ApiError, isPassing, noJetStreamError } from './errors.js'
import type { Reply } from './requests.js'

export type ApiResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: ApiError }

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  /** Deadline for all attempts together, in milliseconds. Default 10,000. */
  readonly timeout?: number
}

const attemptTimeout = 2_000
const hopelessAfter = 1_000
const empty = new Uint8Array()

/**
 * Calls `$JS.API.<api>`. Repeats while the server is away or a stream has no leader, so only
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
  const payload = body === undefined ? empty : Buffer.from(JSON.stringify(body))
  const begun = Date.now()
  const deadline = begun + timeout
  for (;;) {
    throwIfAborted(signal, `calling ${subject}`)
    const left = deadline - Date.now()
    const reply = await connection.requests.request(
      subject,
      payload,
      Math.max(1, Math.min(attemptTimeout, left)),
    )
    const result = readReply<T>(reply, subject)
    if (result !== undefined && (result.ok || !isPassing(result.error))) return result
    if (connection.closed)
      throw unreachable(connection, subject, 'the connection is closed')
    // A server that says it has no JetStream is not worth the whole wait; another of its
    // cluster would have answered.
    const hopeless =
      reply.kind === 'no-responders' &&
      !connection.hasJetStream &&
      Date.now() >= begun + hopelessAfter
    if (hopeless || Date.now() >= deadline) {
      if (reply.kind === 'no-responders')
        throw noJetStreamError(subject, 'nobody answers on its API')
      throw unreachable(connection, subject, `no answer within ${timeout} ms`)
    }
    await connection.whenConnected(deadline - Date.now(), signal)
    if (reply.kind !== 'timeout') await pause(25, signal)
  }
}

function readReply<T>(reply: Reply, subject: string): ApiResult<T> | undefined {
  if (reply.kind === 'forbidden')
    throw new CairnError(
      'unauthorized',
      `The NATS server does not let this user publish to ${reply.subject}: check its permissions.`,
      { details: { subject } },
    )
  if (reply.kind !== 'message') return undefined
  const answer = reply.message.json<T & { error?: ApiError }>()
  return answer.error === undefined
    ? { ok: true, value: answer }
    : { ok: false, error: answer.error }
}

export function unreachable(
  connection: Connection,
  doing: string,
  why: string,
): CairnError {
  return new CairnError(
    'store-unreachable',
    `NATS at ${connection.servers.join(', ')} does not answer (${doing}): ${why}. ` +
      'Check that the server runs and has JetStream; the call may be repeated.',
  )
}
