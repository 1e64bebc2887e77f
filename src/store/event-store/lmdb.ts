// The embedded event store: one machine, no server, one LMDB file per namespace.
//
// Any number of processes may have the same directory open and write to it: LMDB's write lock
// orders them. A process that is killed at any point leaves a complete log and no lock.
//
// STORE-LMDB-1. An append resolves after fdatasync has returned for it, so it survives a power
//     failure if the disk really flushes. No reader sees a commit before that.
// STORE-LMDB-2. The expected version is checked inside the write transaction. The cache takes no
//     part in the decision; it only makes it cheaper.
// STORE-LMDB-3. Readers hold no snapshot between chunks, however slow their consumer.
// STORE-LMDB-4. A record that does not match its checksum, or is another actor's than the index says, is returned as
//     unreadable with the versions that the index says, so that its actor is parked, and no other.

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
import type { FollowsOwnCommits, OwnCommit } from './own-commits.js'
import { StoreBase, type StoreOptions } from './store-base.js'
import { checkCommitsOptions, isOfTypes } from './read.js'
import {
  acquireEnvironment,
  type Environment,
  releaseEnvironment,
} from '../lmdb/environment.js'
import { namespacesIn, removeFiles } from '../lmdb/file.js'
import {
  encodeLogRecord,
  parsePositionKey,
  type StoredHead,
  type VersionPosition,
} from '../lmdb/layout.js'
import type { DocumentTable } from '../lmdb/document-table.js'
import type { QueueTable } from '../lmdb/queue-table.js'
import type { LogEntry, LogTables } from '../lmdb/log-tables.js'
import type { ReadModelTable } from '../lmdb/read-model-table.js'
import type {
  AppendRequest,
  TransactionOutcome,
  TransactionRequest,
} from '../lmdb/log-writer.js'
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

export { namespacesIn, removeFiles }

export interface LmdbStoreOptions extends StoreOptions {
  /** Directory of the data, created if missing. Each namespace is a file in it. */
  readonly dir: string
}

/** Records that are read at a time at first, where many readers want few; four times as many each time after. */
const firstRead = 16

/** Bytes of one commit, at most. */
export const lmdbCommitBytesMax = 64 * 1024 * 1024

/**
 * Opens a namespace's embedded log, and creates it if it does not exist.
 *
 * Throws `foreign-directory`, without writing anything, when the file is not a Cairn log or is of
 * another layout; `damaged-file` when it is not whole; `storage-failed` when it cannot be read or created.
 */
export async function openLmdbStore(options: LmdbStoreOptions): Promise<LmdbStore> {
  checkNamespace(options.namespace)
  const environment = await acquireEnvironment(options.dir, options.namespace)
  return new LmdbStore(options, environment)
}

/** Commits in a chunk of notices, at most. */
const noticesMax = 256

export class LmdbStore extends StoreBase implements FollowsOwnCommits {
  readonly #environment: Environment
  #inFlight = 0
  /** Called when nothing is in flight. */
  #onIdle = () => {}
  #closed: Promise<void> | undefined

  constructor(options: StoreOptions, environment: Environment) {
    super(options)
    this.#environment = environment
  }

  /** Unique per creation of the log: positions of two generations cannot be compared. */
  get generation(): string {
    return this.#environment.meta.generation
  }

  /** How many partitions the namespace has, fixed at its creation. */
  get partitions(): number {
    return this.#environment.meta.partitions
  }

  /** The table of read models. */
  get readModels(): ReadModelTable {
    return this.#environment.readModels
  }

  /** The table of queues, which holds the timers too. */
  get queues(): QueueTable {
    return this.#environment.queues
  }

  /** Positions of the records that were found damaged when the file was opened. */
  get damagedRecords(): readonly Position[] {
    return this.#environment.damaged
      .filter(({ table }) => table === 'log')
      .map(({ key }) => parsePositionKey(key))
  }

  /** The table of documents. */
  get documents(): DocumentTable {
    return this.#environment.documents
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
    const cached = this.cache.snapshot(address)
    const known = this.cache.lookup(address)?.version ?? 0
    // Only after this version it is stored, so that it need not be encoded again.
    const assumedVersion = typeof expected === 'number' ? expected : known
    const commit = nextCommit(this.nodeId, address, assumedVersion, events, options)
    const request = this.#requestOf(commit, expected)
    const outcome = await this.#submit({ appends: [request], guards: [] }, options)
    const head = outcome.heads[0]!
    const { version, position } = head
    const stored = outcome.stored?.[0]
    if (cached?.version !== version || cached.position !== position)
      this.cache.refresh(address, head, cached)
    if (stored === undefined) return conflict(address, expected, version)
    this.cache.advance(address, version + events.length, stored)
    return appended({ ...commit, firstVersion: version + 1 }, stored)
  }

