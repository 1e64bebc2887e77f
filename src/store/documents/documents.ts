// The documents port: small values by name, each changed only with its current revision. The
// checkpoints of consumer groups are kept in them. Every implementation keeps these promises,
// checked by one contract suite (test/contract/documents.ts).
//
// DOCUMENTS-1. A put that resolves with a revision is stored as durably as a commit in the same
//     store.
// DOCUMENTS-2. A put is stored if, and only if, the document is at the given revision: of two puts
//     with the same revision, one wins.
// DOCUMENTS-3. A read that begins after a put was acknowledged sees that put or a later one.
// DOCUMENTS-4. A list holds every document whose first put was acknowledged before the call.
// DOCUMENTS-5. A document that was removed does not exist, whoever removed it; it can be put again with revision 0.

/** A document's name: 1 to 8 names of `[A-Za-z0-9_-]`, coarse to fine. */
export type DocumentKey = readonly string[]

export interface Document {
  readonly value: Uint8Array
  /** Differs after each put; 0 for a document that does not exist. */
  readonly revision: number
}

export interface Documents {
  /** Throws `store-unreachable`. */
  get(key: DocumentKey): Promise<Document | undefined>

  /**
   * The keys of all documents below `prefix`, which has at least one name, in no particular
   * order. Throws `store-unreachable`.
   */
  list(
    prefix: DocumentKey,
    options?: { readonly signal?: AbortSignal },
  ): Promise<DocumentKey[]>

  /**
   * Stores the value if the document is at `revision`; resolves with the new revision, or with
   * `'conflict'`. Throws `store-unreachable` when it is not stored, `outcome-unknown` when that
   * is not known.
   */
  put(key: DocumentKey, value: Uint8Array, revision: number): Promise<number | 'conflict'>

  /**
   * Removes the document if it is at `revision`, and resolves with whether it was. For repairs: groups and consumers never
   * remove theirs. Throws as `put`.
   */
  remove(key: DocumentKey, revision: number): Promise<boolean>
}
