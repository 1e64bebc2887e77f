// The largest message that the server accepts, its max_payload. It may be lowered while clients are connected (a reload
// of the configuration). The server then closes the connection of a client that sends more, and the client
// learns the new limit with its next connection.
//
// PAYLOAD-1. A message above the limit that is known is not sent: the server would close the connection, and every other
//     request in flight on it would be ambiguous. The attempt ends as `too-large`.
// PAYLOAD-2. After an ambiguous attempt, `too-large` tells nothing about that one. Whether it is stored is found out:
//     what follows it on its way to the stream is answered first (`passBehind`), and then the stream is read.
// PAYLOAD-3. Only where that answer has followed the attempt is "not stored" proven: on a server without a cluster, which
//     stores what it accepts before it accepts more, and on the server of a cluster that received the attempt. An
//     attempt that arrives still later is refused: it is above the limit.

import { CairnError } from '../model/errors.js'
import type { Position } from '../model/version.js'
import { pause } from '../model/wait.js'
import type { Connection } from './connection.js'
import { expectingHeaders, publishExpecting } from './publish.js'
import type { TooLarge } from './publish-outcome.js'

/** The error for a message that is not stored and was not sent. */
export function tooLargeError(
  connection: Connection,
  { subject, bytes }: TooLarge,
): CairnError {
  const limit = connection.maxPayload
  return new CairnError(
    'commit-too-large',
    `A commit on ${subject} takes ${bytes} bytes, and the server's max_payload is ${limit}: ` +
      'split it into several commits, store large data elsewhere, or raise max_payload. Nothing was stored.',
    { details: { limit, actual: bytes } },
  )
}

/** Why the outcome of an ambiguous attempt stays unknown when it cannot be sent again. */
export function notSendable(
  connection: Connection,
  { bytes }: TooLarge,
  ambiguity: string,
): string {
  return (
    `${ambiguity}, and it cannot be sent again, because it takes ${bytes} bytes and the server's max_payload is ` +
    `${connection.maxPayload} now`
  )
}

/** The servers that a message was sent to without an answer. */
export class UnansweredServers {
  #first: string | undefined
  #isOne = true

  add(serverId: string): void {
    this.#first ??= serverId
    this.#isOne &&= serverId === this.#first
  }

  /** PAYLOAD-3: whether an answer of the connected server follows every attempt. */
  precede(connection: Connection): boolean {
    if (connection.isStandalone) return true
    return this.#isOne && this.#first === connection.serverId
  }
}

/** What the stream answered to a message that followed the attempts. */
export interface AnswerBehind {
  /** Position of the subject's last message, 0 for none. */
  readonly last: Position
  /** PAYLOAD-3: an attempt that is not in the stream now is not stored, and will not be. */
  readonly isProof: boolean
}

/** No message has this position, so the server refuses what expects it. */
const noPosition = Number.MAX_SAFE_INTEGER
const noBody = new Uint8Array()
const attemptTimeout = 2_000

/**
 * Sends a message that is always refused the way of those before it on the subject: the stream has handled them when it is
 * answered (PAYLOAD-2). Returns `undefined` if there is no answer until the deadline or the signal.
 */
export async function passBehind(
  connection: Connection,
  { stream, subject }: { readonly stream: string; readonly subject: string },
  attempts: UnansweredServers,
  {
    deadline,
    signal,
  }: { readonly deadline: number; readonly signal?: AbortSignal | undefined },
): Promise<AnswerBehind | undefined> {
  const headers = expectingHeaders(stream, noPosition, [])
  const message = { stream, subject, expected: noPosition, headers, body: noBody, signal }
  for (;;) {
    const left = deadline - Date.now()
    if (left <= 0 || signal?.aborted || connection.isUnusable) return undefined
    const { serverId } = connection
    const timeout = Math.min(attemptTimeout, left)
    const outcome = await publishExpecting(connection, { ...message, timeout })
    if (outcome.kind === 'refused' || outcome.kind === 'write-failed') return undefined
    if (outcome.kind === 'wrong-sequence') {
      const isProof = serverId === connection.serverId && attempts.precede(connection)
      return { last: outcome.last ?? 0, isProof }
    }
    await connection.whenConnected(left, signal)
    await pause(Math.min(50, left), signal)
  }
}
