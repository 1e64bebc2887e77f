// One attempt at one message: the handler within its time, and what becomes of the message then.
//
// A1. The attempt ends when the handler does. Its time being over aborts the signal, and counts as a
//     failure once the handler ends with an error; nothing is begun beside a handler that goes on.
// A2. An attempt that ends with an error because its lane was lost, or the node stops, does not
//     count: the message is as it was.
// A3. A message is given up only when its dead letter is stored; until then it is tried again.
// A4. A message whose attempts are used up, and whose last one ended with its node, is given up unseen.
// A5. Every attempt leaves a breadcrumb, and every message one at its end.

import { CairnError, messageOf } from '../../model/errors.js'
import { AttemptTime } from './attempt-time.js'
import { type AttemptEnd, type AttemptLog, logAttempt } from './attempt-log.js'
import type { Reactor, ReactorContext } from './define-reactor.js'
import type { Delivery } from '../group/delivery.js'
import type { DeliveryAttempt, HandlingResult } from '../group/partition-processor.js'
import type { Message } from '../messages/message.js'
import { afterFailure } from './retry.js'
import { FirstSettlement, type Settlement } from './settlement.js'

/** What a context has beside what an attempt itself adds. */
export type ContextBase = Omit<ReactorContext, keyof Settling | 'signal' | 'extend'>
type Settling = Pick<ReactorContext, 'ack' | 'retry' | 'park' | 'drop'>

export interface AttemptPorts {
  contextOf(
    message: Message,
    reactor: Reactor,
    attempt: DeliveryAttempt,
    redrives: number,
  ): ContextBase
  /** A3. Stores a dead letter. */
  deadLetter(
    reactor: Reactor,
    delivery: Delivery,
    message: Message,
    death: {
      readonly error: unknown
      readonly reason: string
      readonly attempt: DeliveryAttempt
    },
  ): Promise<void>
  readonly clock: { now(): number }
  readonly attemptLog: AttemptLog
}

/** Handles a message once. Never rejects. */
export async function attemptMessage(
  reactor: Reactor,
  delivery: Delivery,
  message: Message,
  next: DeliveryAttempt,
  ports: AttemptPorts,
): Promise<HandlingResult> {
  const begun = ports.clock.now()
  // A4: the attempt that would be next is none.
  const isCrashed = next.isAfterDeath && next.attempt > reactor.retry.attempts
  const attempt = isCrashed ? { ...next, attempt: next.attempt - 1 } : next
  const end: End = isCrashed
    ? { kind: 'failed', error: new NodeEnded() }
    : await run(reactor, message, attempt, delivery.redrives, ports)
  const about = { reactor, message, attempt, duration: ports.clock.now() - begun }
  const leave = (outcome: AttemptEnd) => logAttempt(ports.attemptLog, about, outcome)
  const again = (after: number, error: unknown): HandlingResult => {
    leave({ status: 'retry-scheduled', after, at: ports.clock.now() + after, error })
    return { kind: 'again', error, after }
  }
  const giveUp = async (reason: string, error: unknown): Promise<HandlingResult> => {
    try {
      await ports.deadLetter(reactor, delivery, message, { error, reason, attempt })
    } catch (trouble) {
      // A3.
      if (attempt.signal.aborted) return { kind: 'again', error, isVoid: true }
      const after = reactor.retry.backoff.max
      return again(Math.min(after, deadLetterRetryMax), trouble)
    }
    leave({ status: 'dead-letter', reason, at: ports.clock.now(), error })
    return done
  }

  if (end.kind === 'failed') {
    const { error } = end
    if (attempt.signal.aborted) {
      leave({ status: 'aborted', error })
      return { kind: 'again', error, isVoid: true } // A2.
    }
    if (isCrashed) return giveUp('crashed', error)
    const then = afterFailure(reactor.retry, attempt.attempt, error)
    return typeof then === 'number' ? again(then, error) : giveUp(then, error)
  }
  const { settlement } = end
  if (settlement.kind === 'park')
    return giveUp('parked', new ParkedMessage(settlement.reason))
  if (settlement.kind === 'retry') {
    const asked = new RetryAsked()
    const policy = { ...reactor.retry, when: () => true }
    const then = afterFailure(policy, attempt.attempt, asked)
    if (typeof then === 'number') return again(settlement.after ?? then, asked)
    return giveUp(then, asked)
  }
  if (settlement.kind === 'drop')
    leave({ status: 'dropped', reason: settlement.reason, at: ports.clock.now() })
  else leave({ status: 'processed' })
  return done
}

