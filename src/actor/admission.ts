// Admission: which calls the host accepts.
//
// Owns the open calls of each actor type, whether the host accepts calls at all (HOST-1, HOST-3), and how long its commands took.
// ADMISSION-1. A call is refused before anything is done for it: before its data are copied, and without a timer.
// ADMISSION-2. Of what may be open, one actor type takes at most `typeShare`, if several are asked, and one actor at most
//     `actorShare`. The others are answered while one of them is flooded.
// ADMISSION-3. Cairn's own deliveries (of the inbox, the courier, timers, children and reactors) are counted, and not refused: their
//     number is bounded where they are read.

import type { ActorAddress } from '../model/address.js'
import { Deadlines } from '../model/deadlines.js'
import { Durations, type DurationsStats } from '../model/durations.js'
import { CairnError, refusal } from '../model/errors.js'
import { LoadLimit } from '../model/load-limit.js'
import {
  Call,
  type CallEnd,
  type CallOptions,
  CallPorts,
  callTimeoutDefault,
  type CallSubject,
  type EndedCall,
} from './call.js'

/** Calls that may be open whatever is measured. */
const openLeast = 1_000
/** ADMISSION-2. */
const typeShare = 0.75
const actorShare = 0.25

/** What admission needs to know of a call. */
export interface Arrival {
  readonly actor: ActorAddress
  readonly timeout?: number | undefined
  /** ADMISSION-3. */
  readonly isReserved?: boolean
}

/** What admission needs to know of the actors. */
export interface ActorLoad {
  /** Actors with open calls. */
  busy(): number
  /** The open calls of an actor. */
  openOf(actor: ActorAddress): number
}

/** From the arrival of commands until their answers. */
export interface CommandLatency {
  /** Accepted, whether events were stored or not. */
  readonly ok: DurationsStats
  readonly rejected: DurationsStats
  /** Ended in an error, among them those that were given up or are another node's. */
  readonly failed: DurationsStats
}

const outcomes = {
  answered: 'ok',
  rejected: 'rejected',
  failed: 'failed',
  'given-up': 'failed',
} as const

export class Admission {
  readonly #limit: LoadLimit
  readonly #load: ActorLoad
  /** The open calls of each type that was asked. */
  readonly #types = new Map<string, { open: number }>()
  readonly #ports = new CallPorts(new Deadlines(), (call, end) => this.#ended(call, end))
  /** Below this nothing is refused. */
  readonly #tried: number
  readonly #latency = {
    ok: new Durations(),
    rejected: new Durations(),
    failed: new Durations(),
  }
  #refused = 0
  #isClosed = false

  constructor(openMax: number, load: ActorLoad) {
    this.#load = load
    this.#limit = new LoadLimit(openMax, openLeast)
    this.#tried = Math.min(openMax, openLeast) * typeShare
  }

  /** The number of open calls. */
  get open(): number {
    return this.#limit.open
  }

  /** Calls refused since the start. */
  get refused(): number {
    return this.#refused
  }

  /** How long the commands took that have ended since the start, by how they ended. */
  latency(): CommandLatency {
    const { ok, rejected, failed } = this.#latency
    return { ok: ok.stats(), rejected: rejected.stats(), failed: failed.stats() }
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Accepts nothing more. */
  close(): void {
    this.#isClosed = true
  }

  /** Throws `node-closed` after {@link close}. */
  checkNotClosed(): void {
    if (this.#isClosed) throw nodeClosed()
  }

  /** Whether {@link refusal} may refuse a call: else it need not be asked. */
  get mayRefuse(): boolean {
    return this.#limit.open >= this.#tried
  }

  /** Throws `node-closed` or `queue-full` if no call is accepted now (ADMISSION-1). */
  check(arrival: Arrival): void {
    this.checkNotClosed()
    if (!this.mayRefuse || arrival.isReserved === true) return
    const refused = this.refusal(arrival)
    if (refused !== undefined) throw refused
  }

  /** The error with which a call is refused by load now; `undefined` if it is not. */
  refusal({ actor, timeout = callTimeoutDefault }: Arrival): CairnError | undefined {
    const limit = this.#limit.limitFor(timeout)
    if (this.#limit.open >= limit) {
      if (this.#hasRoomFor(actor, limit)) return undefined
      this.#refused++
      return queueFull(limit)
    }
    // ADMISSION-2.
    if (this.#types.size < 2) return undefined
    const share = Math.ceil(limit * typeShare)
    if ((this.#types.get(actor.type)?.open ?? 0) < share) return undefined
    this.#refused++
    return typeFull(actor.type, share)
  }

  /** ADMISSION-2. Whether others have filled more than their part of what may be open, and this actor less. */
  #hasRoomFor(actor: ActorAddress, limit: number): boolean {
    if (this.#limit.open >= this.#limit.max) return false
    const part = limit / (this.#load.busy() + 1)
    return part >= 1 && this.#load.openOf(actor) + 1 <= part
  }

  /** The most calls that may wait for one actor now (ADMISSION-2). */
  mailboxMax(timeout = callTimeoutDefault): number {
    if (!this.#limit.isOverloaded) return Infinity
    return Math.ceil(this.#limit.limitFor(timeout) * actorShare)
  }

  /**
   * Opens a call, which counts until it has ended; call {@link check} before.
   * @param arrivedAt the tick of the host's logical time
   */
  admit<T>(subject: CallSubject, arrivedAt: number, options: CallOptions): Call<T> {
    const call = new Call<T>(subject, arrivedAt, options, this.#ports)
    this.#limit.enter()
    this.#typeOf(subject).open++
    return call
  }

  #typeOf({ kind }: CallSubject): { open: number } {
    let type = this.#types.get(kind)
    if (type === undefined) this.#types.set(kind, (type = { open: 0 }))
    return type
  }

  #ended(call: EndedCall, end: CallEnd): void {
    const { subject, startedAt } = call
    this.#typeOf(subject).open--
    if (end === 'withdrawn') return this.#limit.withdrawn()
    const now = performance.now()
    if (subject.isCommand === true)
      this.#latency[outcomes[end]].add(Math.max(0, now - startedAt))
    if (end === 'given-up') this.#limit.givenUp()
    else this.#limit.finished(startedAt, now)
  }
}

export function nodeClosed(): CairnError {
  return new CairnError(
    'node-closed',
    'This node is closing and accepts no more commands: send to another node.',
  )
}

function queueFull(most: number): CairnError {
  const limit = Math.floor(most)
  return refusal(
    'queue-full',
    `This node has ${limit} open commands, as many as it finishes in time: nothing was done for this one. ` +
      'Send again later, or send at a lower rate, or add nodes.',
    { limit },
  )
}

function typeFull(type: string, limit: number): CairnError {
  return refusal(
    'queue-full',
    `This node has ${limit} open commands to actors of type ${type}, and leaves the rest to other types: ` +
      'nothing was done for this one. Send again later, or send at a lower rate.',
    { limit, type },
  )
}
