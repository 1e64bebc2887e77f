// The gate to another node: which commands are sent to it now, which wait here, and which are refused.
//
// What a node cannot handle in time is best never sent: on the way it would cost both nodes and the server as much as a
// command that is answered. So the sender keeps few requests in flight, and refuses what would wait for too long.
//
// Owns the requests in flight to one node, and the queue of the commands that wait to be sent.
//
// GATE-1. The requests in flight have a window (AIMD-WINDOW-1). It grows while it is used up, and is cut when the node refuses
//     a command by load. The node itself judges its load (LOAD-LIMIT-2); a slow answer alone may be a slow actor.
// GATE-2. Actors take turns at the window (fair queueing: Nagle, RFC 970; Demers, Keshav and Shenker, 1989), so that one
//     which is flooded delays no other. The commands of one actor are sent in order.
// GATE-3. At most `queuedMax` commands wait. Once the queue has not been empty for `patience`, no more are accepted than
//     leave in time at its rate (as LOAD-LIMIT-2), and one actor takes at most `actorShare` of that. Another one is refused
//     with `queue-full`, before anything is done for it. An actor that has less than its part of a queue that is too long
//     is accepted: the others have filled it. A burst, and a node that pauses for a moment, are no reason to refuse.
// GATE-4. A command that nobody waits for any more leaves the queue, and is never sent.
// GATE-5. Cairn's own deliveries are not refused and do not wait: their number is bounded where they are read.

import { type ActorAddress, formatAddress } from '../model/address.js'
import { AimdWindow } from '../model/aimd-window.js'
import { type CairnError, refusal } from '../model/errors.js'
import { type Link, LinkedQueue } from '../model/linked-queue.js'
import { delayFor } from '../model/load-limit.js'
import { offAbort, onAbort } from '../model/on-abort.js'

interface Waiting {
  readonly turns: ActorTurns
  /** By `performance.now()`. */
  readonly deadline: number
  readonly end: (isSent: boolean) => void
}

/** The commands of one actor that wait. */
interface ActorTurns {
  readonly name: string
  readonly waiting: LinkedQueue<Waiting>
  /** Whether it is in line for the window. */
  isInLine: boolean
}

/** GATE-1. */
const windowLimits = { start: 512, min: 64, answersPerStep: 8, cutInterval: 100 }
export const windowMaxDefault = 2_048
const queuedMax = 16_384
/** Commands that may wait however low the rate is: it must be able to rise. */
const queuedLeast = 64
/** GATE-3. */
const actorShare = 0.5
/** Milliseconds of one measurement, and between two sweeps. */
const interval = 100
/** Milliseconds (GATE-3). */
const patience = 1_000
/** The weight of the last interval in the rate. */
const weight = 0.3

export class SendGate {
  readonly #nodeId: string
  readonly #window: AimdWindow
  #inFlight = 0
  #queued = 0
  readonly #actors = new Map<string, ActorTurns>()
  /** Actors with waiting commands, in the order of their turns (GATE-2). */
  readonly #line = new LinkedQueue<ActorTurns>()
  /** The present interval, and the commands that have left in it. */
  #intervalStart = 0
  #left = 0
  #wasEmpty = true
  /** Since when the queue has not been empty and commands leave it, and how many have left since. */
  #standingSince = 0
  #leftSince = 0
  /** Commands per millisecond that leave a queue that is standing; undefined while none is (GATE-3). */
  #rate: number | undefined
  #sweeper: NodeJS.Timeout | undefined

  constructor(nodeId: string, windowMax = windowMaxDefault) {
    this.#nodeId = nodeId
    this.#window = new AimdWindow({ ...windowLimits, max: windowMax })
  }

  get isIdle(): boolean {
    return this.#inFlight === 0 && this.#queued === 0
  }

  get isFull(): boolean {
    return this.#inFlight >= this.#window.size
  }

