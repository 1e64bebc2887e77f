// The queues of an embedded namespace: one table for all of them.
//
//   queue, 0, position               → record
//   queue, 1                         → highest position assigned so far
//   queue, 2, hash of key and id     → position
//
// Owns one watcher for each queue, which reports records stored by any process.
// LMDB-TABLES-1 to LMDB-TABLES-3 of table-access.ts hold here.

import { createHash } from 'node:crypto'

import { decode, encode } from '../../codec/msgpack.js'
import type { Position } from '../../model/version.js'
import { encodeNumbers, readNumber } from './layout.js'
import { PositionWatcher } from './position-watcher.js'
import type { Table } from './table.js'
import type { TableAccess } from './table-access.js'

/** A decoded record of a queue. */
export interface StoredQueueRecord {
  readonly position: Position
  /** When it was stored, ms since 1970. */
  readonly at: number
  readonly key: readonly string[]
  readonly id: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

interface Added {
  readonly position: Position
  readonly duplicate: boolean
}

/** Records in one read, at most. */
const chunkRecords = 256

export class QueueTable {
  readonly #access: TableAccess
  readonly #queues: Table
  readonly #watchers = new Map<string, PositionWatcher>()

  constructor(access: TableAccess, queues: Table) {
    this.#access = access
    this.#queues = queues
  }

  /** Reports new records of a queue, stored by any process. */
  watcherOf(queue: string): PositionWatcher {
    const known = this.#watchers.get(queue)
    if (known !== undefined) return known
    const watcher = new PositionWatcher(() => this.lastPosition(queue))
    this.#watchers.set(queue, watcher)
    return watcher
  }

  lastPosition(queue: string): Position {
    this.#access.refresh()
    return this.lastPositionInTransaction(queue)
  }

  /** As `lastPosition`, within a transaction. */
  lastPositionInTransaction(queue: string): Position {
    const counter = this.#queues.get(counterKey(queue))
    return counter === undefined ? 0 : readNumber(counter, 0)
  }

  /** The next chunk of a queue's records after a position, in order; empty at the end. */
  recordsAfter(queue: string, after: Position): StoredQueueRecord[] {
    this.#access.refresh()
    const start = recordKey(queue, after + 1)
    const end = counterKey(queue)
    const range = this.#queues.getRange({ start, end, limit: chunkRecords })
    return [...range].map(({ key, value }) => decodeRecord(key, value))
  }

  async add(queue: string, record: Omit<StoredQueueRecord, 'position'>): Promise<Added> {
    const added = await this.write(() => this.addInTransaction(queue, record))
    this.watcherOf(queue).raise(added.position)
    return added
  }

  /** As `add`, within a transaction; the caller raises the queue's watcher after the commit. */
  addInTransaction(queue: string, record: Omit<StoredQueueRecord, 'position'>): Added {
    const known = this.#queues.get(idKey(queue, record))
    if (known !== undefined) return { position: readNumber(known, 0), duplicate: true }
    const position = this.lastPositionInTransaction(queue) + 1
    const { at, key, id, headers, body } = record
    this.#queues.putSync(
      recordKey(queue, position),
      Buffer.from(encode([at, key, id, headers, body])),
    )
    this.#queues.putSync(counterKey(queue), encodeNumbers(position))
    this.#queues.putSync(idKey(queue, record), encodeNumbers(position))
    return { position, duplicate: false }
  }

  async remove(queue: string, positions: readonly Position[]): Promise<void> {
    await this.write(() => {
      for (const position of positions) {
        const key = recordKey(queue, position)
        const value = this.#queues.get(key)
        if (value === undefined) continue
        this.#queues.removeSync(idKey(queue, decodeRecord(key, value)))
        this.#queues.removeSync(key)
      }
    })
  }

  /** Reads the table as any process has committed it so far. */
  read<T>(work: (queues: Table) => T): T {
    this.#access.refresh()
    return work(this.#queues)
  }

  /** Runs `work` in a write transaction. Throws as `TableAccess.write`. */
  write<T>(work: (queues: Table) => T): Promise<T> {
    return this.#access.write(() => work(this.#queues))
  }

  /** Stops the watchers. */
  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close()
  }
}

function recordKey(queue: string, position: Position): Buffer {
  return Buffer.concat([Buffer.from(`${queue}\0`), encodeNumbers(position)])
}

function counterKey(queue: string): Buffer {
  return Buffer.from(`${queue}\u0001`)
}

/** A hash: LMDB limits the length of keys, and ids may be longer. */
function idKey(
  queue: string,
  { key, id }: Pick<StoredQueueRecord, 'key' | 'id'>,
): Buffer {
  const hash = createHash('sha256')
    .update(JSON.stringify([...key, id]))
    .digest()
  return Buffer.concat([Buffer.from(`${queue}\u0002`), hash])
}

function decodeRecord(key: Buffer, value: Buffer): StoredQueueRecord {
  const position = readNumber(key, key.length - 8)
  const [at, names, id, headers, body] = decode(value) as [
    number,
    string[],
    string,
    Record<string, string>,
    Uint8Array,
  ]
  return { position, at, key: names, id, headers, body }
}
