// The documents of an embedded namespace: one table, name → revision and value.

import { encodeNumbers, readNumber } from './layout.js'
import type { Table } from './table.js'
import type { TableAccess } from './table-access.js'

export interface StoredDocument {
  readonly value: Uint8Array
  readonly revision: number
}

export class DocumentTable {
  readonly #access: TableAccess
  readonly #documents: Table

  constructor(access: TableAccess, documents: Table) {
    this.#access = access
    this.#documents = documents
  }

  get(name: string): StoredDocument | undefined {
    this.#access.refresh()
    return this.#get(name)
  }

  /** The names of the documents that begin with `prefix`. */
  names(prefix: string): string[] {
    this.#access.refresh()
    const names: string[] = []
    for (const key of this.#documents.getKeys({ start: Buffer.from(prefix) })) {
      const name = key.toString()
      if (!name.startsWith(prefix)) break
      names.push(name)
    }
    return names
  }

  /** Stores the value if the document is at `revision`; returns the new revision, else `undefined`. */
  put(name: string, value: Uint8Array, revision: number): Promise<number | undefined> {
    return this.#access.write(() => {
      if ((this.#get(name)?.revision ?? 0) !== revision) return undefined
      const stored = Buffer.concat([encodeNumbers(revision + 1), value])
      this.#documents.putSync(Buffer.from(name), stored)
      return revision + 1
    })
  }

  /** Removes the document if it is at `revision`; returns whether it was. */
  remove(name: string, revision: number): Promise<boolean> {
    return this.#access.write(() => {
      if (this.#get(name)?.revision !== revision) return false
      this.#documents.removeSync(Buffer.from(name))
      return true
    })
  }

  #get(name: string): StoredDocument | undefined {
    const found = this.#documents.check(Buffer.from(name))
    if (found === undefined) return undefined
    const { value: stored, isDamaged } = found
    const revision = stored.length < 8 ? 1 : readNumber(stored, 0)
    return { revision, value: isDamaged ? undecodable : Buffer.from(stored.subarray(8)) }
  }
}

/** A text without its length: a damaged document is reported as every document that cannot be decoded. */
const undecodable = Buffer.from([0xd9])