  /** The error with which a command with this timeout is refused, if it would not be sent in time (GATE-3). */
  refusal(actor: ActorAddress, timeout: number): CairnError | undefined {
    if (!this.isFull) return undefined
    const limit = this.#limitFor(timeout)
    const isLong = this.#queued >= limit
    const share = isLong ? limit / (this.#actors.size + 1) : limit * actorShare
    if (!isLong && this.#queued < share) return undefined
    if (share < 1 || this.#queued >= queuedMax) return this.#queueFull()
    const own = this.#actors.get(formatAddress(actor))?.waiting.size ?? 0
    return own + 1 > Math.max(1, share) ? this.#queueFull() : undefined
  }

  /**
   * Waits for a place in the window, which must be given back by {@link leave}. Resolves with the time that is left, or
   * with undefined if the node is gone. Throws what `timeLeft` throws when nobody waits for the command any more.
   */
  async take(
    actor: ActorAddress,
    timeLeft: () => number,
    signal: AbortSignal | undefined,
    isReserved: boolean,
  ): Promise<number | undefined> {
    const left = timeLeft()
    if (isReserved || !this.isFull) {
      this.#inFlight++
      return left
    }
    const hasPlace = await this.#wait(actor, left, signal)
    try {
      const stillLeft = timeLeft()
      return hasPlace ? stillLeft : undefined
    } catch (error) {
      if (hasPlace) this.leave()
      throw error
    }
  }

  /** Resolves at the command's turn, or with false when the wait has ended. */
  #wait(
    actor: ActorAddress,
    left: number,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    return new Promise(resolve => {
      const turns = this.#turnsOf(formatAddress(actor))
      const waiting: Waiting = {
        turns,
        deadline: performance.now() + left,
        end: isSent => {
          offAbort(signal, withdraw)
          this.#queued--
          resolve(isSent)
        },
      }
      const link: Link<Waiting> = turns.waiting.add(waiting)
      const withdraw = () => this.#withdraw(link)
      this.#queued++
      onAbort(signal, withdraw)
      if (this.#sweeper !== undefined) return
      const now = performance.now()
      this.#startStanding(now)
      this.#startInterval(now)
      this.#sweeper = setInterval(this.#sweep, interval)
    })
  }

  /** Gives a place back. @param isRefused the node refused the command by load (GATE-1) */
  leave(isRefused = false): void {
    const isUsedUp = this.#inFlight-- === this.#window.size
    if (isRefused) this.#window.cut(performance.now())
    else if (isUsedUp) this.#window.answered()
    while (!this.isFull && this.#sendNext());
  }

  /** The node is gone: whoever waits looks for another one. */
  close(): void {
    for (const { waiting } of this.#actors.values())
      for (const link of waiting.links()) this.#withdraw(link)
  }

  #limitFor(timeout: number): number {
    if (this.#rate === undefined) return queuedMax
    const limit = this.#rate * delayFor(timeout) - this.#inFlight
    return Math.min(queuedMax, Math.max(queuedLeast, limit))
  }

  #sendNext(): boolean {
    for (let turns = this.#line.shift(); turns; turns = this.#line.shift()) {
      const next = turns.waiting.shift()
      turns.isInLine = next !== undefined && turns.waiting.size > 0
      if (turns.isInLine) this.#line.add(turns)
      else this.#actors.delete(turns.name)
      if (next === undefined) continue
      this.#inFlight++
      this.#left++
      next.end(true)
      if (this.#queued === 0) this.#wasEmpty = true
      return true
    }
    return false
  }

  #turnsOf(name: string): ActorTurns {
    let turns = this.#actors.get(name)
    if (turns === undefined) {
      turns = { name, waiting: new LinkedQueue(), isInLine: false }
      this.#actors.set(name, turns)
    }
    if (!turns.isInLine) this.#line.add(turns)
    turns.isInLine = true
    return turns
  }

  /** GATE-4. An actor without commands leaves the line at its turn. */
  #withdraw(link: Link<Waiting>): void {
    if (!link.item.turns.waiting.remove(link)) return
    link.item.end(false)
    if (this.#queued === 0) this.#wasEmpty = true
  }

  readonly #sweep = () => {
    const now = performance.now()
    for (const { waiting } of this.#actors.values())
      for (const link of waiting.links())
        if (link.item.deadline <= now) this.#withdraw(link)
    this.#judge(now)
    if (this.#queued > 0) return
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
    this.#rate = undefined
  }

  /** GATE-3. */
  #judge(now: number): void {
    const rate = this.#left / Math.max(1, now - this.#intervalStart)
    const standing = now - this.#standingSince
    // Before the first answer, nothing is known of the rate; the time until then is no part of it.
    const isUnknown = this.#rate === undefined && this.#leftSince === 0
    this.#leftSince += this.#left
    if (this.#wasEmpty) this.#startStanding(now)
    else if (isUnknown) this.#standingSince = now
    else if (this.#rate !== undefined) this.#rate += weight * (rate - this.#rate)
    else if (standing >= patience) this.#rate = this.#leftSince / standing
    this.#startInterval(now)
  }

  #startStanding(now: number): void {
    this.#rate = undefined
    this.#standingSince = now
    this.#leftSince = 0
  }

  #startInterval(now: number): void {
    this.#intervalStart = now
    this.#left = 0
    this.#wasEmpty = this.#queued === 0
  }

  #queueFull(): CairnError {
    return refusal(
      'queue-full',
      `As many commands wait to be sent to node ${this.#nodeId} as it handles in time: this one was not sent. ` +
        'Send again later, or send at a lower rate, or add nodes.',
      { node: this.#nodeId, waiting: this.#queued },
    )
  }
}

/** The gates to the nodes that this one sends to. */
export class SendGates {
  readonly #gates = new Map<string, SendGate>()
  readonly #windowMax: number | undefined

  constructor(windowMax: number | undefined) {
    this.#windowMax = windowMax
  }

  get isAnyFull(): boolean {
    for (const gate of this.#gates.values()) if (gate.isFull) return true
    return false
  }

  to(nodeId: string): SendGate {
    let gate = this.#gates.get(nodeId)
    if (gate === undefined) {
      gate = new SendGate(nodeId, this.#windowMax)
      this.#gates.set(nodeId, gate)
    }
    return gate
  }

  /** Closes the gates to dead nodes, and forgets those that are neither present nor used. */
  update(dead: Iterable<string>, present: ReadonlySet<string>): void {
    for (const id of dead) {
      this.#gates.get(id)?.close()
      this.#gates.delete(id)
    }
    for (const [id, gate] of this.#gates)
      if (gate.isIdle && !present.has(id)) this.#gates.delete(id)
  }

  /** Nobody waits any more. */
  close(): void {
    for (const gate of this.#gates.values()) gate.close()
  }
}
