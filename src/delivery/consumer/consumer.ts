// A consumer: integration code pulls messages from it and settles them.
//
// CONSUMER-4. At most `outstandingMax` messages are outstanding at a time; new ones wait until there is room.
// CONSUMER-5. A process consumes only after it has made sure that the sources are those that the consumer has read. In a
//     source that was restored to an earlier point and written on, the consumer goes back to where it is the same.

import { checkOptions, type OptionNames } from '../../model/check-options.js'
import { CairnError, isCairnError } from '../../model/errors.js'
import type { Position } from '../../model/version.js'
import { abortedError, pause, throwIfAborted } from '../../model/wait.js'
import type { Documents } from '../../store/documents/documents.js'
import type { ConsumedMessage } from './consumed-message.js'
import { ConsumerDocument, nodeClosed, type StartOf } from './consumer-document.js'
import {
  type ConsumerPositions,
  isAt,
  type OutstandingMessage,
  setBackTo,
} from './consumer-state.js'
import type { ConsumerDefinition } from './define-consumer.js'
import { type LeasePorts, Leases, type TakeMessages } from './leases.js'
import { MessageReader, type MessageSources } from './message-reader.js'

export interface ConsumeOptions {
  /** Messages at most: 1 to 1,000. Less is taken as 1, more as 1,000. Default 1. */
  readonly batch?: number | undefined
  /** Milliseconds to wait for the first message. Default 5,000. */
  readonly maxWait?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** The definition and the progress of a consumer. */
export interface ConsumerStatus {
  readonly name: string
  readonly topics: readonly string[]
  readonly ackWait: number
  readonly attempts: number
  /** Absent for a consumer that has begun with the first message. */
  readonly startAt?: 'new'
  /** Messages that are given out and not settled (JetStream: `num_ack_pending`). */
  readonly pending: number
  /** Messages that wait to be redelivered. */
  readonly waiting: number
  /** Every message up to here was given out: in the log, and among the messages published outside actors. */
  readonly positions: { readonly log: Position; readonly topics: Position }
}

/** A consumer of a node. */
export interface Consumer {
  readonly name: string
  /** Stores the definition without giving out a message: any process then knows the consumer by its name. */
  declare(): Promise<void>
  /**
   * Gives out messages: first those whose lease has expired, then new ones. Resolves with an empty list when none
   * arrives within `maxWait`. A message that is not settled in time is given out again. Throws `aborted`,
   * `unknown-consumer` or `store-unreachable`.
   */
  consume(options?: ConsumeOptions): Promise<readonly ConsumedMessage[]>
  /** The message is handled. Like the other settlements, resolves when this is stored; throws `invalid-token`. */
  ack(token: string): Promise<void>
  /**
   * The message is given out again after `delay` ms; after its last attempt it becomes a dead letter with
   * the error.
   */
  nak(token: string, delay?: number, error?: unknown): Promise<void>
  /** The message is given out again at once, and this attempt does not count: for a process that stops. */
  release(token: string): Promise<void>
  /** The message becomes a dead letter at once, with the reason or the error. */
  term(token: string, reason?: unknown): Promise<void>
  /** The message is not given out again for `ms` milliseconds from now on. Default: `ackWait`. */
  extend(token: string, ms?: number): Promise<void>
  status(): Promise<ConsumerStatus>
}

/** A consumer as its node sees it. */
export interface NodeConsumer extends Consumer {
  /** As {@link Consumer.consume}; passes the messages on while `isLeasing` is still true (CONSUMER-6). */
  giveOut(options: ConsumeOptions, take: TakeMessages): Promise<void>
  /** Whether messages are leased that were not passed on yet (CONSUMER-6). */
  readonly isLeasing: boolean
  /** Whether a message could be given out now, or by a clock that nobody moves by hand. */
  hasMessages(signal: AbortSignal): Promise<boolean>
  /** When the next message that waits is given out again, ms since 1970. */
  nextDueAt(): Promise<number | undefined>
}

export interface ConsumerPorts extends LeasePorts {
  readonly documents: Documents
  readonly sourcesOf: (definition: ConsumerDefinition) => MessageSources
  /** Where a consumer begins. */
  readonly startOf: StartOf
  /** Called when a consumer goes back, as a source is not the one that it has read (CONSUMER-5). */
  readonly onSetBack: () => void
  /** Called each time that the document of a consumer is found damaged (CONSUMER-DOCUMENT-1). */
  readonly onDamaged: (name: string, error: unknown) => void
}

const consumeOptionNames: OptionNames<ConsumeOptions> = {
  batch: true,
  maxWait: true,
  signal: true,
}
const batchMax = 1_000
const maxWaitDefault = 5_000
const outstandingMax = 1_000
/** Milliseconds after which the document is read again for messages that other processes have returned. */
const pollDelay = 500
/** The positions are stored after this many records without a message for the consumer. */
const idleStride = 1_000

/** A consumer by its definition, or by the name of one that was declared before. */
export function createConsumer(
  declared: ConsumerDefinition | string,
  ports: ConsumerPorts,
): NodeConsumer {
  const { documents, clock, closing, log, sourcesOf } = ports
  const document = new ConsumerDocument(
    documents,
    declared,
    closing,
    error => ports.onDamaged(document.name, error),
    ports.startOf,
  )
  const reader = new MessageReader(sourcesOf, log)
  const leases = new Leases(document, reader, ports)
  const { name } = document
  let isChecked = false

  /** CONSUMER-5. */
  async function checkSources(signal: AbortSignal): Promise<void> {
    const state = await document.read()
    const trusted = await reader.trustedPositions(state, signal)
    isChecked = isAt(state, trusted)
    if (isChecked) return
    await document.change(current => {
      // Another process may have gone back, and read on.
      isChecked = isAt(current, state.positions)
      return isChecked ? setBackTo(current, trusted) : undefined
    })
    if (!isChecked) return
    ports.onSetBack()
    const text = `Consumer ${name} goes back: a source is not the one that it has read`
    log('warn', text, { positions: state.positions, resumesAfter: trusted })
  }

  /** Gives out messages, or none when none arrives in time. */
  async function giveOut(options: ConsumeOptions, take: TakeMessages): Promise<void> {
    checkOptions(`consume of ${name}`, options, consumeOptionNames)
    const { batch = 1, maxWait = maxWaitDefault, signal } = options
    const limit = Math.min(batchMax, Math.max(1, Math.trunc(batch) || 1))
    if (!(maxWait >= 0))
      throw invalid(`maxWait is ${String(maxWait)}: use milliseconds from 0.`)
    const what = `consuming as ${name}`
    throwIfAborted(signal, what)
    if (closing.aborted) throw nodeClosed(name)
    const either = signal === undefined ? closing : AbortSignal.any([signal, closing])
    const deadline = performance.now() + maxWait
    try {
      for (;;) {
        const state = await document.declare()
        if (!isChecked) {
          await checkSources(either)
          continue
        }
        const expired = await leases.leaseExpired(limit, either, take)
        if (expired > 0) return
        const room = Math.min(limit, outstandingMax - state.outstanding.length) // CONSUMER-4
        let { positions } = state
        if (room > 0) {
          const found = await reader.findNew(state, room, either)
          positions = found.positions
          const mustStore =
            found.outstanding.length > 0 || isFar(state.positions, positions)
          const leased = mustStore ? await leases.leaseNew(state, found, room, take) : 0
          if (leased === 'overtaken') continue
          if (leased > 0) return
        }
        const left = deadline - performance.now()
        if (left <= 0) return
        const now = clock.now()
        const nextExpiry = Math.min(
          ...state.outstanding.map(({ until }) => Math.max(1, until - now)),
        )
        // A clock that is moved by hand wakes it; the system's clock is that of the timers.
        const waking = new AbortController()
        const woken = AbortSignal.any([either, waking.signal])
        if (nextExpiry < Infinity)
          void clock.wait?.(nextExpiry, woken).then(() => waking.abort())
        const ms = Math.min(left, pollDelay, clock.wait === undefined ? nextExpiry : left)
        if (room > 0) await reader.waitForNew(state, positions, ms, woken)
        else await pause(ms, woken)
        waking.abort()
        if (signal?.aborted === true) throw abortedError(signal, what)
        if (closing.aborted) throw nodeClosed(name)
      }
    } catch (error) {
      // The wait that the node's end interrupts does not know why.
      const isClosed = closing.aborted && signal?.aborted !== true
      throw isClosed && isCairnError(error, 'aborted') ? nodeClosed(name) : error
    }
  }

  const waitingUntil = ({ nonce, until }: OutstandingMessage) =>
    nonce === '' ? until : Infinity

  return {
    name,

    async hasMessages(signal) {
      const state = await document.read()
      const now = clock.now()
      const isDue = ({ nonce, until }: OutstandingMessage) =>
        until <= now || (nonce === '' && clock.wait === undefined)
      if (state.outstanding.some(isDue)) return true
      const room = outstandingMax - state.outstanding.length
      return room > 0 && (await reader.findNew(state, 1, signal)).outstanding.length > 0
    },

    async nextDueAt() {
      const { outstanding } = await document.read()
      const next = Math.min(...outstanding.map(waitingUntil))
      return next === Infinity ? undefined : next
    },

    async declare() {
      if (closing.aborted) throw nodeClosed(name)
      await document.declare()
    },

    async consume(options = {}) {
      let taken: readonly ConsumedMessage[] = []
      await giveOut(options, messages => {
        taken = messages
      })
      return taken
    },

    giveOut,

    get isLeasing() {
      return leases.isLeasing
    },

    async ack(token) {
      const acked: OutstandingMessage[] = []
      await leases.settle(token, (_state, message) => {
        acked[0] = message
        return undefined
      })
      if (acked[0] !== undefined) await leases.removeRedriven(acked[0])
    },

    async nak(token, delay = 0, error = new Error('returned after its last attempt')) {
      if (!(delay >= 0))
        throw invalid(`delay is ${String(delay)}: use milliseconds from 0.`)
      await leases.settle(token, (state, message) =>
        message.attempts < state.definition.attempts
          ? { ...message, until: clock.now() + delay, nonce: '' }
          : leases.giveUp(state, message, 'max-attempts-exhausted', error),
      )
    },

    release: token =>
      leases.settle(token, (_state, message) => {
        const attempts = message.attempts - 1
        return { ...message, attempts, until: clock.now(), nonce: '' }
      }),

    term(token, reason = 'refused') {
      const error = typeof reason === 'string' ? new Error(reason) : reason
      return leases.settle(token, (state, message) =>
        leases.giveUp(state, message, 'terminal', error),
      )
    },

    async extend(token, ms) {
      if (ms !== undefined && !(ms > 0))
        throw invalid(`ms of extend is ${String(ms)}: use milliseconds above 0.`)
      await leases.settle(token, ({ definition }, message) => ({
        ...message,
        until: clock.now() + (ms ?? definition.ackWait),
      }))
    },

    async status() {
      const { definition, outstanding, positions } = await document.read()
      const pending = outstanding.filter(({ nonce }) => nonce !== '').length
      return { ...definition, pending, waiting: outstanding.length - pending, positions }
    },
  }
}

/** Whether the positions are worth a write, so that other processes do not read the same records again. */
function isFar(before: ConsumerPositions, now: ConsumerPositions): boolean {
  return now.log - before.log + (now.topics - before.topics) >= idleStride
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-option', message)
}
