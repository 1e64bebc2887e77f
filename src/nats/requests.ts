// Requests over one shared reply inbox: appends and all other requests to the server.
//
// The client library creates a timer, promises and two stack traces per request; at the rate
// of appends that takes most of a core. Here a request is one slot in a table: its reply
// subject names the slot, and one sweep checks all deadlines. The client library sends what is
// published within one turn of the event loop in one write.
//
// REQUESTS-1. A slot is settled exactly once: by its reply, its deadline, its caller's signal, or the
//     loss of the connection.
// REQUESTS-2. A reply without a slot (late, or forged) is dropped.
// REQUESTS-3. In each lane, the window limits the slots that are open (REQUESTS-8). Further requests are queued, in order: a
//     slot that becomes free goes to the first queued request of its lane. At most `queuedMax` are queued in a lane.
// REQUESTS-4. On a disconnect every open slot is settled as `disconnected`: what the server did with
//     it is unknown, and the caller must find out. The same on the reconnect: the library drops
//     what is published in between.
// REQUESTS-5. The time in the queue counts towards the timeout. A request that is not sent in time ends as `not-sent`.
// REQUESTS-6. A caller's signal has one listener, however many requests it ends. The sweep that finds
//     none of them open removes it.
// REQUESTS-7. What Cairn itself needs to go on (probes, checkpoints, timers, calls of the JetStream API) has a lane of its
//     own, and so have requests with many replies: a reader has one at a time. Whatever commands and appends fill, these
//     are neither refused nor delayed.
// REQUESTS-8. Writes that time out are sent again by their callers: in a lane where answers take longer than attempts, none
//     would ever be answered in time. So the window is cut when writes time out, and grows with their answers
//     (AIMD-WINDOW-1).

import type { Msg, NatsConnection, Subscription } from 'nats'
import { ErrorCode, NatsError, nuid } from 'nats'

import { AimdWindow } from '../model/aimd-window.js'
import { CairnError } from '../model/errors.js'
import { type Link, LinkedQueue } from '../model/linked-queue.js'
import { rawHeaders, readHeaderBlock } from './headers.js'

/** How a request ended. */
export type Reply =
  | { readonly kind: 'message'; readonly message: Msg }
  /** The subject has no subscriber: a stream without a leader, or no JetStream. */
  | { readonly kind: 'no-responders' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'disconnected' }
  /** The caller's signal fired after the request was sent. */
  | { readonly kind: 'aborted' }
  /** The server does not allow this user to publish on the subject. */
  | { readonly kind: 'forbidden'; readonly subject: string }
  /** Nothing was sent: too many other requests are in flight, or the signal had fired. */
  | { readonly kind: 'not-sent' }
  /** A write to a stream whose writes fail; it was sent. */
  | { readonly kind: 'write-failed'; readonly reason: string }
  /** It was not sent: it is larger than the server's max_payload. */
  | { readonly kind: 'too-large' }

/** A message that is sent right before a request. */
export interface OutgoingMessage {
  readonly subject: string
  readonly headers: Uint8Array
  readonly body: Uint8Array
}

export interface RequestOptions {
  /** Encoded header lines. */
  readonly headers?: Uint8Array
  /** Messages to send right before it, on the same connection, without a reply. */
  readonly preceding?: readonly OutgoingMessage[]
  /** Ends the wait; the server may still handle the request. */
  readonly signal?: AbortSignal | undefined
  /** The stream that it writes to. */
  readonly stream?: string
  /** Cairn's own request, which no user's request delays (REQUESTS-7). */
  readonly isReserved?: boolean | undefined
}

/** The slots of one kind of requests, and those that wait for one (REQUESTS-3). */
interface Lane {
  readonly queue: LinkedQueue<QueuedRequest>
  /** REQUESTS-8. */
  readonly window: AimdWindow
  /** Slots in the table, and slots handed to a queued request that is not sent yet. */
  inUse: number
}

interface Slot {
  readonly lane: Lane
  readonly token: number
  readonly subject: string
  readonly stream: string | undefined
  deadline: number
  readonly timeout: number
  readonly signal: AbortSignal | undefined
  settle(reply: Reply): void
  /** For a request with many replies: receives each, and returns whether it is the last. */
  readonly onReply: ((message: Msg) => boolean) | undefined
}

