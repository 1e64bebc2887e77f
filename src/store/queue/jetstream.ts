// Queues on NATS JetStream: one stream a queue, one message a record.
//
// J1. A put is published under its id (`Nats-Msg-Id`), so an attempt whose answer was lost is
//     sent again: the server stores it once within its window of two minutes.
// J2. A follower is woken by the server's republish, and reads the stream: nothing depends on
//     a notice, which only makes it sooner.
// J3. A replica has a beginning of the stream, so reading on behind what was read skips nothing;
//     but it may end early. Where the end matters, the leader is asked.

import { CairnError, isCairnError } from '../../model/errors.js'
import type { Position } from '../../model/version.js'
import { pause, throwIfAborted } from '../../model/wait.js'
import type { Connection } from '../../nats/connection.js'
import { directScan, leaderGet, type StoredMessage } from '../../nats/direct-get.js'
import { apiError } from '../../nats/errors.js'
import { callApi } from '../../nats/jetstream-api.js'
import { checkPayload, publishOnce, publishOnceHeaders } from '../../nats/publish.js'
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
  type Put,
  type PutOptions,
  putTimeoutDefault,
  type Queue,
  type QueueName,
  type QueueReadOptions,
  type QueueRecord,
} from './queue.js'

const attemptTimeout = 2_000
/** Milliseconds after which a follower looks without having been woken. */
const lookEvery = 5_000
/** Removals under way at a time. */
const removalsMax = 64

export class JetStreamQueue implements Queue {
  readonly name: QueueName
  readonly #connection: Connection
  readonly #namespace: string
  readonly #stream: string
  readonly #closing = new AbortController()

  constructor(connection: Connection, namespace: string, name: QueueName) {
    this.name = name
    this.#connection = connection
    this.#namespace = namespace
    this.#stream = queueStream(namespace, name)
  }

  async put(record: NewRecord, options: PutOptions = {}): Promise<Put> {
    const { signal, timeout = putTimeoutDefault } = options
    checkRecord(record)
    const { key, id, body } = record
    const stream = this.#stream
    const subject = queueSubject(this.#namespace, this.name, key)
    const messageId = encodeHeader([...key, id].join('/'))
    const headers = publishOnceHeaders(stream, messageId, record.headers)
    checkPayload(this.#connection, subject, headers, body)
    const deadline = Date.now() + timeout
    let unclear: string | undefined
    for (;;) {
      const left = deadline - Date.now()
      if (left <= 0 || signal?.aborted || this.#connection.closed)
        throw notPut(subject, timeout, unclear, signal)
      const request = { stream, subject, headers, body }
      const outcome = await publishOnce(this.#connection, {
        ...request,
        timeout: Math.min(attemptTimeout, left),
      })
      switch (outcome.kind) {
        case 'stored':
          return { position: outcome.position, duplicate: outcome.duplicate }
        case 'refused':
          throw apiError(outcome.error, `a record on ${subject}`)
        case 'unclear':
          unclear = outcome.why
          await pause(Math.min(50, left), signal)
          break
        case 'not-now':
          await pause(1 + Math.random() * 4, signal)
          break
      }
      await this.#connection.whenConnected(deadline - Date.now(), signal)
    }
  }

  async *read(options: QueueReadOptions = {}): AsyncGenerator<QueueRecord> {
    const { after = 0, upTo, key, signal } = options
    let last = after
    const filter =
      key === undefined
        ? queueSubjects(this.#namespace, this.name)
        : queueSubject(this.#namespace, this.name, key)
    for await (const message of directScan(
      this.#connection,
      this.#stream,
      filter,
      after + 1,
      signal,
    )) {
      throwIfAborted(signal, `reading ${this.#stream}`)
      if (message.position > (upTo ?? Infinity)) return
      last = message.position
      yield this.#toRecord(message)
    }
    if (upTo === undefined) return
    // The replica that answered may lag behind; the leader knows whether there is more (J3).
    while (last < upTo) {
      const query = { seq: last + 1, next_by_subj: filter }
      const message = await leaderGet(this.#connection, this.#stream, query, { signal })
      if (message === undefined || message.position > upTo) return
      last = message.position
      yield this.#toRecord(message)
    }
  }

  /** Q4. */
  async *follow(options: {
    readonly after?: Position
    readonly signal: AbortSignal
  }): AsyncGenerator<QueueRecord> {
    let { after = 0 } = options
    const signal = AbortSignal.any([options.signal, this.#closing.signal])
    if (signal.aborted) return
    const bell = new WakeSignal()
    const subject = queuedSubjects(this.#namespace, this.name)
    const subscription = await this.#connection.subscribe(
      subject,
      message => bell.raise(Number(message.headers?.last('Nats-Sequence') ?? 0)),
      { signal },
    )
    const stopListening = this.#connection.onInterruption(() => bell.wakeAll())
    let looks = 0
    try {
      while (!signal.aborted) {
        const rung = bell.position
        const before = after
        try {
          for await (const record of this.read({ after, signal })) {
            after = record.position
            yield record
            if (signal.aborted) return
          }
        } catch (error) {
          if (signal.aborted) return
          // What could not be read while the server was away is read when it is back.
          if (!isCairnError(error, 'store-unreachable') || this.#connection.closed)
            throw error
        }
        if (after > before) looks = 0
        if (bell.position > rung) continue
        // A replica may lag behind the notice; or what was rung is removed by now.
        if (rung > after && ++looks <= lagLooks) await pause(lagPause, signal)
        else await bell.wait(Math.max(rung, after), lookEvery, signal)
      }
    } finally {
      stopListening()
      subscription.unsubscribe()
    }
  }

  async lastPosition(options: { readonly signal?: AbortSignal } = {}): Promise<Position> {
    const info = await readStream(this.#connection, this.#stream, options)
    return info?.state.last_seq ?? 0
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
    // The server says it in several ways that nothing is there (Q5).
    const stored = await leaderGet(this.#connection, this.#stream, { seq: position })
    if (stored === undefined) return
    throw apiError(removed.error, `removing record ${position} of ${this.#stream}`)
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

/** Milliseconds for a replica to catch up with what a notice has told, and how often to grant them. */
const lagPause = 20
const lagLooks = 25

function notPut(
  subject: string,
  timeout: number,
  unclear: string | undefined,
  signal: AbortSignal | undefined,
): CairnError {
  if (unclear !== undefined)
    return new CairnError(
      'outcome-unknown',
      `Whether the record on ${subject} is stored is not known: ${unclear}. Put it again under the same id.`,
    )
  if (signal?.aborted)
    return new CairnError(
      'aborted',
      `Stopped putting a record on ${subject}: the caller's signal was aborted. Nothing was stored.`,
    )
  return new CairnError(
    'store-unreachable',
    `A record on ${subject} could not be stored within ${timeout} ms: NATS does not answer. ` +
      'Nothing was stored; the put may be repeated.',
  )
}
