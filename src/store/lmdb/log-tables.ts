// The tables of an embedded log (log, heads, index), read and written in memory-mapped pages.
//
// Everything here is synchronous and brief: a reader takes a bounded chunk and releases its
// snapshot, because an open snapshot keeps LMDB from reusing space. Records are never changed or
// removed, so nothing that was read can change between chunks.

import type { RootDatabase } from 'lmdb'

import type { ActorAddress } from '../../model/address.js'
import type { Position, Version } from '../../model/version.js'
import { damagedFile } from './errors.js'
import {
  decodeHead,
  decodeLogRecord,
  encodeHead,
  headKey,
  headRange,
  indexKey,
  keyAfter,
  parseHeadKey,
  parseIndexKey,
  parsePositionKey,
  positionKey,
  type StoredHead,
  type StoredRecord,
  type VersionPosition,
} from './layout.js'
import type { Table } from './table.js'

export interface LogTableSet {
  readonly path: string
  readonly root: RootDatabase<Buffer, Buffer>
  readonly log: Table
  readonly heads: Table
  readonly index: Table
}

/** A record with its position. */
export interface LogEntry extends StoredRecord {
  readonly position: Position
}

/** Entries and bytes of one chunk, at most. A chunk holds at least one entry. */
const chunkEntries = 256
const chunkBytes = 1024 * 1024

export class LogTables {
  readonly #path: string
  readonly #root: RootDatabase<Buffer, Buffer>
  readonly #log: Table
  readonly #heads: Table
  readonly #index: Table

  constructor({ path, root, log, heads, index }: LogTableSet) {
    this.#path = path
    this.#root = root
    this.#log = log
    this.#heads = heads
    this.#index = index
  }

  /** Lets the reads that follow see every commit of any process so far. */
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
    return value === undefined ? undefined : decodeHead(value)
  }

  record(position: Position): LogEntry {
    const found = this.#log.check(positionKey(position))
    if (found !== undefined)
      return { position, ...decodeLogRecord(found.value, found.isDamaged) }
    throw damagedFile(
      this.#path,
      `record ${position} is missing from the log although its actor's index refers to it`,
      { position },
    )
  }

  /** The records at these positions, in their order: as many as fit a chunk, and one at least. */
  recordsAt(positions: readonly { readonly position: Position }[]): LogEntry[] {
    const entries: LogEntry[] = []
    let bytes = 0
    for (const { position } of positions) {
      const entry = this.record(position)
      entries.push(entry)
      bytes += entry.body.length
      if (bytes >= chunkBytes) break
    }
    return entries
  }

  /** The next chunk of records after a position, in order; empty at the end of the log. */
  recordsAfter(after: Position): LogEntry[] {
    const entries: LogEntry[] = []
    let bytes = 0
    const start = positionKey(after + 1)
    const range = { start, limit: chunkEntries }
    for (const { key, value, isDamaged } of this.#log.checkRange(range)) {
      entries.push({
        position: parsePositionKey(key),
        ...decodeLogRecord(value, isDamaged),
      })
      bytes += value.length
      if (bytes >= chunkBytes) break
    }
    return entries
  }

  /** The next chunk of an actor's index, oldest first: after `after`, up to the head. */
  indexFrom(head: StoredHead, after: VersionPosition): VersionPosition[] {
    const { actorNumber, version, position } = head
    const start = indexKey(actorNumber, after.version, after.position + 1)
    const end = indexKey(actorNumber, version, position + 1)
    const keys = this.#index.getKeys({ start, end, limit: chunkEntries })
    return [...keys].map(parseIndexKey)
  }

  /** The next chunk of an actor's index, newest first: `upTo` and older. */
  indexBack({ actorNumber }: StoredHead, upTo: VersionPosition): VersionPosition[] {
    const start = indexKey(actorNumber, upTo.version, upTo.position)
    const end = indexKey(actorNumber, 0, 0)
    const options = { start, end, reverse: true, limit: chunkEntries }
    return [...this.#index.getKeys(options)].map(parseIndexKey)
  }

  /** The next chunk of actors that have a record, and the first key of the chunk after it. */
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

  /** Stores a record after the actor's `head`. Only within a write transaction. */
  append(
    actor: ActorAddress,
    head: StoredHead | undefined,
    position: Position,
    version: Version,
    record: Buffer,
  ): void {
    const actorNumber = head?.actorNumber ?? position
    this.#log.putSync(positionKey(position), record, { append: true })
    this.#index.putSync(indexKey(actorNumber, version, position), noBytes)
    this.#heads.putSync(headKey(actor), encodeHead({ actorNumber, version, position }))
  }
}

const noBytes = Buffer.alloc(0)
