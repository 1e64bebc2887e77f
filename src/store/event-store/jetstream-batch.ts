// Several actors, one commit, on JetStream: one atomic batch, and finding out what became of it.
//
// Owns the gate of a stream's open batches.
// T1. The server compares, for every actor and every guard, and stores all messages or none.
// T2. A batch whose outcome is unclear is sent again with the same commits and expectations,
//     which cannot store them twice; it is never made anew under a doubt. When the repeat is
//     refused, the first record behind each actor's expected position is read from the leader:
//     ours everywhere is stored, another's anywhere is a conflict.
// T3. "Nothing behind it" counts only if whoever says so cannot be behind itself: the record that
//     the refusal spoke of must be there, and be of none of the actors written.
// T4. Ours at one actor and another's at the next cannot be. It is asserted: `storage-failed`.
// T5. At most `batchesMax` batches of this node are open at a time, of the 50 that a server takes
//     for a stream; what it refuses beyond that is sent again.

import { decodeHeaders } from '../../codec/envelope.js'
import { formatAddress } from '../../model/address.js'
import type { NewCommit } from '../../model/commit.js'
import { CairnError } from '../../model/errors.js'
import { Semaphore } from '../../model/semaphore.js'
import type { Position } from '../../model/version.js'
import { pause } from '../../model/wait.js'
import {
  type BatchMessage,
  type BatchOutcome,
  checkBatchPayload,
  publishBatch,
} from '../../nats/batch.js'
import type { Connection } from '../../nats/connection.js'
import { leaderGet } from '../../nats/direct-get.js'
import { apiError } from '../../nats/errors.js'
import { findMissingStream, mayBeMissing } from '../../nats/missing-stream.js'
import { unreachable } from '../../nats/jetstream-api.js'
import { nameOfAll } from './transaction.js'

/** The commits of a transaction, and its messages: those of the commits first. */
export interface Batch {
  readonly id: string
  readonly stream: string
  readonly commits: readonly NewCommit[]
  readonly messages: readonly BatchMessage[]
}

export type BatchResult =
  | { readonly kind: 'stored'; readonly positions: readonly Position[] }
  | { readonly kind: 'conflict' }

interface Wait {
  readonly deadline: number
  readonly signal: AbortSignal | undefined
}

const batchesMax = 16
/** Milliseconds to wait for one answer before sending the same batch again. */
const attemptTimeout = 2_000

