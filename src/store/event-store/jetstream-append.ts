// Repeats the attempt of an append until its outcome is known: of one commit, or of a batch.
//
// STORE-JS-9. An attempt without an answer is ambiguous. It is made again with the same bytes and the same expectations,
//     which cannot store it twice. When a later attempt is refused, the log is searched for what the ambiguous one has
//     stored, and no error claims that nothing is stored unless that is proven.

import type { CairnError } from '../../model/errors.js'
import type { Position } from '../../model/version.js'
import { pause } from '../../model/wait.js'
import type { Connection } from '../../nats/connection.js'
import { apiError, writeFailedError, writeFailure } from '../../nats/errors.js'
import { findMissingStream, mayBeMissing } from '../../nats/missing-stream.js'
import {
  notSendable,
  passBehind,
  tooLargeError,
  UnansweredServers,
} from '../../nats/payload-limit.js'
import type { FailedOutcome, TooLarge } from '../../nats/publish-outcome.js'
import { notStored } from './jetstream-errors.js'

export interface Wait {
  readonly deadline: number
  readonly signal: AbortSignal | undefined
}

/** Other writers were faster; nothing was stored. */
export interface Conflict {
  readonly kind: 'conflict'
}

/** What is appended, and how. */
export interface Appending<Stored> {
  readonly stream: string
  /** The subject of its first message. */
  readonly subject: string
  /** The names of the actors, for errors. */
  readonly actors: string
  /** Milliseconds of the pause before an attempt that was not possible now is made again, at most. */
  readonly notNowPauseMax: number
  /**
   * Makes one attempt.
   * @param left milliseconds
   * @param isRepeat an earlier attempt was ambiguous
   */
  attempt(left: number, isRepeat: boolean): Promise<Stored | FailedOutcome>
  /**
   * Searches the log for what an ambiguous attempt has stored; `undefined` if there is nothing.
   * @param refusedAt the position that a refusal named, or 0
   */
  resolve(refusedAt: Position, ambiguity: string): Promise<Stored | Conflict | undefined>
  /**
   * The same, when the append cannot be sent again.
   * @param last the position of the subject's last message by then
   */
  resolveBehind(last: Position, why: string): Promise<Stored | Conflict | undefined>
  outcomeUnknown(why: string, cause?: unknown): CairnError
}

/** Stores it, or finds a conflict. */
export async function appendUntilKnown<Stored extends { readonly kind: 'stored' }>(
  connection: Connection,
  appending: Appending<Stored>,
  wait: Wait,
): Promise<Stored | Conflict> {
  const { stream, actors, notNowPauseMax } = appending
  const { deadline, signal } = wait
  const servers = new UnansweredServers()
  const doing = `appending to ${actors}`
  const start = Date.now()
  let ambiguity: string | undefined
  let why = 'no connection'
  let unanswered = 0
  let missingStream: CairnError | undefined
  for (;;) {
    if (!connection.connected)
      await connection.whenConnected(deadline - Date.now(), signal)
    if (missingStream !== undefined) throw missingStream
    const left = deadline - Date.now()
    if (left <= 0 || signal?.aborted || connection.isUnusable)
      throw ambiguity === undefined
        ? notStored(connection, actors, why, start, signal)
        : appending.outcomeUnknown(ambiguity + connection.explainSilence(start, stream))
    const { serverId } = connection
    let outcome: Stored | FailedOutcome
    try {
      outcome = await appending.attempt(left, ambiguity !== undefined)
    } catch (error) {
      // An error of this attempt tells nothing about an ambiguous one before it.
      throw ambiguity === undefined ? error : appending.outcomeUnknown(ambiguity, error)
    }
    switch (outcome.kind) {
      case 'stored':
        return outcome
      case 'wrong-sequence': {
        if (ambiguity === undefined) return { kind: 'conflict' }
        const found = await appending.resolve(outcome.last ?? 0, ambiguity)
        return found ?? { kind: 'conflict' }
      }
      case 'refused': {
        const found = ambiguity && (await appending.resolve(0, ambiguity))
        if (found) return found
        const error = apiError(outcome.error, doing)
        // Only an answer that has followed the ambiguous attempt proves that it is not stored.
        const isProof = ambiguity === undefined || servers.precede(connection)
        throw isProof ? error : appending.outcomeUnknown(ambiguity!, error)
      }
      case 'write-failed': {
        const { reason, wasSent } = outcome
        throw wasSent || ambiguity !== undefined
          ? appending.outcomeUnknown(writeFailure(stream, reason))
          : writeFailedError(doing, stream, reason)
      }
      case 'too-large':
        if (ambiguity === undefined) throw tooLargeError(connection, outcome)
        why = notSendable(connection, outcome, ambiguity)
        return await search(connection, appending, outcome, servers, why, wait)
      case 'unclear':
        ambiguity = why = outcome.why
        servers.add(serverId)
        servers.add(connection.serverId)
        // A stream may be without a leader for a while; a deleted stream ends the append.
        if (outcome.noResponders && mayBeMissing(++unanswered))
          void findMissingStream(connection, stream, left).then(
            error => (missingStream ??= error),
          )
        await pause(Math.min(50, left), signal)
        break
      case 'not-now': // STORE-JS-3
        why = outcome.why
        await pause(1 + Math.random() * (notNowPauseMax - 1), signal)
        break
    }
  }
}

/** STORE-JS-8. */
async function search<Stored>(
  connection: Connection,
  appending: Appending<Stored>,
  tooLarge: TooLarge,
  servers: UnansweredServers,
  why: string,
  wait: Wait,
): Promise<Stored | Conflict> {
  const behind = await passBehind(connection, appending, servers, wait)
  if (behind === undefined) throw appending.outcomeUnknown(why)
  const found = await appending.resolveBehind(behind.last, why)
  if (found !== undefined) return found
  if (!behind.isProof) throw appending.outcomeUnknown(why)
  throw tooLargeError(connection, tooLarge)
}
