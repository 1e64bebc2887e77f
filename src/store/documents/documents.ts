// The documents port: small values by name, each changed only by whoever has seen its last
// revision. Where reading groups stand is kept in them. Every implementation keeps these
// promises, proved by one contract suite (test/contract/documents.ts).
//
// D1. A put that resolves with a revision is stored as durably as a commit in the same place.
// D2. A put is stored if, and only if, the document is at the revision given: of two that
//     have seen the same one, one wins.
// D3. A read that begins after a put was acknowledged sees it, or a later one.
// D4. A list names every document whose first put was acknowledged before it was asked for.

/** A document's name: 1 to 8 names of `[A-Za-z0-9_-]`, coarse to fine. */
export type DocumentKey = readonly string[]

export interface Document {
  readonly value: Uint8Array
  /** Differs after each put; 0 is that of a document that is not there. */
  readonly revision: number
}

export interface Documents {
  /** Throws `store-unreachable`. */
  get(key: DocumentKey): Promise<Document | undefined>

  /**
   * The names of all documents below `prefix`, which has at least one name; in no order. Throws
   * `store-unreachable`.
   */
  list(
    prefix: DocumentKey,
    options?: { readonly signal?: AbortSignal },
  ): Promise<DocumentKey[]>

  /**
   * Stores the value if the document is at `revision`, and resolves with the new one, or with
   * `'conflict'`. Throws `store-unreachable`, or `outcome-unknown` when nobody can tell.
   */
  put(key: DocumentKey, value: Uint8Array, revision: number): Promise<number | 'conflict'>
}
