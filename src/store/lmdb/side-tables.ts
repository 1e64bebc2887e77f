// The tables beside an embedded log: its queues, and its documents.
//
// Owns one watch a queue, which tells of records that any process has put.
// S1. Each write is one LMDB transaction, flushed before it is answered.
// S2. What a write rests on is read within its transaction, which no other writer shares.
// S3. Nothing is read or written once closed: LMDB must not be touched then.

import { createHash } from 'node:crypto'

import type { RootDatabase } from 'lmdb'

import { decode, encode } from '../../codec/msgpack.js'
import { CairnError, messageOf } from '../../model/errors.js'
import type { Position } from '../../model/version.js'
import { packNumbers, readNumber } from './layout.js'
import type { Table } from './tables.js'
import { Watch } from './watch.js'

/** A queued record, taken apart. */
export interface SideRecord {
  readonly position: Position
  readonly at: number
  readonly key: readonly string[]
  readonly id: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

const chunkEntries = 256

interface Added {
  readonly position: Position
  readonly duplicate: boolean
}

export class SideTables {
  readonly #root: RootDatabase<Buffer, Buffer>
  readonly #queues: Table
  readonly #documents: Table
  readonly #path: string
  readonly #watches = new Map<string, Watch>()
  #closed = false

  constructor(
    root: RootDatabase<Buffer, Buffer>,
    queues: Table,
    documents: Table,
    path: string,
  ) {
    this.#root = root
    this.#queues = queues
    this.#documents = documents
    this.#path = path
  }

  /** Tells of new records of a queue, by whichever process. */
  watchOf(queue: string): Watch {
    const known = this.#watches.get(queue)
    if (known !== undefined) return known
    const watch = new Watch(() => this.lastPosition(queue))
    this.#watches.set(queue, watch)
    return watch
  }

  lastPosition(queue: string): Position {
    this.#refresh()
    return this.count(queue)
  }

  /** A chunk of a queue's records behind a position. */
  recordsAfter(queue: string, after: Position): SideRecord[] {
    this.#refresh()
    const start = recordKey(queue, after + 1)
    const end = counterKey(queue)
    const range = this.#queues.getRange({ start, end, limit: chunkEntries })
    return [...range].map(({ key, value }) => parse(key, value))
  }

  async add(queue: string, record: Omit<SideRecord, 'position'>): Promise<Added> {
    const added = await this.write(() => this.addWithin(queue, record))
    this.watchOf(queue).ring(added.position)
    return added
  }

  /** As `add`, within a transaction; whoever calls it rings for it. */
  addWithin(queue: string, record: Omit<SideRecord, 'position'>): Added {
    const known = this.#queues.get(idKey(queue, record))
    if (known !== undefined) return { position: readNumber(known, 0), duplicate: true }
    const position = this.count(queue) + 1
    const { at, key, id, headers, body } = record
    this.#queues.putSync(
      recordKey(queue, position),
      Buffer.from(encode([at, key, id, headers, body])),
    )
    this.#queues.putSync(counterKey(queue), packNumbers(position))
    this.#queues.putSync(idKey(queue, record), packNumbers(position))
    return { position, duplicate: false }
  }

  async remove(queue: string, positions: readonly Position[]): Promise<void> {
    await this.write(() => {
      for (const position of positions) {
        const key = recordKey(queue, position)
        const value = this.#queues.get(key)
        if (value === undefined) continue
        this.#queues.removeSync(idKey(queue, parse(key, value)))
        this.#queues.removeSync(key)
      }
    })
  }

  document(name: string): { value: Uint8Array; revision: number } | undefined {
    this.#refresh()
    return this.#document(name)
  }

  /** The names of the documents that begin with `start`. */
  documentNames(start: string): string[] {
    this.#refresh()
    const names: string[] = []
    for (const key of this.#documents.getKeys({ start: Buffer.from(start) })) {
      const name = key.toString()
      if (!name.startsWith(start)) break
      names.push(name)
    }
    return names
  }

  /** Stores if the document is at `revision`; the new revision, or `undefined`. */
  putDocument(
    name: string,
    value: Uint8Array,
    revision: number,
  ): Promise<number | undefined> {
    return this.write(() => {
      if ((this.#document(name)?.revision ?? 0) !== revision) return undefined
      const stored = Buffer.concat([packNumbers(revision + 1), value])
      this.#documents.putSync(Buffer.from(name), stored)
      return revision + 1
    })
  }

  close(): void {
    this.#closed = true
    for (const watch of this.#watches.values()) watch.close()
  }

  /** Within a transaction. */
  count(queue: string): Position {
    const counter = this.#queues.get(counterKey(queue))
    return counter === undefined ? 0 : readNumber(counter, 0)
  }

  #document(name: string): { value: Uint8Array; revision: number } | undefined {
    const stored = this.#documents.get(Buffer.from(name))
    if (stored === undefined) return undefined
    return { revision: readNumber(stored, 0), value: Buffer.from(stored.subarray(8)) }
  }

  /** Makes the read that follows see everything that any process has committed by now. */
  #refresh(): void {
    this.#assertOpen()
    this.#root.resetReadTxn()
  }

  #assertOpen(): void {
    if (!this.#closed) return
    throw new CairnError('store-closed', `${this.#path} is closed: open it again.`)
  }

  /** Reads what any process has committed by now. */
  read<T>(work: (queues: Table) => T): T {
    this.#refresh()
    return work(this.#queues)
  }

  /** S1 and S2. */
  async write<T>(work: (queues: Table) => T): Promise<T> {
    this.#assertOpen()
    try {
      return await this.#root.childTransaction(() => work(this.#queues))
    } catch (cause) {
      if (cause instanceof CairnError) throw cause
      throw new CairnError(
        'storage-failed',
        `${this.#path} could not be written: ${messageOf(cause)}. Nothing of this was stored. ` +
          'Check the space left on its disk and the health of the disk.',
        { cause, details: { path: this.#path } },
      )
    }
  }
}

function recordKey(queue: string, position: Position): Buffer {
  return Buffer.concat([Buffer.from(`${queue}\0`), packNumbers(position)])
}

function counterKey(queue: string): Buffer {
  return Buffer.from(`${queue}\u0001`)
}

/** A hash, since keys of LMDB are short and ids need not be. */
function idKey(queue: string, { key, id }: Pick<SideRecord, 'key' | 'id'>): Buffer {
  const hash = createHash('sha256')
    .update(JSON.stringify([...key, id]))
    .digest()
  return Buffer.concat([Buffer.from(`${queue}\u0002`), hash])
}

function parse(key: Buffer, value: Buffer): SideRecord {
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
