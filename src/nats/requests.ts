// Requests over one shared reply inbox: the pipelined publisher of appends, and every other
// question to the server.
//
// The client library makes a timer, promises and two stack traces per request; at the rate
// of appends that is most of a core. Here a request is one slot in a table: the reply
// subject names the slot, one sweep looks after all deadlines. What is published within one
// turn of the event loop goes out together: the library sees to that.
//
// R1. A slot is settled exactly once: by its reply, its deadline, its caller's signal, or the
//     connection's loss.
// R2. A reply for no slot (late, or forged) is dropped.
// R3. At most `inFlightMax` slots are open; further requests wait in line, in order. A slot
//     that becomes free is handed to the first in line, before anybody who comes later.
// R4. On a disconnect every open slot is settled as `disconnected`: what the server did with
//     it is unknown, and the caller must find out. So on the reconnect: the library drops
//     what is written in between.
// R5. Waiting in line counts against the timeout. Who is not sent in time hears `not-sent`.
// R6. Of a caller's signal there is one listener, however many requests it ends; it is taken
//     away by the sweep that finds none of them open.

import type { Msg, NatsConnection, Subscription } from 'nats'
import { nuid } from 'nats'

import { CairnError } from '../model/errors.js'
import { rawHeaders, readHeaderBlock } from './headers.js'

/** How a request ended. */
export type Reply =
  | { readonly kind: 'message'; readonly message: Msg }
  /** Nobody listens on the subject: a stream without a leader, or no JetStream. */
  | { readonly kind: 'no-responders' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'disconnected' }
  /** The caller's signal fired after it was sent: nobody waits for the answer any more. */
  | { readonly kind: 'aborted' }
  /** The server does not let this user publish the subject. */
  | { readonly kind: 'forbidden'; readonly subject: string }
  /** Nothing was sent: too many other requests are in flight, or the signal had fired. */
  | { readonly kind: 'not-sent' }

/** A message that goes out ahead of a request. */
export interface OutgoingMessage {
  readonly subject: string
  readonly headers: Uint8Array
  readonly body: Uint8Array
}

export interface RequestOptions {
  /** As they go over the wire. */
  readonly headers?: Uint8Array
  /** What has to go out right before it, on the same connection; no reply is asked for it. */
  readonly preceding?: readonly OutgoingMessage[]
  /** Ends the wait, not what the server makes of the request. */
  readonly signal?: AbortSignal | undefined
}

interface Slot {
  readonly token: number
  readonly subject: string
  deadline: number
  readonly timeout: number
  readonly signal: AbortSignal | undefined
  settle(reply: Reply): void
  /** Where a request has many replies: takes one, and says whether it was the last. */
  readonly onReply: ((message: Msg) => boolean) | undefined
}

/** A request in line; `go(0)` says that its time is up, else how much of it is left. */
interface QueuedRequest {
  readonly deadline: number
  readonly signal: AbortSignal | undefined
  start(left: number): void
}

/** Those whom a signal ends (R6). */
interface SignalWatch {
  readonly open: Set<Slot | QueuedRequest>
  readonly listener: () => void
}

const sweepEvery = 50
const inFlightMax = 4096
const waitingMax = 65_536
const noOptions: RequestOptions = {}

export class Requests {
  readonly #nc: NatsConnection
  readonly #prefix: string
  readonly #subscription: Subscription
  readonly #slots = new Map<number, Slot>()
  readonly #signals = new Map<AbortSignal, SignalWatch>()
  #queue: QueuedRequest[] = []
  /** Slots in the table, and those handed over whose request is not sent yet. */
  #slotsInUse = 0
  #nextToken = 0
  #closed = false
  #inboxRefusal: Error | undefined
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

  /** Sends and resolves with the one reply, or with why there is none. Never rejects for these. */
  request(
    subject: string,
    body: Uint8Array,
    timeout: number,
    options: RequestOptions = noOptions,
  ): Promise<Reply> {
    return this.#start(subject, body, timeout, options, undefined)
  }

  /**
   * Sends one request that has many replies. `take` gets each and returns whether it was
   * the last; `timeout` is the longest silence between two. Resolves with the last.
   */
  requestMany(
    subject: string,
    body: Uint8Array,
    timeout: number,
    take: (message: Msg) => boolean,
  ): Promise<Reply> {
    return this.#start(subject, body, timeout, noOptions, take)
  }

  /** Why the server does not let this user hear replies, if it said so: no request is answered then. */
  get inboxError(): Error | undefined {
    return this.#inboxRefusal
  }

  get inbox(): string {
    return `${this.#prefix}*`
  }

  /** R4. */
  disconnected(): void {
    this.#settleAll({ kind: 'disconnected' })
  }

