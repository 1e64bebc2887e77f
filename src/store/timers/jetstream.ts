// Timers on NATS JetStream: one message per timer, which the server publishes when it is due.
//
// TIMERS-JS-1. A timer's subject holds one schedule. A publish expects the position of the schedule
//     that it replaces (TIMERS-1), and a cancellation deletes by position (TIMERS-3).
// TIMERS-JS-2. An attempt without an answer is made again; the expectation shows whether it was
//     stored. A timer that fired in between fires twice, and its command takes effect once by its id.
// TIMERS-JS-3. The server keeps the time: timers that became due while it was down fire when it is
//     back, in the order in which they were set.
// TIMERS-JS-4. A stream that was emptied, or deleted and made again, has no marker (timers-marker.ts).

import { encodeHeaderLines } from '../../nats/headers.js'
import type { ActorAddress } from '../../model/address.js'
import { checkTimerName, type TimerGeneration, type Timer } from '../../model/timer.js'
import { throwIfAborted } from '../../model/wait.js'
import type { Connection } from '../../nats/connection.js'
import { leaderGet, type StoredMessage } from '../../nats/direct-get.js'
import { directScan } from '../../nats/direct-scan.js'
import { apiError } from '../../nats/errors.js'
import { callApi } from '../../nats/jetstream-api.js'
import { expectedHeader, publishExpecting } from '../../nats/publish.js'
import { attemptTimeout, publishWithRetries } from '../../nats/publish-with-retries.js'
import { putTimersMarker, timersMarker } from '../../nats/timers-marker.js'
import {
  parseTimerSubject,
  queueStream,
  queueSubject,
  timerSubject,
  timerSubjects,
} from '../../nats/subjects.js'
import { JetStreamQueue } from '../queue/jetstream.js'
import { type PutOptions, putTimeoutDefault, type Queue } from '../queue/queue.js'
import {
  actorKeyOf,
  isReplacedBy,
  isSameFiring,
  type ListTimersOptions,
  readTimer,
  timerRecord,
  type Timers,
} from './timers.js'

export class JetStreamTimers implements Timers {
  readonly due: Queue
  readonly #connection: Connection
  readonly #namespace: string
  readonly #partitions: number
  readonly #stream: string

  constructor(connection: Connection, namespace: string, partitions: number) {
    this.due = new JetStreamQueue(connection, namespace, 'due')
    this.#connection = connection
    this.#namespace = namespace
    this.#partitions = partitions
    this.#stream = queueStream(namespace, 'due')
  }

  /** TIMERS-JS-1: a new timer costs one round trip. */
  async set(timer: Timer, options: PutOptions = {}): Promise<boolean> {
    return this.#put(timer, options, 0, known => isReplacedBy(known, timer))
  }

  async advance(timer: Timer, options: PutOptions = {}): Promise<void> {
    await this.#put(timer, options, undefined, known => isSameFiring(known, timer))
  }

  async cancel(
    actor: ActorAddress,
    name: string,
    before: TimerGeneration,
    options: PutOptions = {},
  ): Promise<boolean> {
    const subject = this.#subjectOf(actor, name)
    const bounds = boundsOf(options)
    for (;;) {
      const found = await this.#last(subject, options)
      const known = found && this.#timerIn(found)
      if (found === undefined) return false
      if (known !== undefined && known.generation >= before) return false
      const { position } = found
      const removed = await callApi(
        this.#connection,
        `STREAM.MSG.DELETE.${this.#stream}`,
        { seq: position, no_erase: true },
        bounds,
      )
      if (removed.ok) return true
      // It has fired or was replaced: the server reports a missing message with several errors.
      const stored = await leaderGet(
        this.#connection,
        this.#stream,
        { seq: position },
        bounds,
      )
      if (stored !== undefined)
        throw apiError(removed.error, `cancelling the timer on ${subject}`)
    }
  }