  async appendAll(
    parts: readonly AppendPart[],
    options: AppendAllOptions = {},
  ): Promise<AppendAllResult> {
    this.assertOpen()
    const transaction = checkTransaction(parts, options)
    const { guards } = transaction
    const actors = [...transaction.parts, ...guards].map(({ actor }) => actor)
    const cached = actors.map(actor => this.cache.snapshot(actor))
    const commits = transaction.parts.map(part => {
      const assumedVersion = this.cache.lookup(part.actor)?.version ?? 0
      return partCommit(this.nodeId, part, assumedVersion, transaction)
    })
    const appends: AppendRequest[] = [
      ...commits.map((commit, i) => {
        const { actor, expected } = transaction.parts[i]!
        return this.#requestOf({ ...commit, actor }, expected)
      }),
      ...guardCommits(this.nodeId, transaction).map(commit => {
        const expected: ExpectedVersion = 'any' // No other writer knows this actor.
        return this.#requestOf(commit, expected)
      }),
    ]
    checkTransactionBytes(appends.map(({ bytes }) => bytes))
    const outcome = await this.#submit({ appends, guards }, options)
    const heads = [...outcome.heads.slice(0, commits.length), ...outcome.guardHeads]
    for (const [i, actor] of actors.entries())
      this.cache.refresh(actor, heads[i]!, cached[i])
    const { stored } = outcome
    if (stored === undefined) {
      const headOf = new Map(actors.map((actor, i) => [formatAddress(actor), heads[i]!]))
      const versionOf = (actor: ActorAddress) => headOf.get(formatAddress(actor))!.version
      return { ok: false, conflicts: conflictsOf(transaction, versionOf) }
    }
    const result = commits.map((commit, i) => {
      const firstVersion = heads[i]!.version + 1
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
    const cached = this.cache.snapshot(actor)
    const log = this.#refreshedLog()
    const { version = 0, position = 0 } = log.head(actor) ?? {}
    this.cache.refresh(actor, { version, position }, cached)
    if (position === 0) return { version, position }
    const last = this.#recordOf(actor, { version, position }, log.record(position))
    return { version, position, last }
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
    const head = this.#refreshedLog().head(actor)
    if (head === undefined) return
    const chunks = backwards
      ? this.#chunksBackwards(head, from)
      : this.#chunksForwards(head, from)
    let atATime = firstRead
    for (const chunk of chunks)
      for (let read = 0; read < chunk.length;) {
        // STORE-LMDB-3: one snapshot for what is read at a time, and none while the reader works on it.
        const wanted = chunk.slice(read, read + atATime)
        atATime *= 4
        const entries = this.#refreshedLog().recordsAt(wanted)
        for (const entry of entries) {
          throwIfAborted(signal, doing)
          this.assertOpen()
          const record = this.#recordOf(actor, chunk[read++]!, entry)
          yield record
          const last =
            record.kind === 'commit' ? record.lastVersion : record.versions?.last
          if (!backwards && last !== undefined && last >= to) return
        }
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
      const chunk = this.#refreshedLog().actors(type, next)
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
    return this.#refreshedLog().lastPosition()
  }

  knownPosition(): Position {
    return this.#refreshedLog().lastPosition()
  }

  /** See {@link FollowsOwnCommits}. */
  async *followNotices({
    after,
    signal,
  }: {
    readonly after: Position
    readonly signal: AbortSignal
  }): AsyncGenerator<readonly (OwnCommit | LogRecord)[]> {
    const { ownCommits } = this.#environment
    const ended = AbortSignal.any([signal, this.closing])
    const stopListening = ownCommits.listen()
    let position = after
    try {
      while (!ended.aborted) {
        const own = ownCommits.after(position, noticesMax)
        const chunk = own.length > 0 ? own : this.#recordsAfter(position)
        position = chunk.at(-1)?.position ?? position
        if (chunk.length > 0) yield chunk
        // Where nothing is to be read, another process may still have stored something: the wait polls for that.
        const isDone = chunk.length === 0 || chunk === own
        if (isDone && !ended.aborted) await this.waitBeyond(position, ended)
      }
    } finally {
      stopListening()
    }
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
      const entries = this.#refreshedLog().recordsAfter(position)
      if (entries.length === 0) return position
      for (const entry of entries) {
        if (signal.aborted) return position
        position = entry.position
        if (isOfTypes(entry.actor, types)) yield this.#decode(entry)
      }
    }
    return position
  }

  protected waitBeyond(after: Position, signal: AbortSignal): Promise<void> {
    return this.#environment.watcher.waitBeyond(after, signal)
  }

  async #finish(): Promise<void> {
    await super.close()
    if (this.#inFlight > 0) await new Promise<void>(resolve => (this.#onIdle = resolve))
    await releaseEnvironment(this.#environment)
  }

  #recordsAfter(position: Position): LogRecord[] {
    return this.#refreshedLog()
      .recordsAfter(position)
      .map(entry => this.#decode(entry))
  }

  #requestOf(commit: NewCommit, expected: ExpectedVersion): AppendRequest {
    const { ownCommits } = this.#environment
    return {
      actor: commit.actor,
      expected,
      ...encodeRequest(commit),
      stored(position, head) {
        const firstVersion = head.version + 1
        const isAsAssumed = commit.firstVersion === firstVersion
        const stored = isAsAssumed ? commit : { ...commit, firstVersion }
        ownCommits.stored(stored, position, head.position)
      },
    }
  }

  async #submit(
    request: TransactionRequest,
    { timeout = appendTimeoutDefault, signal }: AppendAllOptions,
  ): Promise<TransactionOutcome> {
    this.#inFlight++
    try {
      return await this.#environment.writer.submitAll(request, timeout, signal)
    } finally {
      if (--this.#inFlight === 0) this.#onIdle()
    }
  }

  /** The log as committed so far. Throws once closed: LMDB must not be read then. */
  #refreshedLog(): LogTables {
    this.assertOpen()
    return this.#environment.log.refresh()
  }

  /** Entries from the commit that holds version `from` up to the head, chunk by chunk (STORE-LMDB-3). */
  *#chunksForwards(head: StoredHead, from: Version): Generator<VersionPosition[]> {
    // Foreign records before an actor's first commit have version 0.
    let after: VersionPosition | undefined = {
      version: from <= 1 ? 0 : from,
      position: 0,
    }
    while (after !== undefined) {
      const chunk: VersionPosition[] = this.#refreshedLog().indexFrom(head, after)
      yield chunk
      after = chunk.at(-1)
    }
  }

