// Read models of an embedded namespace: a table beside its log, in the same file.

import { decode, encode } from '../../codec/msgpack.js'
import type { ReadModelTables } from '../lmdb/read-model-tables.js'
import { throwIfAborted } from '../../model/wait.js'
import { initialCheckpoint, type ReadModel, type ReadModels } from './read-models.js'

export class LmdbReadModels implements ReadModels {
  readonly #tables: ReadModelTables

  constructor(tables: ReadModelTables) {
    this.#tables = tables
  }

  open(name: string): ReadModel {
    const tables = this.#tables
    return {
      checkpoint: async () => tables.place(name) ?? initialCheckpoint,
      get: async keys => tables.rows(name, keys).map(bytes => bytes && decode(bytes)),
      async write({ rows, position, ahead }, revision) {
        const encoded = [...rows].map(
          ([key, row]) => [key, row === null ? undefined : encode(row)] as const,
        )
        const place = { position, ahead }
        return (await tables.write(name, encoded, place, revision)) ?? 'conflict'
      },
      async *entries({ signal } = {}) {
        for (let after = ''; ;) {
          throwIfAborted(signal, `reading ${name}`)
          const rows = tables.rowsAfter(name, after)
          if (rows.length === 0) return
          for (const [key, bytes] of rows) yield [key, decode(bytes)] as const
          after = rows.at(-1)![0]
        }
      },
      drop: () => tables.drop(name),
    }
  }
}