/** A queued request. `start` gets the milliseconds left, 0 to end it as `not-sent`. */
interface QueuedRequest {
  readonly deadline: number
  readonly signal: AbortSignal | undefined
  /** Removes it from its queue. */
  withdraw(): void
  start(left: number): void
}

/** The requests that a signal ends (REQUESTS-6). */
interface SignalWatch {
  readonly open: Set<Slot | QueuedRequest>
  readonly listener: () => void
}

/** Milliseconds. */
const sweepInterval = 50
/** Age at which a write counts as slow. */
const slowAfter = 500
/** The client library's code for a message above the server's max_payload. */
const tooLargeCode: string = ErrorCode.MaxPayloadExceeded
const inFlightMax = 4096
const queuedMax = 65_536
const reservedInFlightMax = 1024
/** REQUESTS-8. */
const windowLimits = { min: 128, answersPerStep: 4, cutInterval: 500 }
const noOptions: RequestOptions = {}

/** Options of Cairn's own requests (REQUESTS-7). */
export const reserved = { isReserved: true } as const

export class Requests {
  readonly #nc: NatsConnection
  readonly #prefix: string
  readonly #subscription: Subscription
  readonly #slots = new Map<number, Slot>()
  readonly #signals = new Map<AbortSignal, SignalWatch>()
  readonly #users = newLane(inFlightMax)
  /** REQUESTS-7. */
  readonly #reserved = newLane(reservedInFlightMax)
  readonly #readers = newLane(reservedInFlightMax)
  readonly #lanes = [this.#users, this.#reserved, this.#readers]
  #nextToken = 0
  #closed = false
  #inboxRefusal: Error | undefined
  /** When the latest message was received. */
  #lastReceived = 0
  /** Of a request that ended without a reply: since when it had heard nothing. */
  #silentSince: number | undefined
  /** Called for the stream of each write that is slow, at each sweep. */
  onSlowWrite: ((stream: string) => void) | undefined
  #sweeper: NodeJS.Timeout | undefined

