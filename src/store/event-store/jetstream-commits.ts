// Stores one commit: one publish with an expectation, repeated until its outcome is known.
//
// STORE-JS-1. The server compares: every append carries the assumed position of the actor's last
//     record, and is stored only if it is still the last one. No other check decides.
// STORE-JS-2. An append whose outcome is ambiguous (timeout, no leader, lost connection) is sent again
//     with the same bytes and the same expectation, which cannot store it twice. If the answer is
//     "wrong last sequence" then, only one record can be ours: the first of the subject after the
//     expected position. It is read from the leader and its commit id compared. (Not the last
//     record: other writers may have appended after ours.)
// STORE-JS-3. "Wrong last sequence" without a number (10164) is not a conflict: another append of the
//     subject is in flight on a replicated stream. The same bytes are sent again.
// STORE-JS-7. An attempt may share a batch with those of other actors (src/nats/group-commit.ts). Each
//     commit has its own outcome, with the same meaning as without a batch.
// STORE-JS-8. An ambiguous append that has become too large for the server, because its max_payload was lowered, is
//     not sent again (src/nats/payload-limit.ts). It is searched, and refused as too large only if it is proven that it
//     is not stored.

import { decodeHeaders, encodeCommit } from '../../codec/envelope.js'
import { formatAddress } from '../../model/address.js'
import type { NewCommit } from '../../model/commit.js'
import { CairnError } from '../../model/errors.js'
import type { Position } from '../../model/version.js'
import { pause } from '../../model/wait.js'
import type { Connection } from '../../nats/connection.js'
import { leaderGet } from '../../nats/direct-get.js'
import { apiError, writeFailedError, writeFailure } from '../../nats/errors.js'
import type { GroupCommit } from '../../nats/group-commit.js'
import type { LogStream } from '../../nats/log-stream.js'
import { findMissingStream, mayBeMissing } from '../../nats/missing-stream.js'
import {
  notSendable,
  passBehind,
  tooLargeError,
  UnansweredServers,
} from '../../nats/payload-limit.js'
import { expectingHeaders, type PublishOutcome } from '../../nats/publish.js'
import type { TooLarge } from '../../nats/publish-outcome.js'
import { unreachableError } from '../../nats/retry.js'
import { logSubject } from '../../nats/subjects.js'
import { notStored } from './jetstream-errors.js'

interface Stored {
  readonly kind: 'stored'
  readonly position: Position
}

export type CommitResult = Stored | { readonly kind: 'conflict' }

export interface Wait {
  readonly deadline: number
  readonly signal: AbortSignal | undefined
}

/** Milliseconds to wait for one answer before sending the same append again. */
const attemptTimeout = 2_000

export class CommitWriter {
  readonly #connection: Connection
  readonly #groups: GroupCommit
  readonly #stream: () => LogStream

  constructor(connection: Connection, groups: GroupCommit, stream: () => LogStream) {
    this.#connection = connection
    this.#groups = groups
    this.#stream = stream
  }

