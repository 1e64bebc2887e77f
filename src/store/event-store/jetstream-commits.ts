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

import { decodeHeaders } from '../../codec/commit-headers.js'
import { encodeCommit } from '../../codec/envelope.js'
import { formatAddress } from '../../model/address.js'
import type { NewCommit } from '../../model/commit.js'
import { CairnError } from '../../model/errors.js'
import type { Position } from '../../model/version.js'
import { pause } from '../../model/wait.js'
import type { Connection } from '../../nats/connection.js'
import { leaderGet } from '../../nats/direct-get.js'
import type { GroupCommit } from '../../nats/group-commit.js'
import type { LogStream } from '../../nats/log-stream.js'
import { expectingHeaders } from '../../nats/publish.js'
import { unreachableError } from '../../nats/retry.js'
import { logSubject } from '../../nats/subjects.js'
import {
  type Appending,
  appendUntilKnown,
  type Conflict,
  type Wait,
} from './jetstream-append.js'

interface Stored {
  readonly kind: 'stored'
  readonly position: Position
}

export type CommitResult = Stored | Conflict

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
  store(commit: NewCommit, position: Position, wait: Wait): Promise<CommitResult> {
    const { signal } = wait
    const { headers: lines, body } = encodeCommit(commit)
    const { subject, stream } = this.#placeOf(commit)
    const headers = expectingHeaders(stream, position, lines)
    const resolve = (known: Position, why: string) =>
      this.#resolve(commit, position, known, why, wait)
    const appending: Appending<Stored> = {
      stream,
      subject,
      actors: formatAddress(commit.actor),
      notNowPauseMax: 5,
      attempt: (left, isRepeat) => {
        const timeout = Math.min(attemptTimeout, left)
        const expected = position
        // One literal: copying a request with a spread takes 0.8 µs.
        const request = { stream, subject, expected, headers, body, timeout, signal }
        return this.#groups.publish(request, isRepeat)
      },
      resolve,
      resolveBehind: resolve,
      outcomeUnknown: (why, cause) => outcomeUnknown(commit, why, cause),
    }
    return appendUntilKnown(this.#connection, appending, wait)
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
