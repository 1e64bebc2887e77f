// The read models of an embedded namespace: one table for all of them.
//
//   model, byte 0              → position, ahead, revision; position and id of the mark, if any
//   model, byte 1, key         → row
//   byte 0                     → the last revision of any model
//
// READMODEL-TABLE-1. A revision is never given twice, so a writer of before a drop cannot write on what came after it.
// READMODEL-TABLE-2. A drop first puts a checkpoint of revision 0 in place, which no write gives, and removes it with the last
//     rows. Until then every write is a conflict, and ends the drop, whose process may have died: rows are never folded on
//     those of which a drop has removed a part.
//
// LMDB-TABLES-1 to LMDB-TABLES-3 of table-access.ts hold here.

import type { RowRange, StoredCheckpoint } from '../read-models/read-models.js'
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

  /** The next chunk of a model's rows in a range: after the key that was read last, in its order. */
  rowsIn(
    model: string,
    { from = '', to, descending = false }: RowRange,
    after: string | undefined,
  ): (readonly [string, Buffer])[] {
    this.#access.refresh()
    const low = rowKey(model, from)
    const high = to === undefined ? endKey(model) : rowKey(model, to)
    const last = after === undefined ? undefined : rowKey(model, after)
    // Read backwards, a range begins at its upper end and has its lower one, too.
    const range = descending
      ? {
          start: last ?? high,
          exclusiveStart: true,
          end: low,
          inclusiveEnd: true,
          reverse: true,
        }
      : { start: last ? Buffer.concat([last, zeroByte]) : low, end: high }
    return [...this.#table.getRange({ ...range, limit: chunkRows })].map(
      ({ key, value }) => [
        key.subarray(rowKey(model, '').length).toString(),
        Buffer.from(value),
      ],
    )
  }

  /** Writes if the model is at `revision`; returns the new revision, else `undefined`. */
  async write(
    model: string,
    rows: readonly (readonly [string, Uint8Array | undefined])[],
    checkpoint: Omit<StoredCheckpoint, 'revision'>,
    revision: number,
  ): Promise<number | undefined> {
    const outcome = await this.#access.write(() => {
      const stored = this.#checkpoint(model)
      if (stored?.revision === 0) return 'dropping'
      if ((stored?.revision ?? 0) !== revision) return undefined
      for (const [key, bytes] of rows)
        if (bytes === undefined) this.#table.removeSync(rowKey(model, key))
        else this.#table.putSync(rowKey(model, key), Buffer.from(bytes))
      const next = this.#lastRevision(revision) + 1
      this.#table.putSync(revisionKey, encodeNumbers(next))
      this.#putCheckpoint(model, { ...checkpoint, revision: next })
      return next
    })
    if (outcome === 'dropping') await this.#removeRows(model) // READMODEL-TABLE-2.
    return outcome === 'dropping' ? undefined : outcome
  }

  async drop(model: string): Promise<void> {
    const isThere = await this.#access.write(() => {
      const revision = this.#checkpoint(model)?.revision
      const rows = { start: rowKey(model, ''), end: endKey(model), limit: 1 }
      if (revision === undefined && [...this.#table.getKeys(rows)].length === 0)
        return false
      this.#table.putSync(revisionKey, encodeNumbers(this.#lastRevision(revision ?? 0)))
      this.#putCheckpoint(model, { position: 0, ahead: 0, revision: 0 })
      return true
    })
    if (isThere) await this.#removeRows(model)
  }

  /** The rest of a drop, which several processes may do at the same time (READMODEL-TABLE-2). */
  async #removeRows(model: string): Promise<void> {
    for (let isDone = false; !isDone;)
      isDone = await this.#access.write(() => {
        if (this.#checkpoint(model)?.revision !== 0) return true
        const start = rowKey(model, '')
        const range = { start, end: endKey(model), limit: chunkRows }
        const keys = [...this.#table.getKeys(range)]
        for (const key of keys) this.#table.removeSync(key)
        if (keys.length === chunkRows) return false
        this.#table.removeSync(checkpointKey(model))
        return true
      })
  }

  /** READMODEL-TABLE-1: of a file of an earlier build, at least that of the model. */
  #lastRevision(known: number): number {
    const stored = this.#table.get(revisionKey)
    return Math.max(stored === undefined ? 0 : readNumber(stored, 0), known)
  }

  #putCheckpoint(
    model: string,
    { position, ahead, revision, mark }: StoredCheckpoint,
  ): void {
    const stored = [encodeNumbers(position, ahead, revision)]
    if (mark !== undefined)
      stored.push(encodeNumbers(mark.position), Buffer.from(mark.id))
    this.#table.putSync(checkpointKey(model), Buffer.concat(stored))
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
/** Before all models: their names are not empty. */
const revisionKey = zeroByte

function checkpointKey(model: string): Buffer {
  return Buffer.from(`${model}\u0000`)
}

function rowKey(model: string, key: string): Buffer {
  return Buffer.from(`${model}\u0001${key}`)
}

function endKey(model: string): Buffer {
  return Buffer.from(`${model}\u0002`)
}
