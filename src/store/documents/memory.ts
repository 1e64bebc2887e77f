// The reference documents: in this process, lost when it ends.

import type { Document, DocumentKey, Documents } from './documents.js'

export class MemoryDocuments implements Documents {
  readonly #byName = new Map<string, Document>()
  #revision = 0

  async get(key: DocumentKey): Promise<Document | undefined> {
    const found = this.#byName.get(key.join('.'))
    return found && { ...found, value: found.value.slice() }
  }

  async list(prefix: DocumentKey): Promise<DocumentKey[]> {
    const start = `${prefix.join('.')}.`
    const names = [...this.#byName.keys()].filter(name => name.startsWith(start))
    return names.map(name => name.split('.'))
  }

  async put(
    key: DocumentKey,
    value: Uint8Array,
    revision: number,
  ): Promise<number | 'conflict'> {
    const name = key.join('.')
    if ((this.#byName.get(name)?.revision ?? 0) !== revision) return 'conflict'
    this.#byName.set(name, { value: value.slice(), revision: ++this.#revision })
    return this.#revision
  }

  async remove(key: DocumentKey, revision: number): Promise<boolean> {
    const name = key.join('.')
    if (this.#byName.get(name)?.revision !== revision) return false
    return this.#byName.delete(name)
  }
}
