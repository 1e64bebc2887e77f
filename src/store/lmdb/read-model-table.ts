// The read models of an embedded namespace: one table for all of them.
//
//   model, byte 0              → position, ahead, revision; position and id of the mark, if any
//   model, byte 1, key         → row
//
// LMDB-TABLES-1 to LMDB-TABLES-3 of table-access.ts hold here.

import type { StoredCheckpoint } from '../read-models/read-models.js'
import { encodeNumbers, readNumber } from './layout.js'
import type { Table } from './table.js'
import type { TableAccess } from './table-access.js'

/** Rows read or removed at a time, so that no LMDB snapshot is held for long. */
const chunkRows = 256

export class ReadModelTable {
  readonly #access: TableAccess
  readonly #table: Table

  constructor(access: TableAccess, table: Table) {
    this.#access = access
    this.#table = table
  }

  checkpoint(model: string): StoredCheckpoint | undefined {
    this.#access.refresh()
    return this.#checkpoint(model)
  }

  rows(model: string, keys: readonly string[]): (Buffer | undefined)[] {
    this.#access.refresh()
    return keys.map(key => {
      const stored = this.#table.get(rowKey(model, key))
      return stored && Buffer.from(stored)
    })
  }

  /** The next chunk of a model's rows after a key, in the byte order of their keys. */
  rowsAfter(model: string, after: string): (readonly [string, Buffer])[] {
    this.#access.refresh()
    const start = Buffer.concat([rowKey(model, after), zeroByte])
    return [...this.#table.getRange({ start, end: endKey(model), limit: chunkRows })].map(
      ({ key, value }) => [
        key.subarray(rowKey(model, '').length).toString(),
        Buffer.from(value),
      ],
    )
  }

  /** Writes if the model is at `revision`; returns the new revision, else `undefined`. */
  write(
    model: string,
    rows: readonly (readonly [string, Uint8Array | undefined])[],
    checkpoint: Omit<StoredCheckpoint, 'revision'>,
    revision: number,
  ): Promise<number | undefined> {
    return this.#access.write(() => {
      if ((this.#checkpoint(model)?.revision ?? 0) !== revision) return undefined
      for (const [key, bytes] of rows)
        if (bytes === undefined) this.#table.removeSync(rowKey(model, key))
        else this.#table.putSync(rowKey(model, key), Buffer.from(bytes))
      const { position, ahead, mark } = checkpoint
      const stored = [encodeNumbers(position, ahead, revision + 1)]
      if (mark !== undefined)
        stored.push(encodeNumbers(mark.position), Buffer.from(mark.id))
      this.#table.putSync(checkpointKey(model), Buffer.concat(stored))
      return revision + 1
    })
  }

  /** Removes the checkpoint last, so that a drop that was interrupted can be repeated. */
  async drop(model: string): Promise<void> {
    for (let removed = chunkRows; removed === chunkRows;)
      removed = await this.#access.write(() => {
        const start = rowKey(model, '')
        const range = { start, end: endKey(model), limit: chunkRows }
        const keys = [...this.#table.getKeys(range)]
        for (const key of keys) this.#table.removeSync(key)
        return keys.length
      })
    await this.#access.write(() => this.#table.removeSync(checkpointKey(model)))
  }

  #checkpoint(model: string): StoredCheckpoint | undefined {
    const stored = this.#table.get(checkpointKey(model))
    if (stored === undefined) return undefined
    const [position, ahead, revision] = [0, 8, 16].map(at => readNumber(stored, at))
    const known = { position: position!, ahead: ahead!, revision: revision! }
    if (stored.length <= markAt + 8) return known
    const mark = {
      position: readNumber(stored, markAt),
      id: stored.toString('utf8', markAt + 8),
    }
    return { ...known, mark }
  }
}

/** Where the mark begins in a checkpoint; those of older builds have none. */
const markAt = 24

const zeroByte = Buffer.from([0])

function checkpointKey(model: string): Buffer {
  return Buffer.from(`${model}\u0000`)
}

function rowKey(model: string, key: string): Buffer {
  return Buffer.from(`${model}\u0001${key}`)
}

function endKey(model: string): Buffer {
  return Buffer.from(`${model}\u0002`)
}
