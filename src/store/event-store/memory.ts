// The reference event store: in this process, lost when it ends. The contract suite holds the
// durable stores to the same behavior.
//
// It keeps encoded records like the others, so that data passes the same checks and no stored
// value is shared with a caller.

import {
  encodedBytes,
  decodeRecord,
  encodeCommit,
  type EncodedRecord,
  type RawRecord,
} from '../../codec/envelope.js'
import {
  type ActorAddress,
  checkActorType,
  checkAddress,
  formatAddress,
} from '../../model/address.js'
import type { LogRecord, NewCommit } from '../../model/commit.js'
import type { NewEvent } from '../../model/event.js'
import { meetsExpectation, type Position, type Version } from '../../model/version.js'
import { throwIfAborted } from '../../model/wait.js'
import { appended, checkAppend, conflict, nextCommit } from './append.js'
import { StoreBase, type StoreOptions } from './store-base.js'
import { Turns } from '../turns.js'
import { WakeSignal } from '../wake-signal.js'
import { checkCommitsOptions, isOfTypes } from './read.js'
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

interface MemoryRecord {
  readonly actor: ActorAddress
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

interface MemoryActor {
  readonly address: ActorAddress
  version: Version
  /** The positions of all records of the actor, in order. */
  readonly positions: Position[]
}

/** A namespace's log, shared by all stores that are open on it. */
export class MemoryLog {
  readonly records: MemoryRecord[] = []
  readonly actors = new Map<string, MemoryActor>()
  readonly wakeSignal = new WakeSignal()

  /** Adds a record without a check; tests use it to store invalid records. */
  push(
    actor: ActorAddress,
    version: Version,
    headers: Record<string, string>,
    body: Uint8Array,
  ): Position {
    const position = this.records.push({ actor, headers, body })
    const key = formatAddress(actor)
    const known = this.actors.get(key)
    if (known === undefined)
      this.actors.set(key, { address: actor, version, positions: [position] })
    else {
      known.version = Math.max(known.version, version)
      known.positions.push(position)
    }
    this.wakeSignal.raise(position)
    return position
  }

  at(position: Position): LogRecord {
    const { actor, headers, body } = this.records[position - 1]!
    const raw: RawRecord = {
      position,
      source: `memory:${formatAddress(actor)}`,
      actor,
      body,
      header: name => headers[name],
      headers: () => ({ ...headers }),
    }
    return decodeRecord(raw)
  }
}

export interface MemoryStoreOptions extends StoreOptions {
  readonly log: MemoryLog
}

export class MemoryStore extends StoreBase {
  readonly #log: MemoryLog
  readonly #turns = new Turns()

  constructor(options: MemoryStoreOptions) {
    super(options)
    this.#log = options.log
  }

  async append(
    actor: ActorAddress,
    events: readonly NewEvent[],
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    this.assertOpen()
    const expected = checkAppend(actor, options)
    const cached = this.cache.lookup(actor)
    const { version, position } = this.#headOf(actor)
    if (cached?.version !== version) this.#refreshCache(actor, version, position)
    const commit = nextCommit(this.nodeId, actor, version, events, options)
    const { headers, body } = encodeCommit(commit)
    if (!meetsExpectation(expected, version)) return conflict(actor, expected, version)
    const last = version + events.length
    const { type, id } = actor
    const stored = this.#log.push({ type, id }, last, Object.fromEntries(headers), body)
    this.cache.advance(actor, last, stored)
    const turn = this.#turns.next()
    if (turn !== undefined) await turn
    return appended(commit, stored)
  }

