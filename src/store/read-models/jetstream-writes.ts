// Sends the writes of a node's read models to their bucket.
//
// A server takes some milliseconds for an atomic batch, about as many for two messages as for some hundred, and writes one
// after the other. So writes that come while one is on its way are sent together.
// READMODEL-WRITES-1. At most one request is on its way at a time; writes that wait form the next one, up to `messagesMax`
//     messages.
// READMODEL-WRITES-2. The server stores all writes of a request or none. If it stores none, each is sent alone: one that is
//     refused does not fail the others.
// READMODEL-WRITES-3. A write of one message is no batch, if it is alone.

import type { Position } from '../../model/version.js'
import { type BatchOutcome, type BatchPart, publishBatch } from '../../nats/batch.js'
import type { Connection } from '../../nats/connection.js'
import { expectingHeaders, publishExpecting } from '../../nats/publish.js'

/** The messages of a write; the last one, its checkpoint, expects the one before it. */
export type WriteMessages = readonly [
  ...(readonly BatchPart[]),
  BatchPart & { readonly expected: Position },
]

interface Waiting {
  readonly messages: WriteMessages
  /** When the caller stops waiting, by `performance.now()`. */
  readonly deadline: number
  readonly resolve: (outcome: BatchOutcome) => void
  readonly reject: (reason: unknown) => void
}

/** The server allows 1,000 in a batch. */
const messagesMax = 1_000
/** Bytes of the bodies in a shared request: as many as a large write has alone. */
const bytesMax = 1024 * 1024

export class JetStreamWrites {
  readonly #connection: Connection
  readonly #stream: string
  readonly #waiting: Waiting[] = []
  #isSending = false

  constructor(connection: Connection, stream: string) {
    this.#connection = connection
    this.#stream = stream
  }

  /** Resolves with the outcome; `timeout` is in ms. Throws as {@link publishBatch}. */
  send(messages: WriteMessages, timeout: number): Promise<BatchOutcome> {
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + timeout
      this.#waiting.push({ messages, deadline, resolve, reject })
      void this.#sendAll()
    })
  }

  /** READMODEL-WRITES-1. Never rejects. */
  async #sendAll(): Promise<void> {
    if (this.#isSending) return
    this.#isSending = true
    while (this.#waiting.length > 0) await this.#sendTogether(this.#nextWrites())
    this.#isSending = false
  }

  #nextWrites(): readonly Waiting[] {
    let messages = 0
    let bytes = 0
    let count = 0
    for (const { messages: own } of this.#waiting) {
      messages += own.length
      bytes += own.reduce((sum, { body }) => sum + body.length, 0)
      if (count > 0 && (messages > messagesMax || bytes > bytesMax)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  /** READMODEL-WRITES-2. Never rejects. */
  async #sendTogether(writes: readonly Waiting[]): Promise<void> {
    const [first, ...others] = writes
    if (others.length === 0) return this.#sendAlone(first!)
    try {
      const messages = writes.flatMap(write => write.messages)
      const outcome = await this.#publish(messages, leftOf(writes))
      switch (outcome.kind) {
        case 'stored': {
          let from = 0
          for (const { messages: own, resolve } of writes) {
            const positions = outcome.positions.slice(from, (from += own.length))
            resolve({ kind: 'stored', positions })
          }
          return
        }
        case 'unclear':
        case 'not-now':
          for (const { resolve } of writes) resolve(outcome)
          return
        case 'write-failed':
        case 'wrong-sequence':
        case 'refused':
        case 'too-large':
      }
    } catch {
      // Each write gets its own error.
    }
    await Promise.all(writes.map(write => this.#sendAlone(write)))
  }

  /** Never rejects. */
  async #sendAlone(write: Waiting): Promise<void> {
    const { messages, resolve, reject } = write
    const [checkpoint] = messages
    try {
      const isOne = messages.length === 1
      resolve(
        isOne && checkpoint?.expected !== undefined
          ? await this.#publishOne(checkpoint, checkpoint.expected, leftOf([write]))
          : await this.#publish(messages, leftOf([write])),
      )
    } catch (error) {
      reject(error)
    }
  }

  #publish(messages: readonly BatchPart[], timeout: number): Promise<BatchOutcome> {
    return publishBatch(this.#connection, this.#stream, messages, timeout, {
      isReserved: true,
    })
  }

  /** READMODEL-WRITES-3. */
  async #publishOne(
    { subject, headers, body }: BatchPart,
    expected: Position,
    timeout: number,
  ): Promise<BatchOutcome> {
    const stream = this.#stream
    const outcome = await publishExpecting(this.#connection, {
      stream,
      subject,
      expected,
      headers: expectingHeaders(stream, expected, headers),
      body,
      timeout,
      isReserved: true,
    })
    return outcome.kind === 'stored'
      ? { kind: 'stored', positions: [outcome.position] }
      : outcome
  }
}

/** Milliseconds that are left to all of the writes; at least 1. */
function leftOf(writes: readonly Waiting[]): number {
  const last = Math.min(...writes.map(({ deadline }) => deadline))
  return Math.max(1, last - performance.now())
}
