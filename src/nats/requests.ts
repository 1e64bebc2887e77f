// Requests over one shared reply inbox.
//
// The client library makes a timer, promises and two stack traces per request; at the rate
// of appends that is most of a core. Here a request is one slot in a table: the reply
// subject names the slot, one sweep looks after all deadlines.
//
// R1. A slot is settled exactly once: by its reply, its deadline, or the connection's loss.
// R2. A reply for no slot (late, or forged) is dropped.
// R3. At most `inFlightMax` slots are open; further requests wait in line, in order. A slot
//     that becomes free is handed to the first in line, before anybody who comes later.
// R4. On a disconnect every open slot is settled as `disconnected`: what the server did with
//     it is unknown, and the caller must find out. So on the reconnect: the library drops
//     what is written in between.
// R5. Waiting in line counts against the timeout. Who is not sent in time hears `not-sent`.

import type { Msg, NatsConnection, Subscription } from 'nats'
import { nuid } from 'nats'

import { CairnError } from '../model/errors.js'
import { deferred } from '../model/wait.js'
import { rawHeaders } from './headers.js'

/** How a request ended. */
export type Reply =
  | { readonly kind: 'message'; readonly message: Msg }
  /** Nobody listens on the subject: a stream without a leader, or no JetStream. */
  | { readonly kind: 'no-responders' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'disconnected' }
  /** The server does not let this user publish the subject. */
  | { readonly kind: 'forbidden'; readonly subject: string }
  /** Nothing was sent: too many other requests are in flight. */
  | { readonly kind: 'not-sent' }

/** A message that goes out ahead of a request. */
export interface Published {
  readonly subject: string
  readonly headers: Uint8Array
  readonly body: Uint8Array
}

interface Slot {
  readonly subject: string
  deadline: number
  readonly timeout: number
  settle(reply: Reply): void
  /** Where a request has many replies: takes one, and says whether it was the last. */
  readonly take?: (message: Msg) => boolean
}

/** A request in line; `go(false)` says that its time is up. */
interface Waiter {
  readonly deadline: number
  go(free: boolean): void
}

const sweepEvery = 50
const inFlightMax = 4096
const waitingMax = 65_536

export class Requests {
  readonly #nc: NatsConnection
  readonly #prefix: string
  readonly #subscription: Subscription
  readonly #slots = new Map<string, Slot>()
  #line: Waiter[] = []
  /** Slots in the table, and those handed over whose request is not sent yet. */
  #taken = 0
  #next = 0
  #closed = false
  #refused: Error | undefined
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

  /**
   * Sends and resolves with the one reply, or with why there is none. Never rejects for these.
   * What has to go out right before it, on the same connection, is `ahead`: no reply is asked
   * for it.
   */
  async request(
    subject: string,
    body: Uint8Array,
    timeout: number,
    headers?: Uint8Array,
    ahead: readonly Published[] = [],
  ): Promise<Reply> {
    const left = await this.#takeSlot(timeout)
    if (left === undefined) return { kind: 'not-sent' }
    return new Promise(resolve =>
      this.#send(subject, body, left, headers, resolve, undefined, ahead),
    )
  }

  /**
   * Sends one request that has many replies. `take` gets each and returns whether it was
   * the last; `timeout` is the longest silence between two. Resolves with the last.
   */
  async requestMany(
    subject: string,
    body: Uint8Array,
    timeout: number,
    take: (message: Msg) => boolean,
  ): Promise<Reply> {
    const left = await this.#takeSlot(timeout)
    if (left === undefined) return { kind: 'not-sent' }
    return new Promise(resolve =>
      this.#send(subject, body, left, undefined, resolve, take),
    )
  }

  /** Why the server does not let this user hear replies, if it said so: no request is answered then. */
  get refused(): Error | undefined {
    return this.#refused
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
    for (const [token, slot] of this.#slots)
      if (slot.subject === subject)
        this.#settle(token, slot, { kind: 'forbidden', subject })
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
    this.#subscription.unsubscribe()
    for (const waiter of this.#line.splice(0)) waiter.go(false)
    this.#settleAll({ kind: 'disconnected' })
  }

  #send(
    subject: string,
    body: Uint8Array,
    timeout: number,
    headers: Uint8Array | undefined,
    settle: (reply: Reply) => void,
    take?: (message: Msg) => boolean,
    ahead: readonly Published[] = [],
  ): void {
    const token = (this.#next++).toString(36)
    const slot: Slot = {
      subject,
      timeout,
      deadline: Date.now() + timeout,
      settle,
      ...(take !== undefined && { take }),
    }
    this.#slots.set(token, slot)
    this.#sweeper ??= this.#startSweeper()
    if (this.#refused !== undefined)
      return this.#settle(token, slot, { kind: 'forbidden', subject: this.inbox })
    const reply = this.#prefix + token
    try {
      for (const first of ahead)
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
      this.#settle(token, slot, { kind: 'disconnected' })
    }
  }

  #receive(message: Msg): void {
    const token = message.subject.slice(this.#prefix.length)
    const slot = this.#slots.get(token)
    if (slot === undefined) return // R2
    if (message.data.length === 0 && message.headers?.code === 503)
      return this.#settle(token, slot, { kind: 'no-responders' })
    if (slot.take !== undefined && !slot.take(message)) {
      slot.deadline = Date.now() + slot.timeout
      return
    }
    this.#settle(token, slot, { kind: 'message', message })
  }

  #refuse(error: Error): void {
    this.#refused = error
    this.#settleAll({ kind: 'forbidden', subject: this.inbox })
  }

  #settle(token: string, slot: Slot, reply: Reply): void {
    if (!this.#slots.delete(token)) return // R1
    slot.settle(reply)
    const first = this.#line.shift()
    if (first === undefined) this.#taken--
    else first.go(true)
    if (this.#slots.size === 0 && this.#line.length === 0) {
      clearInterval(this.#sweeper)
      this.#sweeper = undefined
    }
  }

  #settleAll(reply: Reply): void {
    for (const [token, slot] of this.#slots) this.#settle(token, slot, reply)
  }

  #startSweeper(): NodeJS.Timeout {
    return setInterval(() => {
      const now = Date.now()
      for (const [token, slot] of this.#slots)
        if (slot.deadline <= now) this.#settle(token, slot, { kind: 'timeout' })
      // R5. Whoever is first in line by now may have been handed a slot just above.
      if (!this.#line.some(({ deadline }) => deadline <= now)) return
      const late = this.#line.filter(({ deadline }) => deadline <= now)
      this.#line = this.#line.filter(({ deadline }) => deadline > now)
      for (const waiter of late) waiter.go(false)
    }, sweepEvery)
  }

  /** R3: resolves when a slot is free with what is left of the timeout, if anything (R5). */
  async #takeSlot(timeout: number): Promise<number | undefined> {
    if (this.#closed) return undefined
    if (this.#taken < inFlightMax) {
      this.#taken++
      return timeout
    }
    if (this.#line.length >= waitingMax)
      throw new CairnError(
        'queue-full',
        `${waitingMax} requests already wait for the NATS server: slow down, or add nodes.`,
        { details: { limit: waitingMax } },
      )
    const turn = deferred<boolean>()
    const deadline = Date.now() + timeout
    this.#line.push({ deadline, go: turn.resolve })
    if (!(await turn.promise)) return undefined
    return Math.max(1, deadline - Date.now())
  }
}
