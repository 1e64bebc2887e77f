// Queues on NATS JetStream: one stream per queue, one message per record.
//
// QUEUE-JS-1. A put is published under its id (`Nats-Msg-Id`), so an attempt whose answer was lost
//     is sent again: the server stores it once within its window of two minutes.
// QUEUE-JS-2. A follower is woken by the server's republished headers, and reads the stream. A lost
//     notice only delays it.
// QUEUE-JS-3. A replica holds a prefix of the stream: reading on after the last record skips
//     nothing, but may end early. Where the end matters, the leader is asked.
// QUEUE-JS-4. A record whose put was not answered, and that cannot be sent again, is stored behind all records that
//     had been acknowledged before: they need not be searched.

import { isCairnError } from '../../model/errors.js'
import type { Position } from '../../model/version.js'
import { pause, throwIfAborted } from '../../model/wait.js'
import type { Connection } from '../../nats/connection.js'
import { leaderGet, type StoredMessage } from '../../nats/direct-get.js'
import { directPages } from '../../nats/direct-scan.js'
import { apiError } from '../../nats/errors.js'
import { callApi } from '../../nats/jetstream-api.js'
import { mustExist } from '../../nats/missing-stream.js'
import { publishOnce, publishOnceHeaders } from '../../nats/publish.js'
import { attemptTimeout, publishWithRetries } from '../../nats/publish-with-retries.js'
import { readStream } from '../../nats/stream.js'
import {
  parseQueueSubject,
  queuedSubjects,
  queueStream,
  queueSubject,
  queueSubjects,
} from '../../nats/subjects.js'
import { WakeSignal } from '../wake-signal.js'
import { encodeHeader } from '../../codec/headers.js'
import {
  checkRecord,
  type NewRecord,
  type PutResult,
  type PutOptions,
  putTimeoutDefault,
  type Queue,
  type QueueName,
  type QueueReadOptions,
  type QueueRecord,
} from './queue.js'

/** Milliseconds after which a follower reads without having been woken. */
const pollInterval = 5_000
/** Removals in flight at a time. */
const removalsMax = 64

export class JetStreamQueue implements Queue {
  readonly name: QueueName
  readonly #connection: Connection
  readonly #namespace: string
  readonly #stream: string
  readonly #closing = new AbortController()
  /** The last position that a put of this object was stored at. */
  #lastPut: Position = 0

  constructor(connection: Connection, namespace: string, name: QueueName) {
    this.name = name
    this.#connection = connection
    this.#namespace = namespace
    this.#stream = queueStream(namespace, name)
  }

  async put(record: NewRecord, options: PutOptions = {}): Promise<PutResult> {
    const { signal, timeout = putTimeoutDefault, isReserved } = options
    checkRecord(record)
    const { key, id, body } = record
    const stream = this.#stream
    const subject = queueSubject(this.#namespace, this.name, key)
    const messageId = encodeHeader([...key, id].join('/'))
    const headers = publishOnceHeaders(stream, messageId, record.headers)
    const after = this.#lastPut
    // QUEUE-JS-1
    const { outcome } = await publishWithRetries(
      this.#connection,
      {
        stream,
        subject,
        timeout,
        signal,
        target: `the record on ${subject}`,
        remedy: 'Look for it among the stored records.',
        find: left => this.#find(subject, messageId, after, { signal, left }),
      },
      left =>
        publishOnce(this.#connection, {
          stream,
          subject,
          headers,
          body,
          timeout: Math.min(attemptTimeout, left()),
          isReserved,
        }),
    )
    this.#lastPut = Math.max(this.#lastPut, outcome.position)
    return { position: outcome.position, duplicate: outcome.duplicate }
  }

