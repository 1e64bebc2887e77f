// Gives out the messages of one consumer under leases, and settles them.
//
// All processes that consume under one name change one document: a message that one of them has leased is not given
// to another.
// CONSUMER-1. A message is given out only after its lease is stored (CONSUMER-STATE-2).
// CONSUMER-2. A message leaves the document when it is settled. A settlement resolves when it is stored; when the
//     outcome of a write is unknown, it is found out.
// CONSUMER-3. A message that was given out for the last time and not settled becomes a dead letter, which is stored
//     before the message leaves the document.
// CONSUMER-6. `isLeasing` is true from before a lease is stored until its message was passed on: whoever counts the
//     messages in hand misses none in between.

import type { Clock } from '../../model/clock.js'
import type { WriteLog } from '../../model/log.js'
import type { Queue } from '../../store/queue/queue.js'
import { type DeadLetterSink, storeDeadLetter } from '../dead-letters/dead-letters.js'
import type { MessageBatch } from '../messages/message-batch.js'
import type { StateChange } from './change-batcher.js'
import { type ConsumedMessage, toConsumedMessage } from './consumed-message.js'
import type { ConsumerDocument } from './consumer-document.js'
import {
  ackTokenOf,
  type ConsumerState,
  findByToken,
  hasToken,
  isAt,
  isSameMessage,
  lease,
  type OutstandingMessage,
} from './consumer-state.js'
import { batchKeyOf, type FoundMessages, type MessageReader } from './message-reader.js'

export interface LeasePorts {
  readonly queues: DeadLetterSink & { readonly topic: Queue }
  readonly clock: Clock
  readonly log: WriteLog
  /** Fires when the node closes. */
  readonly closing: AbortSignal
}

/** Changes a leased message; resolves with `undefined` when the message is settled. */
export type Settle = (
  state: ConsumerState,
  message: OutstandingMessage,
) => Promise<OutstandingMessage | undefined> | OutstandingMessage | undefined

/** Takes over messages that were leased. */
export type TakeMessages = (messages: readonly ConsumedMessage[]) => void

/** The name of a consumer in its dead letters, in place of a reactor's name. */
export function deadLetterName(consumer: string): string {
  return `consumer:${consumer}`
}

export class Leases {
  readonly #document: ConsumerDocument
  readonly #reader: MessageReader
  readonly #ports: LeasePorts
  #leasing = 0

  constructor(document: ConsumerDocument, reader: MessageReader, ports: LeasePorts) {
    this.#document = document
    this.#reader = reader
    this.#ports = ports
  }

  /** CONSUMER-6. */
  get isLeasing(): boolean {
    return this.#leasing > 0
  }

