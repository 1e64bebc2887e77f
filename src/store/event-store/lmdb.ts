// The embedded event store: one machine, no server, one LMDB file a namespace.
//
// Any number of processes may have the same directory open, all writing: LMDB's write lock
// makes them take turns, and a process that is killed at any point leaves a whole log and
// no lock behind.
//
// L1. An append resolves after fdatasync has returned for it, so it survives the loss of
//     power as well as the disk keeps its word. Nobody sees a commit before that.
// L2. The expected version is judged inside the write transaction; the cache is no part of
//     the decision, only of its cost.
// L3. Readers hold no snapshot between chunks, however slow their consumer.

import {
  decodeRecord,
  encodeCommit,
  type EncodedRecord,
  type RawRecord,
  renumber,
} from '../../codec/envelope.js'
import {
  type ActorAddress,
  checkActorType,
  checkAddress,
  checkNamespace,
  formatAddress,
} from '../../model/address.js'
import type { LogRecord, NewCommit } from '../../model/commit.js'
import { CairnError } from '../../model/errors.js'
import type { NewEvent } from '../../model/event.js'
import type { ExpectedVersion, Position, Version } from '../../model/version.js'
import { throwIfAborted } from '../../model/wait.js'
import {
  appended,
  appendTimeoutDefault,
  checkAppend,
  conflict,
  nextCommit,
} from './append.js'
import { StoreBase, type StoreOptions } from './base.js'
import { checkCommitsOptions } from './events.js'
import {
  acquireEnvironment,
  type Environment,
  releaseEnvironment,
} from '../lmdb/environment.js'
import { namespacesIn } from '../lmdb/file.js'
import { packRecord, type VersionPosition, type StoredHead } from '../lmdb/layout.js'
import type { SideTables } from '../lmdb/side-tables.js'
import type { LogEntry, Tables } from '../lmdb/tables.js'
import type { ReadModelTables } from '../lmdb/read-model-tables.js'
import type { Job } from '../lmdb/writer.js'
import type {
  AppendAllOptions,
  AppendAllResult,
  AppendOptions,
  AppendPart,
  AppendResult,
  CommitsOptions,
  Head,
} from './event-store.js'
import {
  checkTransaction,
  checkTransactionBytes,
  conflictsOf,
  guardCommits,
  partCommit,
} from './transaction.js'

export { namespacesIn }

export interface LmdbStoreOptions extends StoreOptions {
  /** Directory of the data, created where missing. Each namespace is a file in it. */
  readonly dir: string
}

/** Bytes of one commit, at most. */
export const lmdbCommitBytesMax = 64 * 1024 * 1024

/**
 * Opens a namespace's embedded log, and creates it where there is none.
 *
 * Throws `foreign-directory` when what is there is something else, or of a newer version;
 * nothing is written to it then. Throws `storage-failed` when it cannot be read or created.
 */
export async function openLmdbStore(options: LmdbStoreOptions): Promise<LmdbStore> {
  checkNamespace(options.namespace)
  const environment = await acquireEnvironment(options.dir, options.namespace)
  return new LmdbStore(options, environment)
}

export class LmdbStore extends StoreBase {
  readonly #environment: Environment
  readonly #inFlight = new Set<Promise<unknown>>()
  #closed: Promise<void> | undefined

  constructor(options: StoreOptions, environment: Environment) {
    super(options)
    this.#environment = environment
  }

  /** Unique per creation of the log: positions of another generation mean something else. */
  get generation(): string {
    return this.#environment.meta.generation
  }

  /** Lanes of this namespace, fixed at its creation. */
  get partitions(): number {
    return this.#environment.meta.partitions
  }

  /** The table of read models. */
  get views(): ReadModelTables {
    return this.#environment.views
  }

  /** The tables beside the log. */
  get side(): SideTables {
    return this.#environment.side
  }