  /** No other append runs between the version check and the last push: nothing is awaited between them. */
  async appendAll(
    parts: readonly AppendPart[],
    options: AppendAllOptions = {},
  ): Promise<AppendAllResult> {
    this.assertOpen()
    const transaction = checkTransaction(parts, options)
    const versionOf = (actor: ActorAddress) => {
      const cached = this.cache.lookup(actor)
      const { version, position } = this.#headOf(actor)
      if (cached?.version !== version) this.#refreshCache(actor, version, position)
      return version
    }
    const commits = transaction.parts.map(part =>
      partCommit(this.nodeId, part, this.#headOf(part.actor).version, transaction),
    )
    const all = [...commits, ...guardCommits(this.nodeId, transaction)]
    const envelopes = all.map(encodeCommit)
    checkTransactionBytes(envelopes.map(encodedBytes))
    const conflicts = conflictsOf(transaction, versionOf)
    if (conflicts.length > 0) return { ok: false, conflicts }
    const positions = all.map((commit, i) => this.#push(commit, envelopes[i]!))
    const result = commits.map((commit, i) => appended(commit, positions[i]!))
    for (const { actor, version, position } of result)
      this.cache.advance(actor, version, position)
    await this.#turns.next()
    return { ok: true, transactionId: transaction.id, appended: result }
  }

  #push({ actor, firstVersion, events }: NewCommit, envelope: EncodedRecord): Position {
    const last = firstVersion + events.length - 1
    return this.#log.push(
      actor,
      last,
      Object.fromEntries(envelope.headers),
      envelope.body,
    )
  }

  async head(actor: ActorAddress, options: { signal?: AbortSignal } = {}): Promise<Head> {
    this.assertOpen()
    checkAddress(actor)
    throwIfAborted(options.signal, `reading the head of ${formatAddress(actor)}`)
    const turn = this.#turns.next()
    if (turn !== undefined) await turn
    const { version, position } = this.#headOf(actor)
    this.#refreshCache(actor, version, position)
    return position === 0
      ? { version, position }
      : { version, position, last: this.#log.at(position) }
  }

  async *commits(
    actor: ActorAddress,
    options: CommitsOptions = {},
  ): AsyncGenerator<LogRecord> {
    this.assertOpen()
    checkCommitsOptions(options)
    const { from = 1, to = Infinity, backwards = false, signal } = options
    const known = this.#log.actors.get(formatAddress(checkAddress(actor)))
    if (!backwards && to < from) return
    const positions = known?.positions.slice() ?? []
    if (backwards) positions.reverse()
    for (const position of positions) {
      throwIfAborted(signal, `reading ${formatAddress(actor)}`)
      const record = this.#log.at(position)
      const last = record.kind === 'commit' ? record.lastVersion : record.versions?.last
      if (last === undefined || last >= from) yield record
      else if (backwards) return
      if (!backwards && last !== undefined && last >= to) return
    }
  }

  async *actors(
    options: { type?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<ActorAddress> {
    this.assertOpen()
    if (options.type !== undefined) checkActorType(options.type)
    for (const { address } of this.#log.actors.values()) {
      throwIfAborted(options.signal, 'listing actors')
      if (options.type === undefined || options.type === address.type) yield address
    }
  }

  async lastPosition(options: { signal?: AbortSignal } = {}): Promise<Position> {
    this.assertOpen()
    throwIfAborted(options.signal, 'reading the last position')
    return this.#log.records.length
  }

  knownPosition(): Position {
    return this.#log.records.length
  }

  protected async *scan(
    after: Position,
    types: readonly string[] | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<LogRecord, Position> {
    let position = after
    while (position < this.#log.records.length && !signal.aborted) {
      const { actor } = this.#log.records[position++]!
      if (isOfTypes(actor, types)) yield this.#log.at(position)
    }
    return position
  }

  protected waitBeyond(after: Position, signal: AbortSignal): Promise<void> {
    return this.#log.wakeSignal.wait(after, 60_000, signal)
  }

  #headOf(actor: ActorAddress): { version: Version; position: Position } {
    const known = this.#log.actors.get(formatAddress(actor))
    return { version: known?.version ?? 0, position: known?.positions.at(-1) ?? 0 }
  }

  #refreshCache(actor: ActorAddress, version: Version, position: Position): void {
    this.cache.refresh(actor, { version, position }, this.cache.snapshot(actor))
  }
}
