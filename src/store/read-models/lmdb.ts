// Read models of an embedded namespace: a table in the file of its log.

import { decode, encode } from '../../codec/msgpack.js'
import type { ReadModelTable } from '../lmdb/read-model-table.js'
import { throwIfAborted } from '../../model/wait.js'
import { initialCheckpoint, type ReadModel, type ReadModels } from './read-models.js'

export class LmdbReadModels implements ReadModels {
  readonly #table: ReadModelTable

  constructor(table: ReadModelTable) {
    this.#table = table
  }

  open(name: string): ReadModel {
    const table = this.#table
    return {
      checkpoint: async () => table.checkpoint(name) ?? initialCheckpoint,
      get: async keys => table.rows(name, keys).map(bytes => bytes && decode(bytes)),
      async write({ rows, ...checkpoint }, revision) {
        const encoded = [...rows].map(
          ([key, row]) => [key, row === null ? undefined : encode(row)] as const,
        )
        return (await table.write(name, encoded, checkpoint, revision)) ?? 'conflict'
      },
      isOrdered: true,
      async *entries({ range = {}, signal } = {}) {
        for (let after: string | undefined; ;) {
          throwIfAborted(signal, `reading ${name}`)
          const rows = table.rowsIn(name, range, after)
          if (rows.length === 0) return
          for (const [key, bytes] of rows) yield [key, decode(bytes)] as const
          after = rows.at(-1)![0]
        }
      },
      drop: () => table.drop(name),
    }
  }
}