  async get(
    actor: ActorAddress,
    name: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Timer | undefined> {
    const subject = this.#subjectOf(actor, name)
    const found = await this.#last(subject, options)
    return found && this.#timerIn(found)
  }

  async *list({ actor, signal }: ListTimersOptions = {}): AsyncGenerator<Timer> {
    const filter = timerSubjects(
      this.#namespace,
      actor && actorKeyOf(actor, this.#partitions),
    )
    for await (const message of directScan(
      this.#connection,
      this.#stream,
      filter,
      1,
      signal,
    )) {
      throwIfAborted(signal, 'listing timers')
      const timer = this.#timerIn(message)
      if (timer !== undefined) yield timer
    }
  }

  /** TIMERS-JS-3. */
  async nextDueAt(): Promise<undefined> {
    return undefined
  }

  get place(): string {
    return this.#stream
  }

  /** TIMERS-JS-4. */
  async completeness({ signal }: { readonly signal?: AbortSignal } = {}) {
    const marker = await timersMarker(this.#connection, this.#namespace, signal)
    if (marker === 'present') return 'complete'
    return marker === 'absent' ? 'incomplete' : 'unknown'
  }

  /** TIMERS-JS-4. */
  setComplete(): Promise<void> {
    return putTimersMarker(this.#connection, this.#namespace)
  }

  /** TIMERS-JS-3. */
  async run(): Promise<void> {}

  close(): Promise<void> {
    return this.due.close()
  }

  /**
   * Stores a timer if `replaces` accepts the stored one; returns whether it did (TIMERS-JS-2).
   *
   * @param expected position of the stored one; undefined to read it first
   */
  async #put(
    timer: Timer,
    { signal, timeout = putTimeoutDefault }: PutOptions,
    expected: number | undefined,
    replaces: (known: Timer | undefined) => boolean,
  ): Promise<boolean> {
    const { key, actorKey, headers, body } = timerRecord(timer, this.#partitions)
    const stream = this.#stream
    const subject = timerSubject(this.#namespace, key)
    const target = queueSubject(this.#namespace, 'due', actorKey)
    const attempt = async (left: () => number) => {
      if (expected === undefined) {
        const found = await this.#last(subject, { signal, timeout: left() })
        if (!replaces(found && this.#timerIn(found))) return notReplaced
        expected = found?.position ?? 0
      }
      const lines = encodeHeaderLines([
        ['Nats-Expected-Stream', stream],
        [expectedHeader, String(expected)],
        ['Nats-Schedule', `@at ${new Date(timer.at).toISOString()}`],
        ['Nats-Schedule-Target', target],
        ...headers,
      ])
      const outcome = await publishExpecting(this.#connection, {
        stream,
        subject,
        expected,
        headers: lines,
        body,
        timeout: Math.min(attemptTimeout, Math.max(1, left())),
        isReserved: true,
      })
      if (outcome.kind !== 'wrong-sequence') return outcome
      expected = undefined
      return readAgain
    }
    const { outcome } = await publishWithRetries(
      this.#connection,
      {
        stream,
        subject,
        timeout,
        signal,
        target: `the timer on ${subject}`,
        remedy: 'Set it again.',
      },
      attempt,
    )
    return outcome.kind === 'stored'
  }

  #subjectOf(actor: ActorAddress, name: string): string {
    const key = [...actorKeyOf(actor, this.#partitions), checkTimerName(name)]
    return timerSubject(this.#namespace, key)
  }

  /** Reads from the leader: a replica may lag behind. */
  #last(subject: string, options: PutOptions): Promise<StoredMessage | undefined> {
    const query = { last_by_subj: subject }
    return leaderGet(this.#connection, this.#stream, query, boundsOf(options))
  }

  /** A message that is not a valid timer counts as none, and can be replaced. */
  #timerIn({ subject, headers, body }: StoredMessage): Timer | undefined {
    const key = parseTimerSubject(subject, this.#namespace) ?? []
    const timer = readTimer(key, Object.fromEntries(headers), body, this.#partitions)
    return typeof timer === 'string' ? undefined : timer
  }
}

function boundsOf({ signal, timeout }: PutOptions) {
  return { signal, ...(timeout !== undefined && { timeout }) }
}

const notReplaced = { kind: 'not-replaced' } as const
const readAgain = { kind: 'retry' } as const
