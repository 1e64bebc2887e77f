// Documents, of which those that disappear are reported.
//
// Owns the names of the documents that this process has seen. Cairn itself removes a document only to repair it, so one that
// was there and is gone was removed by somebody else.
// WATCHED-DOCUMENTS-1. Only a read that began after the document was seen tells that it is gone: the answers to reads and writes
//     at the same time come in any order.
// WATCHED-DOCUMENTS-2. A name is forgotten before this process removes the document.

import type { DamageReports } from '../../model/damage.js'
import type { Document, DocumentKey, Documents } from './documents.js'

/** Names that are remembered, at most. */
const namesMax = 10_000

export class WatchedDocuments implements Documents {
  readonly #documents: Documents
  readonly #damage: DamageReports
  /** Where the documents are, for operators. */
  readonly #place: string
  readonly #seen = new Set<string>()

  constructor(documents: Documents, damage: DamageReports, place: string) {
    this.#documents = documents
    this.#damage = damage
    this.#place = place
  }

  async get(key: DocumentKey): Promise<Document | undefined> {
    const name = key.join('.')
    const wasSeen = this.#seen.has(name)
    const found = await this.#documents.get(key)
    if (found !== undefined) this.#add(name)
    else if (wasSeen && this.#seen.delete(name))
      this.#damage.report({
        place: this.#place,
        problem: 'emptied',
        state: 'healed',
        text:
          `Documents were removed from ${this.#place}, the first one is ${name}. Groups and consumers go on where this ` +
          'process knows that they are, and else start again from the first record.',
      })
    return found
  }

  list(
    prefix: DocumentKey,
    options?: { readonly signal?: AbortSignal },
  ): Promise<DocumentKey[]> {
    return this.#documents.list(prefix, options)
  }

  async put(
    key: DocumentKey,
    value: Uint8Array,
    revision: number,
  ): Promise<number | 'conflict'> {
    const put = await this.#documents.put(key, value, revision)
    if (put !== 'conflict') this.#add(key.join('.'))
    return put
  }

  async remove(key: DocumentKey, revision: number): Promise<boolean> {
    const name = key.join('.')
    const wasSeen = this.#seen.delete(name)
    const isRemoved = await this.#documents.remove(key, revision)
    if (!isRemoved && wasSeen) this.#add(name)
    return isRemoved
  }

  #add(name: string): void {
    if (this.#seen.size < namesMax) this.#seen.add(name)
  }
}