export class BatchWriter {
  readonly #connection: Connection
  readonly #gate = new Semaphore(batchesMax)

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** T1 and T2: stores a batch, or finds that something else is in a place of it. */
  async store(batch: Batch, wait: Wait): Promise<BatchResult> {
    const { stream, messages } = batch
    const { deadline, signal } = wait
    checkBatchPayload(this.#connection, stream, messages)
    let unclear: string | undefined
    let why = 'no connection'
    let nobodyThere = 0
    let gone: CairnError | undefined
    for (;;) {
      if (!this.#connection.connected)
        await this.#connection.whenConnected(deadline - Date.now(), signal)
      if (gone !== undefined) throw gone
      const left = deadline - Date.now()
      if (left <= 0 || signal?.aborted || this.#connection.closed)
        throw this.#givenUp(batch, unclear, why, signal)
      let outcome: BatchOutcome
      try {
        outcome = await this.#attempt(batch, wait)
      } catch (error) {
        // Whatever forbids the repeat says nothing of the attempt before it.
        throw unclear === undefined ? error : outcomeUnknown(batch, unclear, error)
      }
      switch (outcome.kind) {
        case 'stored':
          return outcome
        case 'wrong-sequence': {
          if (unclear === undefined) return { kind: 'conflict' }
          const { last = 0 } = outcome
          const found = await this.#resolve(batch, last, unclear, wait)
          return found ?? { kind: 'conflict' }
        }
        case 'refused': {
          const found = unclear && (await this.#resolve(batch, 0, unclear, wait))
          if (found) return found
          throw apiError(outcome.error, `appending to ${nameOfAll(batch.commits)}`)
        }
        case 'unclear':
          unclear = why = outcome.why
          if (outcome.nobodyThere && mayBeMissing(++nobodyThere))
            void findMissingStream(this.#connection, stream, left).then(
              error => (gone ??= error),
            )
          await pause(Math.min(50, left), signal)
          break
        case 'not-now':
          why = outcome.why
          await pause(1 + Math.random() * 9, signal)
          break
      }
    }
  }

  /** T5. */
  async #attempt(
    { stream, messages }: Batch,
    { deadline, signal }: Wait,
  ): Promise<BatchOutcome> {
    const inTime = AbortSignal.timeout(Math.max(1, deadline - Date.now()))
    const bounds = signal === undefined ? inTime : AbortSignal.any([signal, inTime])
    const doing = 'waiting for other transactions'
    let isOpen = false
    const publish = () => {
      isOpen = true
      const left = Math.max(1, deadline - Date.now())
      const timeout = Math.min(attemptTimeout, left)
      return publishBatch(this.#connection, stream, messages, timeout, signal)
    }
    try {
      return await this.#gate.run(publish, bounds, doing)
    } catch (error) {
      if (isOpen) throw error
      return { kind: 'not-now', why: 'too many transactions are open' }
    }
  }

  /**
   * After an unclear attempt and a refused repeat, finds out whose records stand behind the
   * expected positions; `undefined` when there are none, and none is known to be.
   *
   * @param last the position that the refusal spoke of, or 0
   */
  async #resolve(
    batch: Batch,
    last: Position,
    unclear: string,
    { deadline, signal }: Wait,
  ): Promise<BatchResult | undefined> {
    const { stream, commits, messages } = batch
    const timeout = () => Math.max(1_000, deadline - Date.now())
    const get = (query: { seq: number; next_by_subj?: string }) =>
      leaderGet(this.#connection, stream, query, { signal, timeout: timeout() })
    let partial: CairnError | undefined
    try {
      for (;;) {
        const behind = await Promise.all(
          messages.slice(0, commits.length).map(async ({ subject, expected }, i) => {
            const next = await get({ seq: expected + 1, next_by_subj: subject })
            if (next === undefined) return undefined
            const header = decodeHeaders(name => next.headers.get(name))
            const ours = typeof header === 'object' && header.commitId === commits[i]!.id
            return { ours, position: next.position }
          }),
        )
        const ours = behind.filter(found => found?.ours)
        if (ours.length === commits.length)
          return { kind: 'stored', positions: behind.map(found => found!.position) }
        const others = behind.some(found => found?.ours === false)
        if (ours.length > 0) {
          partial = partlyStored(batch, behind)
          if (others) throw partial // T4
        } else if (others) return { kind: 'conflict' }
        else {
          // T3. Position 0 is that of an empty place: nothing of the batch was ever there.
          if (last === 0) return undefined
          const spokenOf = await get({ seq: last })
          const at = messages
            .slice(0, commits.length)
            .find(({ subject }) => subject === spokenOf?.subject)
          const isOlder = at !== undefined && last <= at.expected
          if (spokenOf !== undefined && (at === undefined || isOlder))
            return { kind: 'conflict' }
        }
        // Whoever answered lags: it does not have what the server has just spoken of.
        if (Date.now() >= deadline)
          throw partial ?? unreachable(this.#connection, batch.stream, 'its leader lags')
        await pause(50, signal)
      }
    } catch (error) {
      if (error === partial) throw error
      throw outcomeUnknown(batch, unclear, error)
    }
  }

  #givenUp(
    batch: Batch,
    unclear: string | undefined,
    why: string,
    signal: AbortSignal | undefined,
  ): CairnError {
    if (unclear !== undefined) return outcomeUnknown(batch, unclear)
    const name = nameOfAll(batch.commits)
    if (signal?.aborted)
      return new CairnError(
        'aborted',
        `Stopped appending to ${name}: the caller's signal was aborted. Nothing was stored.`,
      )
    return new CairnError(
      'store-unreachable',
      `Could not append to ${name}: NATS at ${this.#connection.servers.join(', ')} gave no answer (${why}). ` +
        'Nothing was stored; the append may be repeated.',
    )
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
    `Transaction ${id} is stored in part: in ${stored.join(', ')}, and not in ${missing.join(', ')}. ` +
      'No server may do that; look at its log, and restore the stream from a backup.',
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
    `Whether transaction ${id} of ${nameOfAll(commits)} is stored is not known: ${why}. ` +
      'Read one of the actors: its commit is there, or the version is free or taken by another.',
    { cause, details: { transactionId: id } },
  )
}
