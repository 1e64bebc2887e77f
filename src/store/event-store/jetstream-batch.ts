// Appends to several actors on JetStream: one atomic batch, and the resolution of an ambiguous one.
//
// Owns the semaphore of this node's open batches.
// STORE-BATCH-1. The server compares the position of every actor and every guard, and stores all
//     messages or none.
// STORE-BATCH-2. A batch whose outcome is ambiguous is sent again with the same commits and
//     expectations, which cannot store them twice; it is never built again while the outcome is
//     open. When the repeated batch is refused, the first record after each actor's expected
//     position is read from the leader: if all are ours, the batch is stored; another's is a conflict.
// STORE-BATCH-3. "No record after it" counts only if the server that answers does not lag: the
//     record that the refusal named must exist there, and belong to none of the actors written.
// STORE-BATCH-4. A record of ours at one actor and of another writer at the next is impossible. It
//     is checked: `storage-failed`.
// STORE-BATCH-5. At most `batchesMax` batches of this node are open at a time, of the 50 that a
//     server accepts per stream; a batch that the server refuses for this is sent again.
// STORE-BATCH-6. An ambiguous batch that has become too large for the server is searched, and refused as too large only
//     if it is proven that it is not stored (STORE-JS-8).

import { decodeHeaders } from '../../codec/commit-headers.js'
import { formatAddress } from '../../model/address.js'
import type { NewCommit } from '../../model/commit.js'
import { CairnError } from '../../model/errors.js'
import { Semaphore } from '../../model/semaphore.js'
import type { Position } from '../../model/version.js'
import { pause } from '../../model/wait.js'
import { type BatchMessage, type BatchOutcome, publishBatch } from '../../nats/batch.js'
import type { Connection } from '../../nats/connection.js'
import { leaderGet } from '../../nats/direct-get.js'
import { unreachableError } from '../../nats/retry.js'
import {
  type Appending,
  appendUntilKnown,
  type Conflict,
  type Wait,
} from './jetstream-append.js'
import { formatActors } from './transaction.js'

/** The commits of a transaction, and its messages: first those of the commits, then the guards'. */
export interface Batch {
  readonly id: string
  readonly stream: string
  readonly commits: readonly NewCommit[]
  readonly messages: readonly BatchMessage[]
}

interface Stored {
  readonly kind: 'stored'
  readonly positions: readonly Position[]
}

export type BatchResult = Stored | Conflict

const batchesMax = 16
/** Milliseconds to wait for one answer before sending the same batch again. */
const attemptTimeout = 2_000

