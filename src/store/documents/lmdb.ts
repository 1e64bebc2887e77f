// Documents of an embedded namespace: a table in the file of its log.

import type { DocumentTable } from '../lmdb/document-table.js'
import type { Document, DocumentKey, Documents } from './documents.js'

export class LmdbDocuments implements Documents {
  readonly #table: DocumentTable

  constructor(table: DocumentTable) {
    this.#table = table
  }

  async get(key: DocumentKey): Promise<Document | undefined> {
    return this.#table.get(key.join('.'))
  }

  async list(prefix: DocumentKey): Promise<DocumentKey[]> {
    const names = this.#table.names(`${prefix.join('.')}.`)
    return names.map(name => name.split('.'))
  }

  async put(
    key: DocumentKey,
    value: Uint8Array,
    revision: number,
  ): Promise<number | 'conflict'> {
    const stored = await this.#table.put(key.join('.'), value, revision)
    return stored ?? 'conflict'
  }

  remove(key: DocumentKey, revision: number): Promise<boolean> {
    return this.#table.remove(key.join('.'), revision)
  }
}
