// The table of read models beside an embedded log.
//
//   <model>, byte 0              position, ahead, revision
//   <model>, byte 1, <key>       a row
//
// V1. A write is one LMDB transaction, flushed before it is answered; what it rests on is read
//     within it.
// V2. Nothing is read or written once closed: LMDB must not be touched then.

import type { RootDatabase } from 'lmdb'

import { CairnError, messageOf } from '../../model/errors.js'
import { packNumbers, readNumber } from './layout.js'
import type { Table } from './tables.js'

export interface StoredCheckpointRecord {
  readonly position: number
  readonly ahead: number
  readonly revision: number
}

/** Rows read or removed at a time: a snapshot is not held for longer. */
const chunkRows = 256

export class ReadModelTables {
  readonly #root: RootDatabase<Buffer, Buffer>
  readonly #views: Table
  readonly #path: string
  #closed = false

  constructor(root: RootDatabase<Buffer, Buffer>, views: Table, path: string) {
    this.#root = root
    this.#views = views
    this.#path = path
  }

  place(model: string): StoredCheckpointRecord | undefined {
    this.#refresh()
    return this.#place(model)
  }

  rows(model: string, keys: readonly string[]): (Buffer | undefined)[] {
    this.#refresh()
    return keys.map(key => {
      const stored = this.#views.get(rowKey(model, key))
      return stored && Buffer.from(stored)
    })
  }

  /** A chunk of a model's rows behind a key, in the order of their bytes. */
  rowsAfter(model: string, after: string): (readonly [string, Buffer])[] {
    this.#refresh()
    const start = Buffer.concat([rowKey(model, after), nothing])
    return [...this.#views.getRange({ start, end: endKey(model), limit: chunkRows })].map(
      ({ key, value }) => [
        key.subarray(rowKey(model, '').length).toString(),
        Buffer.from(value),
      ],
    )
  }

  /** V1. The new revision, or `undefined` where the model is at another one. */
  write(
    model: string,
    rows: readonly (readonly [string, Uint8Array | undefined])[],
    place: Omit<StoredCheckpointRecord, 'revision'>,
    revision: number,
  ): Promise<number | undefined> {
    return this.#write(() => {
      if ((this.#place(model)?.revision ?? 0) !== revision) return undefined
      for (const [key, bytes] of rows)
        if (bytes === undefined) this.#views.removeSync(rowKey(model, key))
        else this.#views.putSync(rowKey(model, key), Buffer.from(bytes))
      const { position, ahead } = place
      const stored = packNumbers(position, ahead, revision + 1)
      this.#views.putSync(placeKey(model), stored)
      return revision + 1
    })
  }

  /** The place goes last: what dies in between is found and dropped again. */
  async drop(model: string): Promise<void> {
    for (let left = chunkRows; left === chunkRows;)
      left = await this.#write(() => {
        const start = rowKey(model, '')
        const range = { start, end: endKey(model), limit: chunkRows }
        const keys = [...this.#views.getKeys(range)]
        for (const key of keys) this.#views.removeSync(key)
        return keys.length
      })
    await this.#write(() => this.#views.removeSync(placeKey(model)))
  }

  close(): void {
    this.#closed = true
  }

  #place(model: string): StoredCheckpointRecord | undefined {
    const stored = this.#views.get(placeKey(model))
    if (stored === undefined) return undefined
    const [position, ahead, revision] = [0, 8, 16].map(at => readNumber(stored, at))
    return { position: position!, ahead: ahead!, revision: revision! }
  }

  #refresh(): void {
    this.#assertOpen()
    this.#root.resetReadTxn()
  }

  #assertOpen(): void {
    if (!this.#closed) return
    throw new CairnError('store-closed', `${this.#path} is closed: open it again.`)
  }

  async #write<T>(work: () => T): Promise<T> {
    this.#assertOpen()
    try {
      return await this.#root.childTransaction(work)
    } catch (cause) {
      throw new CairnError(
        'storage-failed',
        `${this.#path} could not be written: ${messageOf(cause)}. Nothing of this was stored. ` +
          'Check the space left on its disk and the health of the disk.',
        { cause, details: { path: this.#path } },
      )
    }
  }
}

const nothing = Buffer.from([0])

function placeKey(model: string): Buffer {
  return Buffer.from(`${model}\u0000`)
}

function rowKey(model: string, key: string): Buffer {
  return Buffer.from(`${model}\u0001${key}`)
}

function endKey(model: string): Buffer {
  return Buffer.from(`${model}\u0002`)
}