/** Milliseconds after which a message is tried again whose dead letter could not be stored. */
const deadLetterRetryMax = 5_000

const done: HandlingResult = { kind: 'done' }

type End =
  | { readonly kind: 'settled'; readonly settlement: Settlement }
  | { readonly kind: 'failed'; readonly error: unknown }

/** A1. */
async function run(
  reactor: Reactor,
  message: Message,
  attempt: DeliveryAttempt,
  redrives: number,
  { contextOf, attemptLog }: AttemptPorts,
): Promise<End> {
  const { timeout, name } = reactor
  const first = new FirstSettlement()
  const time = new AttemptTime(timeout, attempt.signal, () =>
    tooLate(name, message, timeout),
  )
  const base = contextOf(message, reactor, attempt, redrives)
  const context = new AttemptContext(base, first, time)
  try {
    await reactor.handle(message, context)
  } catch (error) {
    const settlement = first.settled
    if (settlement === undefined) return { kind: 'failed', error }
    const about = { reactor: name, messageId: message.id, settled: settlement.kind }
    attemptLog(
      'warn',
      `A handler failed after it had settled its message: ${messageOf(error)}`,
      { ...about, err: error },
    )
    return { kind: 'settled', settlement }
  } finally {
    time.end()
  }
  return { kind: 'settled', settlement: first.settled ?? { kind: 'ack' } }
}

/**
 * A class, and one getter for all: an object with a getter made for it gets a shape of its own, and that was a
 * seventh of all handling. It is a property of the object, so that a copy of a context has its signal.
 */
class AttemptContext implements ReactorContext {
  static readonly #signal: PropertyDescriptor & ThisType<AttemptContext> = {
    enumerable: true,
    get() {
      return this.#time.signal
    },
  }
  declare readonly signal: AbortSignal
  readonly attempt: number
  readonly mayBeRepeat: boolean
  readonly redrives: number
  readonly isLastAttempt: boolean
  readonly spawn: ReactorContext['spawn']
  readonly publish: ReactorContext['publish']
  readonly ack: ReactorContext['ack']
  readonly retry: ReactorContext['retry']
  readonly park: ReactorContext['park']
  readonly drop: ReactorContext['drop']
  readonly extend: ReactorContext['extend']
  readonly #time: AttemptTime

  constructor(base: ContextBase, first: FirstSettlement, time: AttemptTime) {
    this.attempt = base.attempt
    this.mayBeRepeat = base.mayBeRepeat
    this.redrives = base.redrives
    this.isLastAttempt = base.isLastAttempt
    this.spawn = base.spawn
    this.publish = base.publish
    this.ack = first.ack
    this.retry = first.retry
    this.park = first.park
    this.drop = first.drop
    this.extend = () => time.extend()
    this.#time = time
    Object.defineProperty(this, 'signal', AttemptContext.#signal)
  }
}

function tooLate(reactor: string, { id }: Message, timeout: number): CairnError {
  return new CairnError(
    'deadline-exceeded',
    `Reactor ${reactor} has not handled message ${id} within ${timeout} ms. Give it more time with its ` +
      'option timeout, or call extend() while it works.',
    { details: { reactor, messageId: id, timeout } },
  )
}

/** What stands in the dead letter of a message that nodes have ended with. */
class NodeEnded extends Error {
  override readonly name = 'NodeEnded'
  override readonly message =
    'Node after node ended while this message was being handled: it may be what ended them.'
}

/** What stands in the dead letter of a message that its handler has parked. */
class ParkedMessage extends Error {
  override readonly name = 'ParkedMessage'
}

/** What stands in the dead letter of a message that its handler wanted to see again too often. */
class RetryAsked extends Error {
  override readonly name = 'RetryAsked'
  override readonly message = 'The handler asked for another attempt.'
}