  /** STORE-JS-1, STORE-JS-2: stores one commit, or finds a conflict. */
  async store(commit: NewCommit, position: Position, wait: Wait): Promise<CommitResult> {
    const { deadline, signal } = wait
    const { headers: lines, body } = encodeCommit(commit)
    const { subject, stream } = this.#placeOf(commit)
    const headers = expectingHeaders(stream, position, lines)
    const start = Date.now()
    let ambiguity: string | undefined
    const servers = new UnansweredServers()
    const doing = `appending to ${formatAddress(commit.actor)}`
    let why = 'no connection'
    let unanswered = 0
    let missingStream: CairnError | undefined
    for (;;) {
      if (!this.#connection.connected)
        await this.#connection.whenConnected(deadline - Date.now(), signal)
      if (missingStream !== undefined) throw missingStream
      const left = deadline - Date.now()
      if (left <= 0 || signal?.aborted || this.#connection.closed)
        throw this.#gaveUp(commit, ambiguity, why, start, signal)
      const { serverId } = this.#connection
      let outcome: PublishOutcome
      try {
        const timeout = Math.min(attemptTimeout, left)
        outcome = await this.#groups.publish(
          { stream, subject, expected: position, headers, body, timeout, signal },
          ambiguity !== undefined,
        )
      } catch (error) {
        // An error of this attempt tells nothing about an ambiguous one before it.
        throw ambiguity === undefined ? error : outcomeUnknown(commit, ambiguity, error)
      }
      switch (outcome.kind) {
        case 'stored':
          return outcome
        case 'wrong-sequence': {
          if (ambiguity === undefined) return { kind: 'conflict' }
          const last = outcome.last ?? 0
          const found = await this.#resolve(commit, position, last, ambiguity, wait)
          return found ?? { kind: 'conflict' }
        }
        case 'refused': {
          const found =
            ambiguity && (await this.#resolve(commit, position, 0, ambiguity, wait))
          if (found) return found
          const error = apiError(outcome.error, doing)
          // Only an answer that has followed the ambiguous attempt proves that it is not stored.
          const isProof = ambiguity === undefined || servers.precede(this.#connection)
          throw isProof ? error : outcomeUnknown(commit, ambiguity!, error)
        }
        case 'write-failed': {
          const { reason, wasSent } = outcome
          throw wasSent || ambiguity !== undefined
            ? outcomeUnknown(commit, writeFailure(stream, reason))
            : writeFailedError(doing, stream, reason)
        }
        case 'too-large':
          if (ambiguity === undefined) throw tooLargeError(this.#connection, outcome)
          why = notSendable(this.#connection, outcome, ambiguity)
          return await this.#search(commit, position, outcome, servers, why, wait)
        case 'unclear':
          ambiguity = why = outcome.why
          servers.add(serverId)
          servers.add(this.#connection.serverId)
          // A stream may be without a leader for a while; a deleted stream ends the append.
          if (outcome.noResponders && mayBeMissing(++unanswered))
            void findMissingStream(this.#connection, stream, left).then(
              error => (missingStream ??= error),
            )
          await pause(Math.min(50, left), signal)
          break
        case 'not-now': // STORE-JS-3
          why = outcome.why
          await pause(1 + Math.random() * 4, signal)
          break
      }
    }
  }

  /** STORE-JS-8. */
  async #search(
    commit: NewCommit,
    position: Position,
    tooLarge: TooLarge,
    servers: UnansweredServers,
    why: string,
    wait: Wait,
  ): Promise<CommitResult> {
    const place = this.#placeOf(commit)
    const behind = await passBehind(this.#connection, place, servers, wait)
    if (behind === undefined) throw outcomeUnknown(commit, why)
    const found = await this.#resolve(commit, position, behind.last, why, wait)
    if (found !== undefined) return found
    if (!behind.isProof) throw outcomeUnknown(commit, why)
    throw tooLargeError(this.#connection, tooLarge)
  }

  /**
   * STORE-JS-2: after an ambiguous attempt and a refused one, reads whose record follows the
   * expected position: this commit's, another's (a conflict), or none (`undefined`).
   *
   * @param known a position that a record of the subject is known to have, or 0
   */
  async #resolve(
    commit: NewCommit,
    position: Position,
    known: Position,
    ambiguity: string,
    { deadline, signal }: Wait,
  ): Promise<CommitResult | undefined> {
    const { subject, stream } = this.#placeOf(commit)
    const query = { seq: position + 1, next_by_subj: subject }
    try {
      for (;;) {
        const timeout = Math.max(1_000, deadline - Date.now())
        const options = { signal, timeout }
        const next = await leaderGet(this.#connection, stream, query, options)
        if (next !== undefined) {
          const header = decodeHeaders(name => next.headers.get(name))
          const isOurs = typeof header === 'object' && header.commitId === commit.id
          return isOurs
            ? { kind: 'stored', position: next.position }
            : { kind: 'conflict' }
        }
        if (known <= position) return undefined
        // The server that answered lacks the record that the refusal named: it was the leader until
        // now. Believing it could store the commit twice.
        if (Date.now() >= deadline)
          throw unreachableError(this.#connection, query.next_by_subj, 'its leader lags')
        await pause(50, signal)
      }
    } catch (error) {
      throw outcomeUnknown(commit, ambiguity, error)
    }
  }

  #gaveUp(
    commit: NewCommit,
    ambiguity: string | undefined,
    why: string,
    start: number,
    signal: AbortSignal | undefined,
  ): CairnError {
    return ambiguity === undefined
      ? notStored(this.#connection, formatAddress(commit.actor), why, start, signal)
      : outcomeUnknown(
          commit,
          ambiguity + this.#connection.explainSilence(start, this.#stream().name),
        )
  }

  #placeOf({ actor }: NewCommit): { readonly stream: string; readonly subject: string } {
    const { name, namespace, partitions } = this.#stream()
    return { stream: name, subject: logSubject(namespace, actor, partitions) }
  }
}

function outcomeUnknown(commit: NewCommit, why: string, cause?: unknown): CairnError {
  return new CairnError(
    'outcome-unknown',
    `The outcome of commit ${commit.id} of ${formatAddress(commit.actor)} is unknown: ${why}. ` +
      `Read the actor: the commit is stored, or version ${commit.firstVersion} is free or taken by another writer.`,
    { cause, details: { commitId: commit.id, firstVersion: commit.firstVersion } },
  )
}
