// Timers on NATS JetStream: one message a timer, which the server itself publishes when it is due.
//
// J1. A timer's subject holds one schedule: a publish that expects the one that it replaces, by its
//     position, is how "later" is judged (T1), and a deletion by position how it is cancelled (T3).
// J2. An attempt without an answer is made again: what it did, the expectation finds out. A timer
//     that has become due in between becomes due twice; its firing acts once by its id.
// J3. The server watches the time: what was due while it was down becomes due when it is back, in the
//     order in which it was set.

import { encodeHeaderLines } from '../../nats/headers.js'
import type { ActorAddress } from '../../model/address.js'
import { CairnError } from '../../model/errors.js'
import {
  checkTimerName,
  type TimerGeneration,
  isBefore,
  type Timer,
} from '../../model/timer.js'
import { pause, throwIfAborted } from '../../model/wait.js'
import type { Connection } from '../../nats/connection.js'
import { directScan, leaderGet, type StoredMessage } from '../../nats/direct-get.js'
import { apiError } from '../../nats/errors.js'
import { callApi } from '../../nats/jetstream-api.js'
import { checkPayload, expectedHeader, publishExpecting } from '../../nats/publish.js'
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
  type ListTimersOptions,
  keyOfTimer,
  readTimer,
  timerRecord,
  type Timers,
} from './timers.js'

const attemptTimeout = 2_000

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

  /** J1: a timer that is new costs one round trip. */
  async set(timer: Timer, options: PutOptions = {}): Promise<boolean> {
    return this.#put(
      timer,
      options,
      0,
      known => known === undefined || isBefore(known, timer),
    )
  }

  async advance(timer: Timer, options: PutOptions = {}): Promise<void> {
    const isSame = (known: Timer | undefined) =>
      known !== undefined && !isBefore(known, timer) && !isBefore(timer, known)
    await this.#put(timer, options, undefined, isSame)
  }

  async cancel(
    actor: ActorAddress,
    name: string,
    before: TimerGeneration,
    options: PutOptions = {},
  ): Promise<boolean> {
    const place = keyOfTimer(actor, this.#partitions)
    const subject = timerSubject(this.#namespace, [...place, checkTimerName(name)])
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
      // It has become due, or was replaced: the server says in several ways that it is not there.
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
    const place = keyOfTimer(actor, this.#partitions)
    const subject = timerSubject(this.#namespace, [...place, checkTimerName(name)])
    const found = await this.#last(subject, options)
    return found && this.#timerIn(found)
  }

  async *list({ actor, signal }: ListTimersOptions = {}): AsyncGenerator<Timer> {
    const filter = timerSubjects(
      this.#namespace,
      actor && keyOfTimer(actor, this.#partitions),
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

  /** J3. */
  async run(): Promise<void> {}

  close(): Promise<void> {
    return this.due.close()
  }

  /**
   * Stores a timer if `replaces` says so of the one that is there.
   * @param expected position of the one that is there; undefined where it is to be looked for first
   */
  async #put(
    timer: Timer,
    { signal, timeout = putTimeoutDefault }: PutOptions,
    expected: number | undefined,
    replaces: (known: Timer | undefined) => boolean,
  ): Promise<boolean> {
    const { key, place, headers, body } = timerRecord(timer, this.#partitions)
    const subject = timerSubject(this.#namespace, key)
    const target = queueSubject(this.#namespace, 'due', place)
    const deadline = Date.now() + timeout
    let unclear: string | undefined
    for (;;) {
      const left = deadline - Date.now()
      if (left <= 0 || signal?.aborted || this.#connection.closed)
        throw notSet(subject, timeout, unclear, signal)
      if (expected === undefined) {
        const found = await this.#last(subject, { signal, timeout: left })
        if (!replaces(found && this.#timerIn(found))) return false
        expected = found?.position ?? 0
      }
      const lines = encodeHeaderLines([
        ['Nats-Expected-Stream', this.#stream],
        [expectedHeader, String(expected)],
        ['Nats-Schedule', `@at ${new Date(timer.at).toISOString()}`],
        ['Nats-Schedule-Target', target],
        ...headers,
      ])
      checkPayload(this.#connection, subject, lines, body)
      const outcome = await publishExpecting(this.#connection, {
        stream: this.#stream,
        subject,
        expected,
        headers: lines,
        body,
        timeout: Math.min(attemptTimeout, Math.max(1, deadline - Date.now())),
      })
      switch (outcome.kind) {
        case 'stored':
          return true
        case 'wrong-sequence':
          expected = undefined
          break
        case 'refused':
          throw apiError(outcome.error, `a timer on ${subject}`)
        case 'unclear':
          // J2.
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

  /** From the leader: a replica may not have heard of the last one. */
  #last(subject: string, options: PutOptions): Promise<StoredMessage | undefined> {
    const query = { last_by_subj: subject }
    return leaderGet(this.#connection, this.#stream, query, boundsOf(options))
  }

  /** What is no timer of ours counts as none, and gives way to one. */
  #timerIn({ subject, headers, body }: StoredMessage): Timer | undefined {
    const key = parseTimerSubject(subject, this.#namespace) ?? []
    const timer = readTimer(key, Object.fromEntries(headers), body, this.#partitions)
    return typeof timer === 'string' ? undefined : timer
  }
}

function boundsOf({ signal, timeout }: PutOptions) {
  return { signal, ...(timeout !== undefined && { timeout }) }
}

function notSet(
  subject: string,
  timeout: number,
  unclear: string | undefined,
  signal: AbortSignal | undefined,
): CairnError {
  if (unclear !== undefined)
    return new CairnError(
      'outcome-unknown',
      `Whether the timer on ${subject} is set is not known: ${unclear}. Set it again.`,
    )
  if (signal?.aborted)
    return new CairnError(
      'aborted',
      `Stopped setting a timer on ${subject}: the caller's signal was aborted. Nothing was stored.`,
    )
  return new CairnError(
    'store-unreachable',
    `A timer on ${subject} could not be set within ${timeout} ms: NATS does not answer. ` +
      'Nothing was stored; it may be set again.',
  )
}
