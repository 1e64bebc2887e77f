// Documents of an embedded namespace: a table beside its log, in the same file.

import type { SideTables } from '../lmdb/side-tables.js'
import type { Document, DocumentKey, Documents } from './documents.js'

export class LmdbDocuments implements Documents {
  readonly #tables: SideTables

  constructor(tables: SideTables) {
    this.#tables = tables
  }

  async get(key: DocumentKey): Promise<Document | undefined> {
    return this.#tables.document(key.join('.'))
  }

  async list(prefix: DocumentKey): Promise<DocumentKey[]> {
    const names = this.#tables.documentNames(`${prefix.join('.')}.`)
    return names.map(name => name.split('.'))
  }

  async put(
    key: DocumentKey,
    value: Uint8Array,
    revision: number,
  ): Promise<number | 'conflict'> {
    const stored = await this.#tables.putDocument(key.join('.'), value, revision)
    return stored ?? 'conflict'
  }
}