  async append(
    actor: ActorAddress,
    events: readonly NewEvent[],
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    this.assertOpen()
    const expected = checkAppend(actor, options)
    const { type, id } = actor
    const address = { type, id }
    const before = this.cache.snapshot(address)
    const believed = this.cache.lookup(address)?.version ?? 0
    const commit = nextCommit(this.nodeId, address, believed, events, options)
    const job: Job = { actor: address, expected, ...packing(commit) }
    const { timeout = appendTimeoutDefault, signal } = options
    const judgement = await this.#track(
      this.#environment.writer.submit(job, timeout, signal),
    )
    const { version, position } = judgement.before
    if (before?.version !== version || before.position !== position)
      this.cache.settle(address, judgement.before, before)
    if (judgement.stored === undefined) return conflict(address, expected, version)
    this.cache.advance(address, version + events.length, judgement.stored)
    return appended({ ...commit, firstVersion: version + 1 }, judgement.stored)
  }

  async appendAll(
    parts: readonly AppendPart[],
    options: AppendAllOptions = {},
  ): Promise<AppendAllResult> {
    this.assertOpen()
    const transaction = checkTransaction(parts, options)
    const { guards } = transaction
    const actors = [...transaction.parts, ...guards].map(({ actor }) => actor)
    const snapshots = actors.map(actor => this.cache.snapshot(actor))
    const commits = transaction.parts.map(part => {
      const believed = this.cache.lookup(part.actor)?.version ?? 0
      return partCommit(this.nodeId, part, believed, transaction)
    })
    const jobs: Job[] = [
      ...commits.map((commit, i) => {
        const { actor, expected } = transaction.parts[i]!
        return { actor, expected, ...packing(commit) }
      }),
      ...guardCommits(this.nodeId, transaction).map(commit => {
        const expected: ExpectedVersion = 'any' // Nobody else knows this actor.
        return { actor: commit.actor, expected, ...packing(commit) }
      }),
    ]
    checkTransactionBytes(jobs.map(({ bytes }) => bytes))
    const { timeout = appendTimeoutDefault, signal } = options
    const judgement = await this.#track(
      this.#environment.writer.submitAll({ jobs, guards }, timeout, signal),
    )
    const places = [...judgement.before.slice(0, commits.length), ...judgement.guards]
    for (const [i, actor] of actors.entries())
      this.cache.settle(actor, places[i]!, snapshots[i])
    const { stored } = judgement
    if (stored === undefined) {
      const names = new Map(actors.map((actor, i) => [formatAddress(actor), places[i]!]))
      const versionOf = (actor: ActorAddress) => names.get(formatAddress(actor))!.version
      return { ok: false, conflicts: conflictsOf(transaction, versionOf) }
    }
    const result = commits.map((commit, i) => {
      const firstVersion = places[i]!.version + 1
      return appended({ ...commit, firstVersion }, stored[i]!)
    })
    for (const { actor, version, position } of result)
      this.cache.advance(actor, version, position)
    return { ok: true, transactionId: transaction.id, appended: result }
  }

  async head(actor: ActorAddress, options: { signal?: AbortSignal } = {}): Promise<Head> {
    this.assertOpen()
    checkAddress(actor)
    throwIfAborted(options.signal, `reading the head of ${formatAddress(actor)}`)
    const before = this.cache.snapshot(actor)
    const tables = this.#fresh()
    const { version = 0, position = 0 } = tables.head(actor) ?? {}
    this.cache.settle(actor, { version, position }, before)
    return position === 0
      ? { version, position }
      : { version, position, last: this.#decode(tables.record(position)) }
  }

  async *commits(
    actor: ActorAddress,
    options: CommitsOptions = {},
  ): AsyncGenerator<LogRecord> {
    this.assertOpen()
    checkCommitsOptions(options)
    const { from = 1, to = Infinity, backwards = false, signal } = options
    const doing = `reading ${formatAddress(checkAddress(actor))}`
    throwIfAborted(signal, doing)
    if (!backwards && to < from) return
    const head = this.#fresh().head(actor)
    if (head === undefined) return
    const positions = backwards ? this.#walkBack(head, from) : this.#walk(head, from)
    for (const position of positions) {
      throwIfAborted(signal, doing)
      const record = this.#decode(this.#fresh().record(position))
      yield record
      const last = record.kind === 'commit' ? record.lastVersion : record.versions?.last
      if (!backwards && last !== undefined && last >= to) return
    }
  }

  async *actors(
    options: { type?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<ActorAddress> {
    const { type, signal } = options
    this.assertOpen()
    if (type !== undefined) checkActorType(type)
    let next: Buffer | undefined
    do {
      const chunk = this.#fresh().actors(type, next)
      for (const actor of chunk.actors) {
        throwIfAborted(signal, 'listing actors')
        yield actor
      }
      next = chunk.next
    } while (next !== undefined)
  }

  async lastPosition(options: { signal?: AbortSignal } = {}): Promise<Position> {
    this.assertOpen()
    throwIfAborted(options.signal, 'reading the last position')
    return this.#fresh().lastPosition()
  }

  override close(): Promise<void> {
    this.#closed ??= this.#finish()
    return this.#closed
  }

  protected async *scan(
    after: Position,
    types: readonly string[] | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<LogRecord, Position> {
    let position = after
    while (!signal.aborted) {
      const entries = this.#fresh().recordsAfter(position)
      if (entries.length === 0) return position
      for (const entry of entries) {
        if (signal.aborted) return position
        position = entry.position
        const wanted = types === undefined || isOfTypes(entry, types)
        if (wanted) yield this.#decode(entry)
      }
    }
    return position
  }

  protected news(after: Position, signal: AbortSignal): Promise<void> {
    return this.#environment.watch.news(after, signal)
  }

  async #finish(): Promise<void> {
    await super.close()
    await Promise.allSettled(this.#inFlight)
    await releaseEnvironment(this.#environment)
  }

  async #track<T>(work: Promise<T>): Promise<T> {
    this.#inFlight.add(work)
    try {
      return await work
    } finally {
      this.#inFlight.delete(work)
    }
  }

  /** The tables as of now; refused once closed, because LMDB must not be read then. */
  #fresh(): Tables {
    this.assertOpen()
    return this.#environment.tables.refresh()
  }

  /** Positions from the commit that holds `from` up to the head, a chunk at a time (L3). */
  *#walk(head: StoredHead, from: Version): Generator<Position> {
    // Foreign records that stand before an actor's first commit have version 0.
    let after: VersionPosition | undefined = {
      version: from <= 1 ? 0 : from,
      position: 0,
    }
    while (after !== undefined) {
      const places: VersionPosition[] = this.#fresh().indexFrom(head, after)
      for (const { position } of places) yield position
      after = places.at(-1)
    }
  }

  /** The same backwards. */
  *#walkBack(head: StoredHead, from: Version): Generator<Position> {
    let upTo: VersionPosition | undefined = head
    while (upTo !== undefined) {
      const places: VersionPosition[] = this.#fresh().indexBack(head, upTo)
      for (const { version, position } of places) {
        if (from > 1 && version < from) return
        yield position
      }
      const last = places.at(-1)
      upTo = last && { version: last.version, position: last.position - 1 }
    }
  }

  #decode({ position, actor, headers, body }: LogEntry): LogRecord {
    const raw: RawRecord = {
      position,
      source: `${this.#environment.path}#${position}`,
      actor,
      body,
      header: name => headers[name],
      headers: () => ({ ...headers }),
    }
    return decodeRecord(raw)
  }
}

/**
 * Encodes a commit now, so that bad data is refused before anything is queued, and packs it
 * for whatever version it will be stored behind.
 */
function packing(commit: NewCommit): Pick<Job, 'events' | 'bytes' | 'pack'> {
  const { actor, events, firstVersion } = commit
  const envelope = encodeCommit(commit)
  const record = packEnvelope(actor, envelope)
  if (record.length > lmdbCommitBytesMax)
    throw new CairnError(
      'commit-too-large',
      `A commit of ${formatAddress(actor)} takes ${record.length} bytes, and the limit is ` +
        `${lmdbCommitBytesMax}: split it.`,
      { details: { limit: lmdbCommitBytesMax, actual: record.length } },
    )
  const pack = (version: Version) =>
    version + 1 === firstVersion
      ? record
      : packEnvelope(actor, renumber(envelope, version + 1, events.length))
  return { events: events.length, bytes: record.length, pack }
}

function packEnvelope(actor: ActorAddress, { headers, body }: EncodedRecord): Buffer {
  return packRecord(actor, Object.fromEntries(headers), body)
}

function isOfTypes({ actor }: LogEntry, types: readonly string[]): boolean {
  return actor !== undefined && types.includes(actor.type)
}