  async *read(options: QueueReadOptions = {}): AsyncGenerator<QueueRecord> {
    const { after = 0, upTo, key, signal } = options
    let last = after
    const filter =
      key === undefined
        ? queueSubjects(this.#namespace, this.name)
        : queueSubject(this.#namespace, this.name, key)
    const most = upTo === undefined ? undefined : upTo - after
    for await (const page of directPages(
      this.#connection,
      this.#stream,
      filter,
      after + 1,
      { signal, most },
    ))
      for (const message of page) {
        throwIfAborted(signal, `reading ${this.#stream}`)
        if (message.position > (upTo ?? Infinity)) return
        last = message.position
        yield this.#toRecord(message)
      }
    if (upTo === undefined) return
    // The replica that answered may lag behind; the leader knows whether there is more (QUEUE-JS-3).
    while (last < upTo) {
      const query = { seq: last + 1, next_by_subj: filter }
      const message = await leaderGet(this.#connection, this.#stream, query, { signal })
      if (message === undefined || message.position > upTo) return
      last = message.position
      yield this.#toRecord(message)
    }
  }

  /** QUEUE-4, QUEUE-JS-2. */
  async *follow(options: {
    readonly after?: Position
    readonly signal: AbortSignal
  }): AsyncGenerator<QueueRecord> {
    let { after = 0 } = options
    const signal = AbortSignal.any([options.signal, this.#closing.signal])
    if (signal.aborted) return
    const wakeSignal = new WakeSignal()
    const subject = queuedSubjects(this.#namespace, this.name)
    const subscription = await this.#connection.subscribe(
      subject,
      message => wakeSignal.raise(Number(message.headers?.last('Nats-Sequence') ?? 0)),
      { signal },
    )
    const stopListening = this.#connection.onInterruption(() => wakeSignal.wakeAll())
    let lagRetries = 0
    try {
      while (!signal.aborted) {
        const raised = wakeSignal.position
        const before = after
        try {
          for await (const record of this.read({ after, signal })) {
            after = record.position
            yield record
            if (signal.aborted) return
          }
        } catch (error) {
          if (signal.aborted) return
          // Records that cannot be read while the server is away are read when it is back.
          if (!isCairnError(error, 'store-unreachable') || this.#connection.closed)
            throw error
        }
        if (after > before) lagRetries = 0
        if (wakeSignal.position > raised) continue
        // A replica may lag behind the notice, or the record is removed already.
        if (raised > after && ++lagRetries <= lagRetriesMax) await pause(lagPause, signal)
        else await wakeSignal.wait(Math.max(raised, after), pollInterval, signal)
      }
    } finally {
      stopListening()
      subscription.unsubscribe()
    }
  }

  async lastPosition(options: { readonly signal?: AbortSignal } = {}): Promise<Position> {
    const info = await readStream(this.#connection, this.#stream, options)
    if (info !== undefined) return info.state.last_seq
    await mustExist(this.#connection, this.#stream)
    return this.lastPosition(options)
  }

  async remove(positions: readonly Position[]): Promise<void> {
    for (let i = 0; i < positions.length; i += removalsMax)
      await Promise.all(
        positions.slice(i, i + removalsMax).map(position => this.#remove(position)),
      )
  }

  async close(): Promise<void> {
    this.#closing.abort()
  }

  async #remove(position: Position): Promise<void> {
    const removed = await callApi(this.#connection, `STREAM.MSG.DELETE.${this.#stream}`, {
      seq: position,
      no_erase: true,
    })
    if (removed.ok) return
    // The server reports a missing record with several errors (QUEUE-5).
    const stored = await leaderGet(this.#connection, this.#stream, { seq: position })
    if (stored === undefined) return
    throw apiError(removed.error, `removing record ${position} of ${this.#stream}`)
  }

  /** QUEUE-JS-4. */
  async #find(
    subject: string,
    messageId: string,
    after: Position,
    { signal, left }: { signal: AbortSignal | undefined; left: () => number },
  ) {
    let next = after + 1
    for (;;) {
      const query = { seq: next, next_by_subj: subject }
      const bounds = { signal, timeout: left() }
      const found = await leaderGet(this.#connection, this.#stream, query, bounds)
      if (found === undefined) return undefined
      const { position, headers } = found
      if (headers.get('Nats-Msg-Id') === messageId)
        return { kind: 'stored', position, duplicate: false } as const
      next = position + 1
    }
  }

  #toRecord({ subject, position, headers, body }: StoredMessage): QueueRecord {
    return {
      position,
      at: Date.parse(headers.get('Nats-Time-Stamp') ?? '') || 0,
      key: parseQueueSubject(subject, this.#namespace, this.name) ?? [],
      headers: Object.fromEntries(headers),
      body,
    }
  }
}

/** Milliseconds for a replica to catch up with a notice, and how often to wait for it. */
const lagPause = 20
const lagRetriesMax = 25
