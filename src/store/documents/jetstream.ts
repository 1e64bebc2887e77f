// Documents in a key-value bucket of NATS, as its own tools know it: `nats kv get` reads them.
//
// A bucket is a stream of one message a subject (ADR-8), and a revision is the sequence of that
// message, so a put is the same compare-and-append as a commit's.

import { CairnError } from '../../model/errors.js'
import { pause } from '../../model/wait.js'
import type { Connection } from '../../nats/connection.js'
import { leaderGet } from '../../nats/direct-get.js'
import { apiError } from '../../nats/errors.js'
import { listSubjects } from '../../nats/list-subjects.js'
import { checkPayload, expectingHeaders, publishExpecting } from '../../nats/publish.js'
import { documentsBucketOf } from '../../nats/subjects.js'
import type { Document, DocumentKey, Documents } from './documents.js'

const attemptTimeout = 2_000
const totalTimeout = 10_000

export class JetStreamDocuments implements Documents {
  readonly #connection: Connection
  readonly #bucket: { readonly stream: string; readonly prefix: string }

  constructor(connection: Connection, namespace: string) {
    this.#connection = connection
    this.#bucket = documentsBucketOf(namespace)
  }

  async get(key: DocumentKey): Promise<Document | undefined> {
    const query = { last_by_subj: this.#subjectOf(key) }
    const last = await leaderGet(this.#connection, this.#bucket.stream, query)
    return last && { value: last.body, revision: last.position }
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
    const { stream } = this.#bucket
    const subject = this.#subjectOf(key)
    const headers = expectingHeaders(stream, revision, [])
    checkPayload(this.#connection, subject, headers, value)
    const deadline = Date.now() + totalTimeout
    let unclear: string | undefined
    for (;;) {
      const left = deadline - Date.now()
      if (left <= 0 || this.#connection.closed) throw notPut(key, unclear)
      const outcome = await publishExpecting(this.#connection, {
        stream,
        subject,
        expected: revision,
        headers,
        body: value,
        timeout: Math.min(attemptTimeout, left),
      })
      switch (outcome.kind) {
        case 'stored':
          return outcome.position
        case 'wrong-sequence': {
          if (unclear === undefined) return 'conflict'
          // An attempt before may have been stored: nobody else writes these very bytes.
          const now = await this.get(key)
          return now !== undefined && Buffer.compare(now.value, value) === 0
            ? now.revision
            : 'conflict'
        }
        case 'refused':
          throw apiError(outcome.error, `writing document ${key.join('.')}`)
        case 'unclear':
          unclear = outcome.why
          await pause(Math.min(50, left))
          break
        case 'not-now':
          await pause(1 + Math.random() * 4)
          break
      }
      await this.#connection.whenConnected(deadline - Date.now())
    }
  }

  #subjectOf(key: DocumentKey): string {
    return `${this.#bucket.prefix}.${key.join('.')}`
  }
}

function notPut(key: DocumentKey, unclear: string | undefined): CairnError {
  const name = key.join('.')
  return unclear === undefined
    ? new CairnError(
        'store-unreachable',
        `Document ${name} could not be written within ${totalTimeout} ms: NATS does not answer. ` +
          'Nothing was stored; the put may be repeated.',
      )
    : new CairnError(
        'outcome-unknown',
        `Whether document ${name} was written is not known: ${unclear}. Read it to find out.`,
      )
}
