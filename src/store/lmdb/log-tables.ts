// The tables of an embedded log (log, heads, index), read and written in memory-mapped pages.
//
// Everything here is synchronous and brief: a reader takes a bounded chunk and releases its
// snapshot, because an open snapshot keeps LMDB from reusing space. Records are never changed or
// removed, so nothing that was read can change between chunks.

import type { RootDatabase } from 'lmdb'

import type { ActorAddress } from '../../model/address.js'
import type { Position, Version } from '../../model/version.js'
import { damagedEntry, damagedFile } from './errors.js'
import {
  decodeHead,
  decodeLogRecord,
  decodeRun,
  encodeHead,
  entriesOfRun,
  extendRun,
  headKey,
  headRange,
  indexKey,
  keyAfter,
  layoutWithRuns,
  parseHeadKey,
  parseIndexKey,
  parsePositionKey,
  positionKey,
  runEntriesMax,
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
  readonly layout: number
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
  readonly #layout: number

  constructor({ path, root, log, heads, index, layout }: LogTableSet) {
    this.#path = path
    this.#layout = layout
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
    return value === undefined ? undefined : decodeHead(value, this.#layout)
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
    const start = indexKey(head.actorNumber, after.version, after.position + 1)
    const range = { start, end: this.#endOfRows(head), limit: this.#chunkRows }
    const entries: VersionPosition[] = []
    for (const { key, value } of this.#index.getRange(range))
      for (const entry of this.#entriesOf(key, value))
        if (compareEntries(entry, after) > 0) entries.push(entry)
    if (entries.length > 0) return entries
    return this.#recentOf(head).filter(entry => compareEntries(entry, after) > 0)
  }

  /** The next chunk of an actor's index, newest first: `upTo` and older. */
  indexBack(head: StoredHead, upTo: VersionPosition): VersionPosition[] {
    const isIncluded = (entry: VersionPosition) => compareEntries(entry, upTo) <= 0
    const recent = this.#recentOf(head).filter(isIncluded)
    if (recent.length > 0) return recent.reverse()
    const { actorNumber } = head
    // The row that begins before `upTo` and does not end before it.
    const around = {
      start: indexKey(actorNumber, upTo.version, upTo.position),
      end: this.#endOfRows(head),
      limit: 1,
    }
    const before = {
      start: indexKey(actorNumber, upTo.version, Math.max(upTo.position - 1, 0)),
      end: indexKey(actorNumber, 0, 0),
      reverse: true,
      limit: this.#chunkRows,
    }
    const entries: VersionPosition[] = []
    for (const { key, value } of this.#index.getRange(around))
      entries.push(...this.#entriesOf(key, value).filter(isIncluded).reverse())
    for (const { key, value } of this.#index.getRange(before))
      entries.push(...this.#entriesOf(key, value).reverse())
    return entries
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
    const run =
      this.#layout < layoutWithRuns
        ? this.#putRow(actorNumber, { version, position }, noBytes)
        : head && this.#continueRun(head, version, position)
    const key = headKey(actor)
    this.#heads.putSync(key, encodeHead({ actorNumber, version, position, run }))
  }

  /** The run that ends with a new entry after `head`. */
  #continueRun(head: StoredHead, version: Version, position: Position): Buffer {
    const { actorNumber, run = noBytes } = head
    const isAfter = version >= head.version
    if (isAfter && entriesOfRun(run) < runEntriesMax)
      return extendRun(run, version - head.version, position - head.position)
    if (isAfter) this.#putRow(actorNumber, head, run)
    // A record that another program stored may name a version that has passed. Each entry gets its place in the order.
    else
      for (const entry of decodeRun(head, run)) this.#putRow(actorNumber, entry, noBytes)
    return noBytes
  }

  #putRow(actorNumber: Position, last: VersionPosition, run: Buffer): undefined {
    this.#index.putSync(indexKey(actorNumber, last.version, last.position), run)
  }

  /** The entries that are in no row, oldest first; none before layout 3. */
  #recentOf({ version, position, run }: StoredHead): VersionPosition[] {
    return run === undefined ? [] : decodeRun({ version, position }, run)
  }

  #entriesOf(key: Buffer, value: Buffer): VersionPosition[] {
    try {
      return decodeRun(parseIndexKey(key), value)
    } catch {
      throw damagedEntry(this.#path, 'index', key)
    }
  }

  /** The first key after an actor's rows, as far as they were rows when `head` was read. */
  #endOfRows(head: StoredHead): Buffer {
    const { actorNumber, version, position } = head
    const [oldest] = this.#recentOf(head)
    return oldest === undefined
      ? indexKey(actorNumber, version, position + 1)
      : indexKey(actorNumber, oldest.version, oldest.position)
  }

  get #chunkRows(): number {
    return this.#layout < layoutWithRuns ? chunkEntries : chunkEntries / runEntriesMax
  }
}

function compareEntries(a: VersionPosition, b: VersionPosition): number {
  return a.version - b.version || a.position - b.position
}

const noBytes = Buffer.alloc(0)
