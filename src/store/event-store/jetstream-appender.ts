// Appending to a log stream: one commit, or one for each of several actors.
//
// Owns the limit of open appends, and counts them.
// STORE-JS-6. An append to several actors is one atomic batch (jetstream-batch.ts). A guard, the version
//     of an actor that is not written, is compared together with a message of its own: the guard's
//     record, in the history of an actor with a new id. Its expectation is about another subject,
//     so it does not give the position of the record before it.
// STORE-JS-12. `idle` resolves when no append is open. Each has its deadline.

import { encodedBytes, encodeCommit } from '../../codec/envelope.js'
import { type ActorAddress, formatAddress } from '../../model/address.js'
import type { NewCommit } from '../../model/commit.js'
import { CairnError, refusal } from '../../model/errors.js'
import type { NewEvent } from '../../model/event.js'
import { LoadLimit } from '../../model/load-limit.js'
import { type ExpectedVersion, meetsExpectation } from '../../model/version.js'
import { type Deferred, deferred, pause, throwIfAborted } from '../../model/wait.js'
import type { BatchMessage } from '../../nats/batch.js'
import type { Connection } from '../../nats/connection.js'
import type { GroupCommit } from '../../nats/group-commit.js'
import type { LogStream } from '../../nats/log-stream.js'
import { checksOtherSubjects } from '../../nats/server-version.js'
import type { CachedHead } from '../version-cache.js'
import {
  appended,
  appendTimeoutDefault,
  checkAppend,
  conflict,
  nextCommit,
  type OwnAppendOptions,
} from './append.js'
import type {
  AppendAllOptions,
  AppendAllResult,
  AppendOptions,
  AppendPart,
  AppendResult,
} from './event-store.js'
import { type Batch, BatchWriter } from './jetstream-batch.js'
import { CommitWriter } from './jetstream-commits.js'
import type { Heads } from './jetstream-heads.js'
import type { StreamRecords } from './jetstream-records.js'
import type { KnownPosition } from './known-position.js'
import type { OwnCommits } from './own-commits.js'
import {
  type CheckedTransaction,
  checkTransaction,
  checkTransactionBytes,
  conflictsOf,
  formatActors,
  guardCommits,
  partCommit,
} from './transaction.js'

/** Appends that may be open. */
const appendsMax = 16_384
const appendsLeast = 1_024

export interface AppenderOptions {
  readonly nodeId: string
  readonly connection: Connection
  readonly stream: () => LogStream
  readonly groups: GroupCommit
  readonly records: StreamRecords
  readonly heads: Heads
  readonly known: KnownPosition
  readonly own: OwnCommits | undefined
  /** Throws once the store is closed. */
  assertOpen(): void
}

export class Appender {
  readonly #options: AppenderOptions
  readonly #batches: BatchWriter
  readonly #commits: CommitWriter
  /** The appends of users; those of commands are limited as commands. */
  readonly #load = new LoadLimit(appendsMax, appendsLeast)
  #open = 0
  #idle: Deferred<void> | undefined

  constructor(options: AppenderOptions) {
    const { connection, groups, stream } = options
    this.#options = options
    this.#batches = new BatchWriter(connection)
    this.#commits = new CommitWriter(connection, groups, stream)
  }

  append(
    actor: ActorAddress,
    events: readonly NewEvent[],
    options: AppendOptions,
  ): Promise<AppendResult> {
    const { isAdmitted, timeout = appendTimeoutDefault }: OwnAppendOptions = options
    const append = () => this.#appendChecked(actor, events, options)
    return isAdmitted === true
      ? append()
      : this.#load.run(timeout, tooManyAppends, append)
  }

  async appendAll(
    parts: readonly AppendPart[],
    options: AppendAllOptions,
  ): Promise<AppendAllResult> {
    this.#options.assertOpen()
    const transaction = checkTransaction(parts, options)
    if (transaction.guards.length > 0) this.#checkGuards()
    return this.#counted(() => this.#appendAll(transaction))
  }

