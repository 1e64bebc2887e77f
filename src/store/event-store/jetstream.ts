// The event store on NATS JetStream: one stream per namespace, one message per commit, one
// subject per actor.
//
// STORE-JS-5. Positions belong to a generation of the stream. After a reconnect the generation is
//     compared, and the cache is cleared if the stream is another one.
// STORE-JS-6. An append to several actors is one atomic batch (jetstream-batch.ts). A guard, the version
//     of an actor that is not written, is compared together with a message of its own: the guard's
//     record, in the history of an actor with a new id. Its expectation is about another subject,
//     so it does not give the position of the record before it.
//
// One commit is stored by jetstream-commits.ts, and one subject read by jetstream-reads.ts.

import { versionsOf } from '../../codec/commit-headers.js'
import { encodedBytes, decodeRecord, encodeCommit } from '../../codec/envelope.js'
import {
  type ActorAddress,
  checkActorType,
  checkAddress,
  formatAddress,
} from '../../model/address.js'
import type { LogRecord, NewCommit } from '../../model/commit.js'
import { CairnError, isCairnError, refusal } from '../../model/errors.js'
import type { NewEvent } from '../../model/event.js'
import { LoadLimit } from '../../model/load-limit.js'
import { partitionOf } from '../../model/partition.js'
import {
  type ExpectedVersion,
  meetsExpectation,
  type Position,
} from '../../model/version.js'
import { type Deferred, deferred, pause, throwIfAborted } from '../../model/wait.js'
import type { BatchMessage } from '../../nats/batch.js'
import type { Connection } from '../../nats/connection.js'
import type { StoredMessage } from '../../nats/direct-get.js'
import { mustExist } from '../../nats/missing-stream.js'
import {
  GroupCommit,
  type GroupCommitMode,
  type GroupCommitStats,
} from '../../nats/group-commit.js'
import { listSubjects } from '../../nats/list-subjects.js'
import { type LogStream, readLogStream } from '../../nats/log-stream.js'
import { scanPages } from '../../nats/scan-pages.js'
import { checksOtherSubjects } from '../../nats/server-version.js'
import {
  logSubject,
  logSubjects,
  logSubjectsOfType,
  noticeSubjects,
  parseSubject,
} from '../../nats/subjects.js'
import {
  appended,
  appendTimeoutDefault,
  type OwnAppendOptions,
  checkAppend,
  conflict,
  nextCommit,
} from './append.js'
import { StoreBase, type StoreOptions } from './store-base.js'
import { WakeSignal } from '../wake-signal.js'
import { checkCommitsOptions, checkLogOptions, isOfTypes } from './read.js'
import { followLog } from './follow.js'
import { type Batch, BatchWriter } from './jetstream-batch.js'
import { CommitWriter } from './jetstream-commits.js'
import { SubjectReader } from './jetstream-reads.js'
import { KnownPosition } from './known-position.js'
import type { OwnCommits } from './own-commits.js'
import type {
  AppendAllOptions,
  AppendAllResult,
  AppendOptions,
  AppendPart,
  AppendResult,
  CommitsOptions,
  FollowOptions,
  Head,
  ReadAllOptions,
} from './event-store.js'
import {
  type CheckedTransaction,
  checkTransaction,
  checkTransactionBytes,
  conflictsOf,
  guardCommits,
  formatActors,
  partCommit,
} from './transaction.js'
import type { CachedHead } from '../version-cache.js'

export interface JetStreamStoreOptions extends StoreOptions {
  readonly connection: Connection
  readonly stream: LogStream
  /** Default `auto`. */
  readonly groupCommit?: GroupCommitMode
  /** Minimum number of commits in a shared batch. */
  readonly groupMin?: number
  /** Records the commits that this store appends. */
  readonly own?: OwnCommits
}

/** The head of an actor without events. */
const noEvents: CachedHead = { version: 0, position: 0 }
/** Appends that may be open. */
const appendsMax = 16_384
const appendsLeast = 1_024
/** Milliseconds between reads of a follower when no notice arrives. */
const followPollInterval = 1_000
/** Milliseconds before reading again a record that a lagging replica lacks. */
const replicaLagPause = 5