export class BatchWriter {
  readonly #connection: Connection
  readonly #openBatches = new Semaphore(batchesMax)

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** STORE-BATCH-1, STORE-BATCH-2: stores a batch, or finds a conflict. */
  store(batch: Batch, wait: Wait): Promise<BatchResult> {
    const { stream, commits, messages } = batch
    const appending: Appending<Stored> = {
      stream,
      subject: messages[0]!.subject,
      actors: formatActors(commits),
      notNowPauseMax: 10,
      attempt: () => this.#attempt(batch, wait),
      resolve: (last, ambiguity) => this.#resolve(batch, last, ambiguity, wait),
      // The last message of one subject says nothing about the others (STORE-BATCH-6).
      resolveBehind: (_last, why) => this.#resolve(batch, 0, why, wait),
      outcomeUnknown: (why, cause) => outcomeUnknown(batch, why, cause),
    }
    return appendUntilKnown(this.#connection, appending, wait)
  }

  /** STORE-BATCH-5. */
  async #attempt(
    { stream, messages }: Batch,
    { deadline, signal }: Wait,
  ): Promise<BatchOutcome> {
    const timedOut = AbortSignal.timeout(Math.max(1, deadline - Date.now()))
    const ended = signal === undefined ? timedOut : AbortSignal.any([signal, timedOut])
    const doing = 'waiting for other transactions'
    let isOpen = false
    const publish = () => {
      isOpen = true
      const left = Math.max(1, deadline - Date.now())
      const timeout = Math.min(attemptTimeout, left)
      return publishBatch(this.#connection, stream, messages, timeout, { signal })
    }
    try {
      return await this.#openBatches.run(publish, ended, doing)
    } catch (error) {
      if (isOpen) throw error
      return { kind: 'not-now', why: 'too many transactions are open' }
    }
  }

  /**
   * STORE-BATCH-2: after an ambiguous attempt and a refused one, reads whose records follow the
   * expected positions; `undefined` when there are none, and none is known to exist.
   *
   * @param last the position that the refusal named, or 0
   */
  async #resolve(
    batch: Batch,
    last: Position,
    ambiguity: string,
    { deadline, signal }: Wait,
  ): Promise<BatchResult | undefined> {
    const { stream, commits, messages } = batch
    const timeout = () => Math.max(1_000, deadline - Date.now())
    const get = (query: { seq: number; next_by_subj?: string }) =>
      leaderGet(this.#connection, stream, query, { signal, timeout: timeout() })
    let partial: CairnError | undefined
    try {
      for (;;) {
        const following = await Promise.all(
          messages.slice(0, commits.length).map(async ({ subject, expected }, i) => {
            const next = await get({ seq: expected + 1, next_by_subj: subject })
            if (next === undefined) return undefined
            const header = decodeHeaders(name => next.headers.get(name))
            const ours = typeof header === 'object' && header.commitId === commits[i]!.id
            return { ours, position: next.position }
          }),
        )
        const ours = following.filter(found => found?.ours)
        if (ours.length === commits.length)
          return { kind: 'stored', positions: following.map(found => found!.position) }
        const hasOthers = following.some(found => found?.ours === false)
        if (ours.length > 0) {
          partial = partlyStored(batch, following)
          if (hasOthers) throw partial // STORE-BATCH-4
        } else if (hasOthers) return { kind: 'conflict' }
        else {
          // STORE-BATCH-3: position 0 means that the subject is empty, so nothing of the batch is stored.
          if (last === 0) return undefined
          const named = await get({ seq: last })
          const at = messages
            .slice(0, commits.length)
            .find(({ subject }) => subject === named?.subject)
          const isOlder = at !== undefined && last <= at.expected
          if (named !== undefined && (at === undefined || isOlder))
            return { kind: 'conflict' }
        }
        // The server that answered lags: it lacks the record that the refusal named.
        if (Date.now() >= deadline)
          throw (
            partial ?? unreachableError(this.#connection, batch.stream, 'its leader lags')
          )
        await pause(50, signal)
      }
    } catch (error) {
      if (error === partial) throw error
      throw outcomeUnknown(batch, ambiguity, error)
    }
  }
}

function partlyStored(
  { id, commits }: Batch,
  found: readonly ({ readonly ours: boolean } | undefined)[],
): CairnError {
  const of = (isStored: boolean) =>
    commits
      .filter((_, i) => (found[i]?.ours === true) === isStored)
      .map(({ actor }) => formatAddress(actor))
  const [stored, missing] = [of(true), of(false)]
  return new CairnError(
    'storage-failed',
    `Transaction ${id} is stored in part: in ${stored.join(', ')}, not in ${missing.join(', ')}. ` +
      'A server must never do that: check its log, and restore the stream from a backup.',
    { details: { transactionId: id, stored, missing } },
  )
}

function outcomeUnknown(
  { id, commits }: Batch,
  why: string,
  cause?: unknown,
): CairnError {
  return new CairnError(
    'outcome-unknown',
    `The outcome of transaction ${id} of ${formatActors(commits)} is unknown: ${why}. ` +
      'Read one of the actors: its commit is stored, or the version is free or taken by another writer.',
    { cause, details: { transactionId: id } },
  )
}