  /** STORE-JS-12. */
  async idle(): Promise<void> {
    if (this.#open > 0) await (this.#idle ??= deferred<void>()).promise
  }

  async #appendChecked(
    actor: ActorAddress,
    events: readonly NewEvent[],
    options: AppendOptions,
  ): Promise<AppendResult> {
    this.#options.assertOpen()
    const expected = checkAppend(actor, options)
    return this.#counted(() => this.#append(actor, events, expected, options))
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    this.#open++
    try {
      return await work()
    } finally {
      if (--this.#open === 0) this.#idle?.resolve()
    }
  }

  async #append(
    actor: ActorAddress,
    events: readonly NewEvent[],
    expected: ExpectedVersion,
    options: AppendOptions,
  ): Promise<AppendResult> {
    const deadline = Date.now() + (options.timeout ?? appendTimeoutDefault)
    const { signal } = options
    const { heads, nodeId, known, own } = this.#options
    const cached = heads.cached(actor, expected)
    let isFresh = cached === undefined
    let head = cached ?? (await heads.read(actor, deadline, signal))
    for (let attempt = 1; ; attempt++) {
      const commit = nextCommit(nodeId, actor, head.version, events, options)
      if (!meetsExpectation(expected, head.version)) {
        // Invalid events are refused as such, also when the version does not match.
        encodeCommit(commit)
        if (!isFresh) head = await heads.read(actor, deadline, signal)
        if (!meetsExpectation(expected, head.version))
          return conflict(actor, expected, head.version)
        isFresh = true
        continue
      }
      const outcome = await this.#commits.store(commit, head.position, {
        deadline,
        signal,
      })
      if (outcome.kind === 'stored') {
        const result = appended(commit, outcome.position)
        heads.advance(actor, result.version, outcome.position)
        known.raise(outcome.position)
        own?.stored(commit, outcome.position, head.position)
        return result
      }
      if (Date.now() >= deadline) throw contention(formatAddress(actor), attempt)
      // Writers that conflict repeatedly wait for a random, growing time.
      if (attempt > 2) await pause(Math.random() * Math.min(50, 2 ** attempt), signal)
      throwIfAborted(signal, `appending to ${formatAddress(actor)}`)
      head = await heads.read(actor, deadline, signal)
      isFresh = true
    }
  }

  async #appendAll(transaction: CheckedTransaction): Promise<AppendAllResult> {
    const { id, parts, guards, options } = transaction
    const { signal, timeout = appendTimeoutDefault } = options
    const wait = { deadline: Date.now() + timeout, signal }
    const { heads, nodeId } = this.#options
    const expectations = [
      ...parts,
      ...guards.map(({ actor, version }) => ({ actor, expected: version })),
    ]
    let found = await Promise.all(
      expectations.map(
        async ({ actor, expected }) =>
          heads.cached(actor, expected) ?? heads.read(actor, wait.deadline, signal),
      ),
    )
    let areFresh = false
    for (let attempt = 1; ; attempt++) {
      const commits = parts.map((part, i) =>
        partCommit(nodeId, part, found[i]!.version, transaction),
      )
      const batch = this.#batchOf(transaction, commits, found)
      const versions = new Map(
        expectations.map(({ actor }, i) => [formatAddress(actor), found[i]!.version]),
      )
      const conflicts = conflictsOf(transaction, actor =>
        versions.get(formatAddress(actor))!,
      )
      if (conflicts.length > 0 && areFresh) return { ok: false, conflicts }
      if (conflicts.length === 0) {
        const [commit] = commits
        const isSingle = batch.messages.length === 1 && commit !== undefined
        const outcome = isSingle
          ? await this.#commits.store(commit, found[0]!.position, wait)
          : await this.#batches.store(batch, wait)
        if (outcome.kind === 'stored') {
          const positions =
            'positions' in outcome ? outcome.positions : [outcome.position]
          const result = commits.map((stored, i) => appended(stored, positions[i]!))
          for (const { actor, version, position } of result)
            heads.advance(actor, version, position)
          return { ok: true, transactionId: id, appended: result }
        }
        const name = formatActors(parts)
        if (Date.now() >= wait.deadline) throw contention(name, attempt)
        if (attempt > 2) await pause(Math.random() * Math.min(50, 2 ** attempt), signal)
        throwIfAborted(signal, `appending to ${name}`)
      }
      // Reads every head: a conflict names every actor that differs.
      found = await Promise.all(
        expectations.map(({ actor }) => heads.read(actor, wait.deadline, signal)),
      )
      areFresh = true
    }
  }

  /** STORE-JS-6. The messages of the commits, followed by those of the guards. */
  #batchOf(
    transaction: CheckedTransaction,
    commits: readonly NewCommit[],
    heads: readonly CachedHead[],
  ): Batch {
    const { id, guards } = transaction
    const { nodeId, records, stream } = this.#options
    const written = commits.map((commit, i): BatchMessage => {
      const subject = records.subjectOf(commit.actor)
      return { subject, expected: heads[i]!.position, ...encodeCommit(commit) }
    })
    const guarding = guardCommits(nodeId, transaction).map((commit, i): BatchMessage => ({
      subject: records.subjectOf(commit.actor),
      expected: heads[commits.length + i]!.position,
      expectedOn: records.subjectOf(guards[i]!.actor),
      ...encodeCommit(commit),
    }))
    const messages = [...written, ...guarding]
    checkTransactionBytes(messages.map(encodedBytes))
    return { id, stream: stream().name, commits, messages }
  }

  #checkGuards(): void {
    const { serverVersion } = this.#options.connection
    if (checksOtherSubjects(serverVersion)) return
    throw new CairnError(
      'server-too-old',
      `The NATS server is version ${serverVersion}, which does not check guards correctly: they need ` +
        '2.12.14 or newer of 2.12, or 2.14.4 or newer. Upgrade it, or write to ' +
        'every actor that the transaction depends on.',
      { details: { version: serverVersion } },
    )
  }
}

function contention(name: string, attempts: number): CairnError {
  return new CairnError(
    'contention',
    `Could not append to ${name}: other writers were faster ${attempts} times in a row. ` +
      'Nothing was stored; the append may be repeated.',
    { details: { attempts } },
  )
}

function tooManyAppends(limit: number): CairnError {
  return refusal(
    'queue-full',
    `${limit} appends are open, as many as are stored in time: nothing was stored of this one. ` +
      'Append again later, or at a lower rate.',
    { limit },
  )
}