export class JetStreamStore extends StoreBase {
  readonly #connection: Connection
  readonly #stopListening: () => void
  readonly #batches: BatchWriter
  readonly #groups: GroupCommit
  readonly #commits: CommitWriter
  readonly #reader: SubjectReader
  readonly #own: OwnCommits | undefined
  readonly #known: KnownPosition
  #stream: LogStream
  /** The appends of users; those of commands are limited as commands. */
  readonly #load = new LoadLimit(appendsMax, appendsLeast)
  #appendsInFlight = 0
  #idle: Deferred<void> | undefined

  constructor(options: JetStreamStoreOptions) {
    super(options)
    this.#connection = options.connection
    this.#batches = new BatchWriter(options.connection)
    this.#stream = options.stream
    this.#own = options.own
    this.#known = new KnownPosition(options.stream.lastPosition, signal =>
      this.lastPosition({ signal }),
    )
    const { groupCommit: mode = 'auto', groupMin: min } = options
    const { replicas } = options.stream
    this.#groups = new GroupCommit(options.connection, {
      mode,
      replicas,
      ...(min !== undefined && { min }),
    })
    const stream = () => this.#stream
    this.#commits = new CommitWriter(this.#connection, this.#groups, stream)
    this.#reader = new SubjectReader(this.#connection, stream)
    this.#stopListening = this.#connection.onInterruption(interruption => {
      this.cache.unverify()
      if (interruption === 'disconnected') return
      this.#groups.reconfigure(this.#stream.replicas)
      void this.#checkGeneration()
    })
  }

  append(
    actor: ActorAddress,
    events: readonly NewEvent[],
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    const { isAdmitted, timeout = appendTimeoutDefault }: OwnAppendOptions = options
    const append = () => this.#appendChecked(actor, events, options)
    return isAdmitted === true
      ? append()
      : this.#load.run(timeout, tooManyAppends, append)
  }

  async #appendChecked(
    actor: ActorAddress,
    events: readonly NewEvent[],
    options: AppendOptions,
  ): Promise<AppendResult> {
    this.assertOpen()
    const expected = checkAppend(actor, options)
    this.#appendsInFlight++
    try {
      return await this.#append(actor, events, expected, options)
    } finally {
      if (--this.#appendsInFlight === 0) this.#idle?.resolve()
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
    const cached = this.#cachedHead(actor, expected)
    let isFresh = cached === undefined
    let head = cached ?? (await this.#readHead(actor, deadline, signal))
    for (let attempt = 1; ; attempt++) {
      const commit = nextCommit(this.nodeId, actor, head.version, events, options)
      if (!meetsExpectation(expected, head.version)) {
        // Invalid events are refused as such, also when the version does not match.
        encodeCommit(commit)
        if (!isFresh) head = await this.#readHead(actor, deadline, signal)
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
        this.cache.advance(actor, result.version, outcome.position)
        this.#known.raise(outcome.position)
        this.#own?.stored(commit, outcome.position, head.position)
        return result
      }
      if (Date.now() >= deadline) throw contention(formatAddress(actor), attempt)
      // Writers that conflict repeatedly wait for a random, growing time.
      if (attempt > 2) await pause(Math.random() * Math.min(50, 2 ** attempt), signal)
      throwIfAborted(signal, `appending to ${formatAddress(actor)}`)
      head = await this.#readHead(actor, deadline, signal)
      isFresh = true
    }
  }

  async appendAll(
    parts: readonly AppendPart[],
    options: AppendAllOptions = {},
  ): Promise<AppendAllResult> {
    this.assertOpen()
    const transaction = checkTransaction(parts, options)
    if (transaction.guards.length > 0) this.#checkGuards()
    this.#appendsInFlight++
    try {
      return await this.#appendAll(transaction)
    } finally {
      if (--this.#appendsInFlight === 0) this.#idle?.resolve()
    }
  }

  async #appendAll(transaction: CheckedTransaction): Promise<AppendAllResult> {
    const { id, parts, guards, options } = transaction
    const { signal, timeout = appendTimeoutDefault } = options
    const wait = { deadline: Date.now() + timeout, signal }
    const expectations = [
      ...parts,
      ...guards.map(({ actor, version }) => ({ actor, expected: version })),
    ]
    let heads = await Promise.all(
      expectations.map(
        async ({ actor, expected }) =>
          this.#cachedHead(actor, expected) ??
          this.#readHead(actor, wait.deadline, signal),
      ),
    )
    let areFresh = false
    for (let attempt = 1; ; attempt++) {
      const commits = parts.map((part, i) =>
        partCommit(this.nodeId, part, heads[i]!.version, transaction),
      )
      const batch = this.#batchOf(transaction, commits, heads)
      const versions = new Map(
        expectations.map(({ actor }, i) => [formatAddress(actor), heads[i]!.version]),
      )
      const conflicts = conflictsOf(transaction, actor =>
        versions.get(formatAddress(actor))!,
      )
      if (conflicts.length > 0 && areFresh) return { ok: false, conflicts }
      if (conflicts.length === 0) {
        const [commit] = commits
        const isSingle = batch.messages.length === 1 && commit !== undefined
        const outcome = isSingle
          ? await this.#commits.store(commit, heads[0]!.position, wait)
          : await this.#batches.store(batch, wait)
        if (outcome.kind === 'stored') {
          const positions =
            'positions' in outcome ? outcome.positions : [outcome.position]
          const result = commits.map((stored, i) => appended(stored, positions[i]!))
          for (const { actor, version, position } of result)
            this.cache.advance(actor, version, position)
          return { ok: true, transactionId: id, appended: result }
        }
        const name = formatActors(parts)
        if (Date.now() >= wait.deadline) throw contention(name, attempt)
        if (attempt > 2) await pause(Math.random() * Math.min(50, 2 ** attempt), signal)
        throwIfAborted(signal, `appending to ${name}`)
      }
      // Reads every head: a conflict names every actor that differs.
      heads = await Promise.all(
        expectations.map(({ actor }) => this.#readHead(actor, wait.deadline, signal)),
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
    const written = commits.map((commit, i): BatchMessage => {
      const subject = this.#subjectOf(commit.actor)
      return { subject, expected: heads[i]!.position, ...encodeCommit(commit) }
    })
    const guarding = guardCommits(this.nodeId, transaction).map(
      (commit, i): BatchMessage => ({
        subject: this.#subjectOf(commit.actor),
        expected: heads[commits.length + i]!.position,
        expectedOn: this.#subjectOf(guards[i]!.actor),
        ...encodeCommit(commit),
      }),
    )
    const messages = [...written, ...guarding]
    checkTransactionBytes(messages.map(encodedBytes))
    return { id, stream: this.#stream.name, commits, messages }
  }

  #checkGuards(): void {
    const { serverVersion } = this.#connection
    if (checksOtherSubjects(serverVersion)) return
    throw new CairnError(
      'server-too-old',
      `The NATS server is version ${serverVersion}, which does not check guards correctly: they need ` +
        '2.12.14 or newer of 2.12, or 2.14.4 or newer. Upgrade it, or write to ' +
        'every actor that the transaction depends on.',
      { details: { version: serverVersion } },
    )
  }

  async head(actor: ActorAddress, options: { signal?: AbortSignal } = {}): Promise<Head> {
    this.assertOpen()
    checkAddress(actor)
    const subject = this.#subjectOf(actor)
    const before = this.cache.snapshot(actor)
    const last = await this.#reader.last(subject, options)
    if (last === undefined) {
      this.cache.refresh(actor, { version: 0, position: 0 }, before)
      return { version: 0, position: 0 }
    }
    const record = this.#decode(last)
    const version =
      record.kind === 'commit'
        ? record.lastVersion
        : (record.versions?.last ??
          (await this.#reader.versionBefore(subject, last, options.signal)))
    this.cache.refresh(actor, { version, position: last.position }, before)
    return { version, position: last.position, last: record }
  }

  async *commits(
    actor: ActorAddress,
    options: CommitsOptions = {},
  ): AsyncGenerator<LogRecord> {
    this.assertOpen()
    checkCommitsOptions(options)
    const { from = 1, to = Infinity, hint = 1, backwards = false, signal } = options
    const subject = this.#subjectOf(checkAddress(actor))
    throwIfAborted(signal, `reading ${formatAddress(actor)}`)
    if (!backwards && to < from) return
    if (backwards) {
      for await (const message of this.#reader.backwards(subject, signal)) {
        throwIfAborted(signal, `reading ${formatAddress(actor)}`)
        const record = this.#decode(message)
        const last = record.kind === 'commit' ? record.lastVersion : record.versions?.last
        if (last !== undefined && last < from) return
        yield record
      }
      return
    }
    const end = await this.#reader.endOf(subject, signal)
    // Each commit has at least one version, so there are at most `to` messages to read.
    for await (const page of this.#reader.pagesOf(subject, hint, end, signal, to))
      for (const message of page) {
        throwIfAborted(signal, `reading ${formatAddress(actor)}`)
        const record = this.#decode(message)
        const last = record.kind === 'commit' ? record.lastVersion : record.versions?.last
        // A version that was read is proven, so reading to the end prepares the next append.
        if (last !== undefined) this.cache.advance(actor, last, record.position)
        if (last === undefined || last >= from) yield record
        if (last !== undefined && last >= to) return
      }
  }

  override async *readAll(options: ReadAllOptions = {}): AsyncGenerator<LogRecord> {
    this.assertOpen()
    const { after = 0, types, limit = Infinity, signal } = options
    checkLogOptions(options)
    let left = limit
    if (left === 0) return
    const end = await this.lastPosition(signal === undefined ? {} : { signal })
    const filter = this.#filterOf(types)
    const scan = (next: Position) => {
      const { name } = this.#stream
      return scanPages(this.#connection, name, filter, next, { end, limit, signal })
    }
    const pages = this.#reader.pagesTo(scan, filter ?? '>', after + 1, end, signal)
    for await (const page of pages)
      for (const message of page) {
        throwIfAborted(signal, 'reading the log')
        if (message.position > end) return
        const actor = this.#actorOf(message.subject)
        if (!isOfTypes(actor, types)) continue
        yield this.#decode(message, actor)
        if (--left === 0) return
      }
  }

  override async *follow(options: FollowOptions = {}): AsyncGenerator<LogRecord> {
    this.assertOpen()
    checkLogOptions(options)
    const signal =
      options.signal === undefined
        ? this.closing
        : AbortSignal.any([options.signal, this.closing])
    if (signal.aborted) return
    // Its own wake signal: with a filter, notices of other types must not wake it.
    const wakeSignal = new WakeSignal()
    const onlyType = options.types?.length === 1 ? options.types[0] : undefined
    const subscription = await this.#connection.subscribe(
      noticeSubjects(this.namespace, onlyType),
      message => wakeSignal.raise(Number(message.headers?.last('Nats-Sequence') ?? 0)),
    )
    const waitBeyond = waiterOn(wakeSignal)
    try {
      yield* followLog(
        { scan: this.#scanReachable.bind(this), waitBeyond },
        options,
        signal,
      )
    } finally {
      subscription.unsubscribe()
    }
  }

  async *actors(
    options: { type?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<ActorAddress> {
    this.assertOpen()
    const { type, signal } = options
    if (type !== undefined) checkActorType(type)
    const filter =
      type === undefined
        ? logSubjects(this.namespace)
        : logSubjectsOfType(this.namespace, type)
    for await (const subject of listSubjects(
      this.#connection,
      this.#stream.name,
      filter,
      signal,
    )) {
      const actor = this.#actorOf(subject)
      if (actor !== undefined) yield actor
    }
  }

  async lastPosition(options: { signal?: AbortSignal } = {}): Promise<Position> {
    this.assertOpen()
    const { signal } = options
    const stream = await readLogStream(this.#connection, this.namespace, { signal })
    if (stream !== undefined) return stream.lastPosition
    await mustExist(this.#connection, this.#stream.name)
    return 0
  }

  knownPosition(): Position {
    return this.#known.position()
  }

  /** How many commits shared batches, and why or why not. */
  groupStats(): GroupCommitStats {
    return this.#groups.stats()
  }

  /** Waits for the appends in flight; each has its deadline. */
  override async close(): Promise<void> {
    this.#stopListening()
    this.#known.close()
    await super.close()
    if (this.#appendsInFlight > 0) await (this.#idle ??= deferred<void>()).promise
  }

  protected async *scan(
    after: Position,
    types: readonly string[] | undefined,
    signal: AbortSignal,
    limit?: number,
  ): AsyncGenerator<LogRecord, Position> {
    let position = after
    const pages = scanPages(
      this.#connection,
      this.#stream.name,
      this.#filterOf(types),
      after + 1,
      { signal, ...(limit !== undefined && { limit }) },
    )
    for await (const page of pages)
      for (const message of page) {
        position = message.position
        const actor = this.#actorOf(message.subject)
        if (isOfTypes(actor, types)) yield this.#decode(message, actor)
        if (signal.aborted) return position
      }
    return position
  }

  protected waitBeyond(after: Position, signal: AbortSignal): Promise<void> {
    void after
    return pause(followPollInterval, signal)
  }

  /** A scan that ends early when the server is unreachable: the next scan reads the rest. */
  async *#scanReachable(
    after: Position,
    types: readonly string[] | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<LogRecord, Position> {
    let position = after
    const records = this.scan(after, types, signal)
    try {
      for (;;) {
        const next = await records.next()
        if (next.done === true) return next.value
        position = next.value.position
        yield next.value
      }
    } catch (error) {
      if (signal.aborted) return position
      if (isCairnError(error, 'store-unreachable') && !this.#connection.closed)
        return position
      throw error
    }
  }

  /** The cached head if it is trusted and meets the expectation; otherwise a read is needed. */
  #cachedHead(actor: ActorAddress, expected: ExpectedVersion): CachedHead | undefined {
    const cached = this.cache.lookup(actor)
    if (cached !== undefined)
      return meetsExpectation(expected, cached.version) ? cached : undefined
    // "No events" needs no read: the server refuses position 0 if there are events.
    return expected === 0 || expected === 'none' ? noEvents : undefined
  }

  /** The head, decoded from headers only, as the leader has it (STORE-JS-4); updates the cache. */
  async #readHead(
    actor: ActorAddress,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<CachedHead> {
    const subject = this.#subjectOf(actor)
    const before = this.cache.snapshot(actor)
    const timeout = Math.max(1, deadline - Date.now())
    const last = await this.#reader.last(subject, { signal, timeout })
    let head: CachedHead = { version: 0, position: 0 }
    if (last !== undefined) {
      const taken = versionsOf(name => last.headers.get(name))
      const version =
        taken?.last ?? (await this.#reader.versionBefore(subject, last, signal))
      head = { version, position: last.position }
    }
    this.cache.refresh(actor, head, before)
    return head
  }

  /** STORE-JS-5. */
  async #checkGeneration(): Promise<void> {
    try {
      const stream = await readLogStream(this.#connection, this.namespace, {
        signal: this.closing,
      })
      if (stream === undefined) return
      if (stream.generation !== this.#stream.generation) {
        this.cache.clear()
        this.#known.restart(stream.lastPosition)
      }
      this.#stream = stream
      this.#groups.reconfigure(stream.replicas)
    } catch {
      // The next append or read fails in the same way and reports the error to its caller.
    }
  }

  #subjectOf(actor: ActorAddress): string {
    return logSubject(this.namespace, actor, this.#stream.partitions)
  }

  /** The subject filter for one type; `undefined` otherwise: the server reads faster without a filter. */
  #filterOf(types: readonly string[] | undefined): string | undefined {
    return types?.length === 1
      ? logSubjectsOfType(this.namespace, checkActorType(types[0]))
      : undefined
  }

  /** The actor whose records belong on this subject. */
  #actorOf(subject: string): ActorAddress | undefined {
    const parsed = parseSubject(subject)
    if (parsed === undefined) return undefined
    const own = String(partitionOf(parsed.actor, this.#stream.partitions))
    return parsed.partition === own ? parsed.actor : undefined
  }

  #decode(
    { subject, position, headers, body }: StoredMessage,
    actor = this.#actorOf(subject),
  ): LogRecord {
    return decodeRecord({
      position,
      source: subject,
      actor,
      body,
      header: name => headers.get(name),
      headers: () => Object.fromEntries(headers),
    })
  }
}

/** Waits until the signal is raised beyond a position; a raised record that a replica lacks is read again. */
function waiterOn(
  wakeSignal: WakeSignal,
): (after: Position, signal: AbortSignal) => Promise<void> {
  let readAgainAfter: Position | undefined
  return (after, signal) => {
    if (wakeSignal.position <= after)
      return wakeSignal.wait(after, followPollInterval, signal)
    if (readAgainAfter === after) return pause(replicaLagPause, signal)
    readAgainAfter = after
    return Promise.resolve()
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
