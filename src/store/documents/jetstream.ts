// Documents in a key-value bucket of NATS: `nats kv get` reads them.
//
// A bucket is a stream with one message per subject (ADR-8), and a revision is the sequence of
// that message. So a put is the same compare-and-append as that of a commit.

import type { Connection } from '../../nats/connection.js'
import { leaderGet, type StoredMessage } from '../../nats/direct-get.js'
import { isRemoval, removal } from '../../nats/kv.js'
import { listSubjects } from '../../nats/list-subjects.js'
import { expectingHeaders, publishExpecting } from '../../nats/publish.js'
import { attemptTimeout, publishWithRetries } from '../../nats/publish-with-retries.js'
import { documentsBucketOf } from '../../nats/subjects.js'
import type { Document, DocumentKey, Documents } from './documents.js'

/** Milliseconds for one put, retries included. */
const timeout = 10_000

export class JetStreamDocuments implements Documents {
  readonly #connection: Connection
  readonly #bucket: { readonly stream: string; readonly prefix: string }

  constructor(connection: Connection, namespace: string) {
    this.#connection = connection
    this.#bucket = documentsBucketOf(namespace)
  }

  async get(key: DocumentKey): Promise<Document | undefined> {
    const last = await this.#last(key)
    return last === undefined || isRemoval(last.headers)
      ? undefined
      : { value: last.body, revision: last.position }
  }

  async list(
    prefix: DocumentKey,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<DocumentKey[]> {
    const { stream, prefix: root } = this.#bucket
    const filter = `${this.#subjectOf(prefix)}.>`
    const keys: DocumentKey[] = []
    for await (const subject of listSubjects(
      this.#connection,
      stream,
      filter,
      options.signal,
    ))
      keys.push(subject.slice(root.length + 1).split('.'))
    return keys
  }

  async put(
    key: DocumentKey,
    value: Uint8Array,
    revision: number,
  ): Promise<number | 'conflict'> {
    const put = await this.#publish(key, value, revision, [])
    if (put !== 'conflict' || revision !== 0) return put
    // DOCUMENTS-5: what tells of the removal is the last message of the subject.
    const last = await this.#last(key)
    if (last === undefined || !isRemoval(last.headers)) return 'conflict'
    return this.#publish(key, value, last.position, [])
  }

  async remove(key: DocumentKey, revision: number): Promise<boolean> {
    if (revision === 0) return false
    return (await this.#publish(key, noBytes, revision, removal)) !== 'conflict'
  }

  async #publish(
    key: DocumentKey,
    value: Uint8Array,
    revision: number,
    fields: readonly (readonly [string, string])[],
  ): Promise<number | 'conflict'> {
    const { stream } = this.#bucket
    const subject = this.#subjectOf(key)
    const headers = expectingHeaders(stream, revision, fields)
    const name = key.join('.')
    // No other writer stores these very bytes.
    const find = async () => {
      const stored = await this.#last(key)
      return stored !== undefined && Buffer.compare(stored.body, value) === 0
        ? ({ kind: 'stored', position: stored.position, duplicate: false } as const)
        : undefined
    }
    const { outcome, afterAmbiguity } = await publishWithRetries(
      this.#connection,
      {
        stream,
        subject,
        timeout,
        target: `document ${name}`,
        remedy: 'Read it to find out.',
        find,
      },
      left =>
        publishExpecting(this.#connection, {
          stream,
          subject,
          expected: revision,
          headers,
          body: value,
          timeout: Math.min(attemptTimeout, left()),
          isReserved: true,
        }),
    )
    if (outcome.kind === 'stored') return outcome.position
    if (!afterAmbiguity) return 'conflict'
    // An earlier attempt may have been stored.
    return (await find())?.position ?? 'conflict'
  }

  #last(key: DocumentKey): Promise<StoredMessage | undefined> {
    const query = { last_by_subj: this.#subjectOf(key) }
    return leaderGet(this.#connection, this.#bucket.stream, query)
  }

  #subjectOf(key: DocumentKey): string {
    return `${this.#bucket.prefix}.${key.join('.')}`
  }
}

const noBytes = new Uint8Array()