  /**
   * Leases messages whose lease has expired or that were returned, and passes them on (CONSUMER-1). Resolves with their
   * number.
   */
  async leaseExpired(
    limit: number,
    signal: AbortSignal,
    take: TakeMessages,
  ): Promise<number> {
    const state = await this.#document.read()
    const now = this.#ports.clock.now()
    if (!state.outstanding.some(({ until }) => until <= now)) return 0
    const leased: OutstandingMessage[] = []
    const batches = new Map<string, MessageBatch>()
    await this.#lease(
      async current => {
        leased.length = 0
        batches.clear()
        const { ackWait, attempts } = current.definition
        const left: OutstandingMessage[] = []
        for (const one of current.outstanding) {
          if (one.until > now || leased.length >= limit) {
            left.push(one)
            continue
          }
          const batch = await this.#reader.find(current, one, signal)
          if (batch?.messages[one.index] === undefined) {
            const text = `A message of consumer ${this.#document.name} does not exist any more`
            this.#ports.log('warn', text, one)
            continue
          }
          if (one.attempts >= attempts) {
            const error = new Error(`not settled within ${ackWait} ms`)
            await this.#storeDeadLetter(one, batch, error, 'max-attempts-exhausted')
            continue
          }
          const next = lease(one, now, ackWait)
          leased.push(next)
          left.push(next)
          batches.set(batchKeyOf(one), batch)
        }
        return { ...current, outstanding: left }
      },
      () => {
        if (leased.length > 0) take(leased.map(one => this.#toConsumed(one, batches)))
      },
    )
    return leased.length
  }

  /**
   * Leases messages that were found and passes them on, unless another process has read the sources meanwhile
   * (CONSUMER-1). Resolves with their number.
   */
  async leaseNew(
    before: ConsumerState,
    { outstanding, positions, marks, batches }: FoundMessages,
    limit: number,
    take: TakeMessages,
  ): Promise<number | 'overtaken'> {
    const now = this.#ports.clock.now()
    const { ackWait } = before.definition
    // The other messages of a record wait for the next call, of any process.
    const added = outstanding.map((one, i) =>
      i < limit ? lease(one, now, ackWait) : one,
    )
    const leased = added.slice(0, limit)
    let isOvertaken = false
    await this.#lease(
      current => {
        isOvertaken = !isAt(current, before.positions)
        if (isOvertaken) return undefined
        const all = [...current.outstanding, ...added]
        return { ...current, positions, marks, outstanding: all }
      },
      () => {
        if (!isOvertaken && leased.length > 0)
          take(leased.map(one => this.#toConsumed(one, batches)))
      },
    )
    return isOvertaken ? 'overtaken' : leased.length
  }

  /** CONSUMER-6. */
  async #lease(change: StateChange, passOn: () => void): Promise<void> {
    this.#leasing++
    try {
      await this.#document.change(change)
      passOn()
    } finally {
      this.#leasing--
    }
  }

  /** Settles or changes the message that is leased under a token (CONSUMER-2). */
  async settle(token: string, settle: Settle): Promise<void> {
    await this.#document.change(async (state, isUnclear) => {
      // An earlier attempt to write the settlement was stored.
      if (isUnclear && !hasToken(state, token)) return undefined
      const leased = findByToken(state, token)
      const next = await settle(state, leased)
      const outstanding = state.outstanding.flatMap(one => {
        if (!isSameMessage(one, leased)) return [one]
        return next === undefined ? [] : [next]
      })
      return { ...state, outstanding }
    })
  }

  /** Settles a message as a dead letter. */
  async giveUp(
    state: ConsumerState,
    message: OutstandingMessage,
    reason: string,
    error: unknown,
  ): Promise<undefined> {
    const batch = await this.#reader.find(state, message, this.#ports.closing)
    if (batch?.messages[message.index] !== undefined)
      await this.#storeDeadLetter(message, batch, error, reason)
  }

  /** Removes a message that was sent again: it was stored for this consumer alone. */
  async removeRedriven({ redrives, position }: OutstandingMessage): Promise<void> {
    if (redrives > 0) await this.#ports.queues.topic.remove([position])
  }

  /** CONSUMER-3. */
  async #storeDeadLetter(
    outstanding: OutstandingMessage,
    { messages, source, redrives }: MessageBatch,
    error: unknown,
    reason: string,
  ): Promise<void> {
    const { queues, clock, closing } = this.#ports
    const message = messages[outstanding.index]!
    const { attempts, firstAt } = outstanding
    const letter = { message, source, error, reason, attempts, firstAt, redrives }
    const name = deadLetterName(this.#document.name)
    await storeDeadLetter(queues, name, letter, clock, closing)
    await this.removeRedriven(outstanding)
  }

  #toConsumed(
    leased: OutstandingMessage,
    batches: ReadonlyMap<string, MessageBatch>,
  ): ConsumedMessage {
    const message = batches.get(batchKeyOf(leased))!.messages[leased.index]!
    const token = ackTokenOf(this.#document.name, leased)
    return toConsumedMessage(message, leased.attempts, token)
  }
}