  /** Entries from the head back to the commit that holds version `from`, chunk by chunk. */
  *#chunksBackwards(head: StoredHead, from: Version): Generator<VersionPosition[]> {
    let upTo: VersionPosition | undefined = head
    while (upTo !== undefined) {
      const chunk: VersionPosition[] = this.#refreshedLog().indexBack(head, upTo)
      const end = from > 1 ? chunk.findIndex(({ version }) => version < from) : -1
      yield end < 0 ? chunk : chunk.slice(0, end)
      if (end >= 0) return
      const last = chunk.at(-1)
      upTo = last && { version: last.version, position: last.position - 1 }
    }
  }

  /** The record of an entry of an actor's index (STORE-LMDB-4). */
  #recordOf(
    actor: ActorAddress,
    { version, position }: VersionPosition,
    entry: LogEntry,
  ): LogRecord {
    const record = this.#decode(entry)
    const found = entry.actor
    const isOther =
      found !== undefined && (found.type !== actor.type || found.id !== actor.id)
    if (entry.isDamaged !== true && !isOther) return record
    const log = this.#refreshedLog()
    const head = log.head(actor)
    const before =
      head && log.indexBack(head, { version, position: position - 1 })[0]?.version
    const { body, headers } = entry
    return {
      kind: 'malformed',
      position,
      source: `${this.#environment.path}#${position}`,
      actor,
      versions: { first: Math.min((before ?? 0) + 1, version), last: version },
      reason: entry.isDamaged
        ? checksumReason
        : 'the index of its actor says that it is another record: the file is damaged',
      raw: body,
      headers,
    }
  }

  #decode({ position, actor, headers, body, isDamaged }: LogEntry): LogRecord {
    const raw: RawRecord = {
      position,
      source: `${this.#environment.path}#${position}`,
      actor,
      body,
      header: name => headers[name],
      headers: () => ({ ...headers }),
    }
    const record = decodeRecord(raw)
    return isDamaged === true && record.kind === 'malformed'
      ? { ...record, reason: checksumReason }
      : record
  }
}

const checksumReason = 'it does not match its checksum: the file is damaged'

/**
 * Encodes a commit now, so that bad data is refused before it is queued. The record is encoded
 * again if it is stored after another version than assumed.
 */
function encodeRequest(
  commit: NewCommit,
): Pick<AppendRequest, 'events' | 'bytes' | 'encode'> {
  const { actor, events, firstVersion } = commit
  const envelope = encodeCommit(commit)
  const record = toLogRecord(actor, envelope)
  if (record.length > lmdbCommitBytesMax)
    throw new CairnError(
      'commit-too-large',
      `A commit of ${formatAddress(actor)} takes ${record.length} bytes, and the limit is ` +
        `${lmdbCommitBytesMax}: split it.`,
      { details: { limit: lmdbCommitBytesMax, actual: record.length } },
    )
  const encode = (version: Version) =>
    version + 1 === firstVersion
      ? record
      : toLogRecord(actor, renumber(envelope, version + 1, events.length))
  return { events: events.length, bytes: record.length, encode }
}

function toLogRecord(actor: ActorAddress, { headers, body }: EncodedRecord): Buffer {
  return encodeLogRecord(actor, Object.fromEntries(headers), body)
}