  constructor(nc: NatsConnection, inboxPrefix: string) {
    this.#nc = nc
    this.#prefix = `${inboxPrefix}.${nuid.next()}.`
    this.#subscription = nc.subscribe(`${this.#prefix}*`, {
      callback: (error, message) => {
        if (error === null) this.#receive(message)
        else this.#refuse(error)
      },
    })
  }

  get inFlight(): number {
    return this.#slots.size
  }

  /** Sends a request and resolves with its reply, or with why there is none. Rejects only with `queue-full`. */
  request(
    subject: string,
    body: Uint8Array,
    timeout: number,
    options: RequestOptions = noOptions,
  ): Promise<Reply> {
    return this.#start(subject, body, timeout, options, undefined)
  }

  /**
   * Sends a request that has many replies. `onReply` receives each and returns whether it is
   * the last; `timeout` is the longest time between two. Resolves with the last.
   */
  requestMany(
    subject: string,
    body: Uint8Array,
    timeout: number,
    onReply: (message: Msg) => boolean,
  ): Promise<Reply> {
    return this.#start(subject, body, timeout, noOptions, onReply)
  }

  /** The error if the server refused the subscription to the inbox: then no request is answered. */
  get inboxError(): Error | undefined {
    return this.#inboxRefusal
  }

  /** Since when nothing is received although JetStream owes an answer, ms since 1970. */
  get silentSince(): number | undefined {
    if (this.#silentSince !== undefined) return this.#silentSince
    const now = Date.now()
    for (const slot of this.#slots.values()) {
      const since = this.#unheardSince(slot, now)
      if (since !== undefined) return since
    }
    return undefined
  }

  get inbox(): string {
    return `${this.#prefix}*`
  }

  /** REQUESTS-4. */
  disconnected(): void {
    this.#silentSince = undefined
    this.#settleAll({ kind: 'disconnected' })
  }

  /** The server refused a publish on `subject`. */
  forbidden(subject: string): void {
    for (const slot of this.#slots.values())
      if (slot.subject === subject) this.#settle(slot, { kind: 'forbidden', subject })
  }

  /** Whether a write to the stream is slow. */
  hasSlowWrite(stream: string): boolean {
    const before = Date.now() - slowAfter
    for (const slot of this.#slots.values())
      if (slot.stream === stream && slot.deadline - slot.timeout < before) return true
    return false
  }

  /** The server fails to write the stream: no write in flight to it is answered. */
  endWrites(stream: string, reason: string): void {
    for (const slot of this.#slots.values())
      if (slot.stream === stream) this.#settle(slot, { kind: 'write-failed', reason })
  }

  close(): void {
    this.#closed = true
    this.#subscription.unsubscribe()
    for (const { queue } of this.#lanes)
      for (let queued = queue.shift(); queued; queued = queue.shift()) queued.start(0)
    this.#settleAll({ kind: 'disconnected' })
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
    this.#unwatch()
  }

  /** Sends at once if a slot is free, else queues the request (REQUESTS-3). */
  #start(
    subject: string,
    body: Uint8Array,
    timeout: number,
    options: RequestOptions,
    onReply: Slot['onReply'],
  ): Promise<Reply> {
    if (this.#closed || options.signal?.aborted) return Promise.resolve(notSent)
    const lane = this.#laneOf(options, onReply)
    const hasSlot = lane.inUse < lane.window.size
    if (!hasSlot && lane.queue.size >= queuedMax)
      return Promise.reject(queueFull(queuedMax))
    return new Promise(resolve => {
      if (hasSlot) {
        lane.inUse++
        return this.#send(lane, subject, body, timeout, options, resolve, onReply)
      }
      const { signal } = options
      const queued: QueuedRequest = {
        deadline: Date.now() + timeout,
        signal,
        withdraw: () => lane.queue.remove(link),
        start: left => {
          if (signal !== undefined) this.#signals.get(signal)?.open.delete(queued)
          if (left === 0) resolve(notSent)
          else this.#send(lane, subject, body, left, options, resolve, onReply)
        },
      }
      const link: Link<QueuedRequest> = lane.queue.add(queued)
      if (signal !== undefined) this.#watch(signal, queued)
    })
  }

  /** REQUESTS-7. */
  #laneOf({ isReserved }: RequestOptions, onReply: Slot['onReply']): Lane {
    if (onReply !== undefined) return this.#readers
    return isReserved === true ? this.#reserved : this.#users
  }

  #send(
    lane: Lane,
    subject: string,
    body: Uint8Array,
    timeout: number,
    { headers, preceding, signal, stream }: RequestOptions,
    settle: (reply: Reply) => void,
    onReply: Slot['onReply'],
  ): void {
    const token = this.#nextToken++
    const deadline = Date.now() + timeout
    const slot: Slot = {
      lane,
      token,
      subject,
      stream,
      deadline,
      timeout,
      signal,
      settle,
      onReply,
    }
    this.#slots.set(token, slot)
    if (signal !== undefined) this.#watch(signal, slot)
    this.#sweeper ??= setInterval(this.#sweep, sweepInterval)
    if (this.#inboxRefusal !== undefined)
      return this.#settle(slot, { kind: 'forbidden', subject: this.inbox })
    const reply = this.#prefix + token
    try {
      if (preceding !== undefined)
        for (const first of preceding)
          this.#nc.publish(first.subject, first.body, {
            headers: rawHeaders(first.headers),
          })
      this.#nc.publish(
        subject,
        body,
        headers === undefined ? { reply } : { reply, headers: rawHeaders(headers) },
      )
    } catch (error) {
      // A closed connection, or a message over which the server would close it: nothing was sent.
      const isTooLarge = error instanceof NatsError && error.code === tooLargeCode
      this.#settle(slot, { kind: isTooLarge ? 'too-large' : 'disconnected' })
    }
  }

  #receive(message: Msg): void {
    this.#lastReceived = Date.now()
    this.#silentSince = undefined
    const slot = this.#slots.get(numberAt(message.subject, this.#prefix.length))
    if (slot === undefined) return // REQUESTS-2
    if (message.data.length === 0 && readHeaderBlock(message).code === 503)
      return this.#settle(slot, { kind: 'no-responders' })
    if (slot.onReply !== undefined && !slot.onReply(message)) {
      slot.deadline = Date.now() + slot.timeout
      return
    }
    this.#settle(slot, { kind: 'message', message })
  }

  #refuse(error: Error): void {
    this.#inboxRefusal = error
    this.#settleAll({ kind: 'forbidden', subject: this.inbox })
  }

  #settle(slot: Slot, reply: Reply): void {
    if (!this.#slots.delete(slot.token)) return // REQUESTS-1
    if (slot.signal !== undefined) this.#signals.get(slot.signal)?.open.delete(slot)
    slot.settle(reply)
    const { lane } = slot
    if (slot.stream !== undefined && reply.kind === 'message') lane.window.answered()
    lane.inUse--
    while (lane.inUse < lane.window.size) {
      const first = lane.queue.shift()
      if (first === undefined) return
      lane.inUse++
      first.start(Math.max(1, first.deadline - Date.now()))
    }
  }

  /** Since when JetStream owes an answer and nothing is received. (Other requests are answered by nodes.) */
  #unheardSince(
    { stream, subject, deadline, timeout }: Slot,
    now: number,
  ): number | undefined {
    if (stream === undefined && !subject.startsWith('$JS.')) return undefined
    const sentAt = deadline - timeout
    // What the server had sent before it fell silent can arrive after the request was sent.
    const since = Math.max(sentAt, this.#lastReceived)
    const isExpired = now >= deadline && since === sentAt
    return isExpired || now - since >= slowAfter ? since : undefined
  }

  /** Ends a request that had no reply. */
  #giveUp(slot: Slot, kind: 'timeout' | 'aborted', now: number): void {
    this.#silentSince ??= this.#unheardSince(slot, now)
    if (slot.stream !== undefined && kind === 'timeout') slot.lane.window.cut(now)
    this.#settle(slot, { kind })
  }

  #settleAll(reply: Reply): void {
    for (const slot of this.#slots.values()) this.#settle(slot, reply)
  }

  /** REQUESTS-6. */
  #watch(signal: AbortSignal, one: Slot | QueuedRequest): void {
    const known = this.#signals.get(signal)
    if (known !== undefined) return void known.open.add(one)
    const open = new Set([one])
    const listener = () => {
      for (const ended of open)
        if ('settle' in ended) this.#giveUp(ended, 'aborted', Date.now())
        else this.#abandon(ended)
    }
    signal.addEventListener('abort', listener, { once: true })
    this.#signals.set(signal, { open, listener })
  }

  #unwatch(): void {
    for (const [signal, { open, listener }] of this.#signals) {
      if (open.size > 0) continue
      signal.removeEventListener('abort', listener)
      this.#signals.delete(signal)
    }
  }

  #abandon(queued: QueuedRequest): void {
    queued.withdraw()
    queued.start(0)
  }

  /** Stops itself once no slot is open and no request is queued. */
  readonly #sweep = () => {
    const now = Date.now()
    let slow: string | undefined
    for (const slot of this.#slots.values()) {
      const { stream, deadline, timeout } = slot
      if (stream !== undefined && stream !== slow && now - deadline + timeout > slowAfter)
        this.onSlowWrite?.((slow = stream))
      if (deadline <= now) this.#giveUp(slot, 'timeout', now)
    }
    // REQUESTS-5: the first queued request may have received a slot just above.
    for (const { queue } of this.#lanes)
      for (const { item } of queue.links()) if (item.deadline <= now) this.#abandon(item)
    this.#unwatch()
    if (this.#slots.size > 0 || this.#lanes.some(({ queue }) => queue.size > 0)) return
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }
}

const notSent: Reply = { kind: 'not-sent' }

function newLane(max: number): Lane {
  return {
    queue: new LinkedQueue(),
    window: new AimdWindow({ ...windowLimits, max }),
    inUse: 0,
  }
}

export function queueFull(limit: number): CairnError {
  return new CairnError(
    'queue-full',
    `${limit} requests are queued for the NATS server, which is the limit: slow down, or add nodes.`,
    { details: { limit } },
  )
}

/** The digits from `from` to the end as a number; -1 if there is anything else. */
function numberAt(text: string, from: number): number {
  let number = 0
  for (let i = from; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return -1
    number = number * 10 + digit
  }
  return from < text.length ? number : -1
}