  /** The server refused to let this user publish `subject`. */
  forbidden(subject: string): void {
    for (const slot of this.#slots.values())
      if (slot.subject === subject) this.#settle(slot, { kind: 'forbidden', subject })
  }

  close(): void {
    this.#closed = true
    this.#subscription.unsubscribe()
    for (const waiter of this.#queue.splice(0)) waiter.start(0)
    this.#settleAll({ kind: 'disconnected' })
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
    this.#unwatch()
  }

  /** Sends at once where a slot is free, else when it is this request's turn (R3). */
  #start(
    subject: string,
    body: Uint8Array,
    timeout: number,
    options: RequestOptions,
    take: Slot['onReply'],
  ): Promise<Reply> {
    if (this.#closed || options.signal?.aborted) return Promise.resolve(notSent)
    if (this.#slotsInUse >= inFlightMax && this.#queue.length >= waitingMax)
      return Promise.reject(queueFull(waitingMax))
    return new Promise(resolve => {
      if (this.#slotsInUse < inFlightMax) {
        this.#slotsInUse++
        return this.#send(subject, body, timeout, options, resolve, take)
      }
      const { signal } = options
      const waiter: QueuedRequest = {
        deadline: Date.now() + timeout,
        signal,
        start: left => {
          if (signal !== undefined) this.#signals.get(signal)?.open.delete(waiter)
          if (left === 0) resolve(notSent)
          else this.#send(subject, body, left, options, resolve, take)
        },
      }
      this.#queue.push(waiter)
      if (signal !== undefined) this.#watch(signal, waiter)
    })
  }

  #send(
    subject: string,
    body: Uint8Array,
    timeout: number,
    { headers, preceding, signal }: RequestOptions,
    settle: (reply: Reply) => void,
    take: Slot['onReply'],
  ): void {
    const token = this.#nextToken++
    const deadline = Date.now() + timeout
    const slot: Slot = {
      token,
      subject,
      deadline,
      timeout,
      signal,
      settle,
      onReply: take,
    }
    this.#slots.set(token, slot)
    if (signal !== undefined) this.#watch(signal, slot)
    this.#sweeper ??= setInterval(this.#sweep, sweepEvery)
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
    } catch {
      // A closed connection: nothing was sent.
      this.#settle(slot, { kind: 'disconnected' })
    }
  }

  #receive(message: Msg): void {
    const slot = this.#slots.get(numberAt(message.subject, this.#prefix.length))
    if (slot === undefined) return // R2
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
    if (!this.#slots.delete(slot.token)) return // R1
    if (slot.signal !== undefined) this.#signals.get(slot.signal)?.open.delete(slot)
    slot.settle(reply)
    const first = this.#queue.length === 0 ? undefined : this.#queue.shift()
    if (first === undefined) this.#slotsInUse--
    else first.start(Math.max(1, first.deadline - Date.now()))
  }

  #settleAll(reply: Reply): void {
    for (const slot of this.#slots.values()) this.#settle(slot, reply)
  }

  /** R6. */
  #watch(signal: AbortSignal, one: Slot | QueuedRequest): void {
    const known = this.#signals.get(signal)
    if (known !== undefined) return void known.open.add(one)
    const open = new Set([one])
    const listener = () => {
      for (const ended of open)
        if ('settle' in ended) this.#settle(ended, { kind: 'aborted' })
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

  #abandon(waiter: QueuedRequest): void {
    this.#queue = this.#queue.filter(other => other !== waiter)
    waiter.start(0)
  }

  /** Ends itself when nothing has been left to look after since it was here last. */
  readonly #sweep = () => {
    const now = Date.now()
    for (const slot of this.#slots.values())
      if (slot.deadline <= now) this.#settle(slot, { kind: 'timeout' })
    // R5. Whoever is first in line by now may have been handed a slot just above.
    if (this.#queue.some(({ deadline }) => deadline <= now)) {
      const late = this.#queue.filter(({ deadline }) => deadline <= now)
      this.#queue = this.#queue.filter(({ deadline }) => deadline > now)
      for (const waiter of late) waiter.start(0)
    }
    this.#unwatch()
    if (this.#slots.size > 0 || this.#queue.length > 0) return
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }
}

const notSent: Reply = { kind: 'not-sent' }

export function queueFull(limit: number): CairnError {
  return new CairnError(
    'queue-full',
    `${limit} requests already wait for the NATS server: slow down, or add nodes.`,
    { details: { limit } },
  )
}

/** The digits from there to the end as a number; -1 where anything else stands. */
function numberAt(text: string, from: number): number {
  let number = 0
  for (let i = from; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return -1
    number = number * 10 + digit
  }
  return from < text.length ? number : -1
}
