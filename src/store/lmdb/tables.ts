// The tables of an embedded log, read and written in memory-mapped pages.
//
// Everything here is synchronous and brief: a reader takes a bounded chunk and lets its
// snapshot go, since a snapshot that is held keeps LMDB from reusing space. Between chunks
// nothing can change under a reader, because records are never changed or removed.

import type { Database, RootDatabase } from 'lmdb'

import type { ActorAddress } from '../../model/address.js'
import { CairnError } from '../../model/errors.js'
import type { Position, Version } from '../../model/version.js'
import {
  headKey,
  headRange,
  indexKey,
  keyAfter,
  packHead,
  parseHead,
  parseHeadKey,
  parseIndexKey,
  parsePositionKey,
  parseRecord,
  type VersionPosition,
  positionKey,
  type StoredHead,
  type StoredRecord,
} from './layout.js'

export type Table = Database<Buffer, Buffer>

export interface TableSet {
  readonly root: RootDatabase<Buffer, Buffer>
  readonly log: Table
  readonly heads: Table
  readonly index: Table
}

/** A record with its place. */
export interface LogEntry extends StoredRecord {
  readonly position: Position
}

/** Entries and bytes of one chunk, at most; a chunk holds at least one entry. */
const chunkEntries = 256
const chunkBytes = 1024 * 1024

export class Tables {
  readonly #root: RootDatabase<Buffer, Buffer>
  readonly #log: Table
  readonly #heads: Table
  readonly #index: Table

  constructor({ root, log, heads, index }: TableSet) {
    this.#root = root
    this.#log = log
    this.#heads = heads
    this.#index = index
  }

  /** Makes the reads that follow see everything that any process has committed by now. */
  refresh(): this {
    this.#root.resetReadTxn()
    return this
  }

  lastPosition(): Position {
    for (const key of this.#log.getKeys({ reverse: true, limit: 1 }))
      return parsePositionKey(key)
    return 0
  }

  head(actor: ActorAddress): StoredHead | undefined {
    const value = this.#heads.get(headKey(actor))
    return value === undefined ? undefined : parseHead(value)
  }

  record(position: Position): LogEntry {
    const value = this.#log.get(positionKey(position))
    if (value !== undefined) return { position, ...parseRecord(value) }
    throw new CairnError(
      'storage-failed',
      `Record ${position} is missing from the log although its actor's index names it: ` +
        'the file is damaged. Restore it from a backup.',
      { details: { position } },
    )
  }

  /** A chunk of the records behind a position, in order; empty at the end of the log. */
  recordsAfter(after: Position): LogEntry[] {
    const entries: LogEntry[] = []
    let bytes = 0
    const start = positionKey(after + 1)
    for (const { key, value } of this.#log.getRange({ start, limit: chunkEntries })) {
      entries.push({ position: parsePositionKey(key), ...parseRecord(value) })
      bytes += value.length
      if (bytes >= chunkBytes) break
    }
    return entries
  }

  /** A chunk of an actor's index, oldest first: behind `after`, up to the head. */
  indexFrom(head: StoredHead, after: VersionPosition): VersionPosition[] {
    const { actorNumber, version, position } = head
    const start = indexKey(actorNumber, after.version, after.position + 1)
    const end = indexKey(actorNumber, version, position + 1)
    const keys = this.#index.getKeys({ start, end, limit: chunkEntries })
    return [...keys].map(parseIndexKey)
  }

  /** A chunk of an actor's index, newest first: at `upTo` and before. */
  indexBack({ actorNumber }: StoredHead, upTo: VersionPosition): VersionPosition[] {
    const start = indexKey(actorNumber, upTo.version, upTo.position)
    const end = indexKey(actorNumber, 0, 0)
    const options = { start, end, reverse: true, limit: chunkEntries }
    return [...this.#index.getKeys(options)].map(parseIndexKey)
  }

  /** A chunk of the actors that have a record, and where the next one begins. */
  actors(
    type: string | undefined,
    from: Buffer | undefined,
  ): { actors: ActorAddress[]; next: Buffer | undefined } {
    const { start, end } = headRange(type)
    const limit = chunkEntries
    const keys = [...this.#heads.getKeys({ start: from ?? start, end, limit })]
    const last = keys.length === limit ? keys.at(-1) : undefined
    return { actors: keys.map(parseHeadKey), next: last && keyAfter(last) }
  }

  /** Stores a record. Only within a write transaction. */
  put(
    actor: ActorAddress,
    before: StoredHead | undefined,
    position: Position,
    version: Version,
    record: Buffer,
  ): void {
    const actorNumber = before?.actorNumber ?? position
    this.#log.putSync(positionKey(position), record, { append: true })
    this.#index.putSync(indexKey(actorNumber, version, position), nothing)
    this.#heads.putSync(headKey(actor), packHead({ actorNumber, version, position }))
  }
}

const nothing = Buffer.alloc(0)
