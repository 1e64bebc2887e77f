// Read models in a SQLite file: one transaction writes the rows and the checkpoint of a model.
//
// A row is stored twice: as bytes, which restore the exact values (dates, binary data, large
// numbers), and as JSON, for queries in SQL.

import type { Database } from 'node-sqlite3-wasm'
import { deserialize, serialize } from 'node:v8'
import type {
  ReadModel,
  ReadModels,
  ReadModelWrite,
  StoredCheckpoint,
} from 'cairn-es/store'

const initial: StoredCheckpoint = { position: 0, ahead: 0, revision: 0 }
/** Rows read at a time by `entries`. */
const page = 500

export class SqliteReadModels implements ReadModels {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
    database.exec(`
      create table if not exists cairn_rows (
        model text not null, key text not null, row blob not null, json text not null,
        primary key (model, key)
      ) without rowid;
      create table if not exists cairn_checkpoints (
        model text primary key, position integer not null, ahead integer not null,
        revision integer not null, mark text
      );
    `)
  }

  open(model: string): ReadModel {
    const database = this.#database
    return {
      checkpoint: async () => this.#checkpoint(model),
      get: async keys => keys.map(key => this.#row(model, key)),
      write: async (write, revision) => this.#write(model, write, revision),
      async *entries({ signal } = {}) {
        for (let after = ''; ;) {
          signal?.throwIfAborted()
          const rows = database.all(
            'select key, row from cairn_rows where model = ? and key > ? order by key limit ?',
            [model, after, page],
          ) as unknown as { key: string; row: Uint8Array }[]
          for (const { key, row } of rows)
            yield [keyOf(key), deserialize(row) as unknown] as const
          const last = rows.at(-1)
          if (last === undefined) return
          after = last.key
        }
      },
      // The revision is kept: a writer that has read an older one must get a conflict.
      drop: async () =>
        this.#inTransaction(() => {
          database.run('delete from cairn_rows where model = ?', [model])
          database.run(
            'update cairn_checkpoints set position = 0, ahead = 0, mark = null where model = ?',
            [model],
          )
        }),
    }
  }

  #checkpoint(model: string): StoredCheckpoint {
    const stored = this.#stored(model)
    return stored.position === 0 && stored.ahead === 0 ? initial : stored
  }

  #stored(model: string): StoredCheckpoint {
    const sql =
      'select position, ahead, revision, mark from cairn_checkpoints where model = ?'
    const stored = this.#database.get(sql, [model]) as
      (Omit<StoredCheckpoint, 'mark'> & { mark: string | null }) | null
    if (stored === null) return initial
    const { mark, ...checkpoint } = stored
    if (mark === null) return checkpoint
    return { ...checkpoint, mark: JSON.parse(mark) as StoredCheckpoint['mark'] & object }
  }

  #row(model: string, key: string): unknown {
    const sql = 'select row from cairn_rows where model = ? and key = ?'
    const found = this.#database.get(sql, [model, textOf(key)]) as {
      row: Uint8Array
    } | null
    return found === null ? undefined : deserialize(found.row)
  }

  /** A writer with an older revision than the stored one changes nothing. */
  #write(
    model: string,
    { rows, position, ahead, mark }: ReadModelWrite,
    revision: number,
  ): number | 'conflict' {
    return this.#inTransaction(() => {
      if (this.#checkpoint(model).revision !== revision) return 'conflict'
      const next = this.#stored(model).revision + 1
      for (const [key, row] of rows)
        if (row === null)
          this.#database.run('delete from cairn_rows where model = ? and key = ?', [
            model,
            textOf(key),
          ])
        else
          this.#database.run('insert or replace into cairn_rows values (?, ?, ?, ?)', [
            model,
            textOf(key),
            serialize(row),
            JSON.stringify(row, readable),
          ])
      this.#database.run(
        'insert or replace into cairn_checkpoints values (?, ?, ?, ?, ?)',
        [model, position, ahead, next, mark === undefined ? null : JSON.stringify(mark)],
      )
      return next
    })
  }

  #inTransaction<Result>(work: () => Result): Result {
    this.#database.exec('begin immediate')
    try {
      const result = work()
      this.#database.exec('commit')
      return result
    } catch (error) {
      this.#database.exec('rollback')
      throw error
    }
  }
}

/** JSON has no large integers. */
function readable(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}

/** SQLite's text ends at a NUL, so that character is escaped when written and restored when read. */
function textOf(key: string): string {
  return key.replaceAll('%', '%25').replaceAll('\0', '%00')
}

function keyOf(text: string): string {
  return text.replaceAll('%00', '\0').replaceAll('%25', '%')
}
