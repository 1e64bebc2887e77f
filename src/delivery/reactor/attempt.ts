// One attempt at one message: runs the handler within its deadline, and decides the outcome.
//
// ATTEMPT-1. The attempt ends when the handler does. A passed deadline aborts the signal, and counts as a failure when
//     the handler then ends with an error. No other attempt starts while a handler is running.
// ATTEMPT-2. An attempt that ends with an error because its partition was lost or the node stops does not count.
// ATTEMPT-3. A message is given up only when its dead letter is stored; until then it is retried.
// ATTEMPT-4. A message whose attempts are used up, and whose last one ended with its node, is given up without another
//     call of the handler.
// ATTEMPT-5. Every attempt writes one line to the attempt log, and every message one at its end.

import { CairnError, messageOf } from '../../model/errors.js'
import { AttemptDeadline } from './attempt-deadline.js'
import { type AttemptOutcome, type AttemptLog, logAttempt } from './attempt-log.js'
import type { Reactor, ReactorContext } from './define-reactor.js'
import type { MessageBatch } from '../messages/message-batch.js'
import { type DeliveryAttempt, done, type HandlingResult } from '../group/handling.js'
import type { Message } from '../messages/message.js'
import { afterFailure } from '../../model/retry-policy.js'
import {
  carryOn,
  type HandleTrace,
  handleTraces,
  trace,
  type TraceOrigin,
} from '../../model/trace.js'
import { FirstSettlement, type Settlement, type SettlementActions } from './settlement.js'

/** The part of a handler's context that does not depend on the attempt's deadline and settlement. */
export type BaseContext = Omit<
  ReactorContext,
  keyof SettlementActions | 'signal' | 'extend'
>

export interface AttemptPorts {
  contextOf(
    message: Message,
    reactor: Reactor,
    attempt: DeliveryAttempt,
    redrives: number,
  ): BaseContext
  /** Stores a dead letter (ATTEMPT-3). */
  storeDeadLetter(
    reactor: Reactor,
    batch: MessageBatch,
    message: Message,
    failure: {
      readonly error: unknown
      readonly reason: string
      readonly attempt: DeliveryAttempt
    },
  ): Promise<void>
  readonly clock: { now(): number }
  readonly attemptLog: AttemptLog
  readonly origin: TraceOrigin
}

/** Handles a message once. Never rejects. */
export async function attemptMessage(
  reactor: Reactor,
  batch: MessageBatch,
  message: Message,
  upcoming: DeliveryAttempt,
  ports: AttemptPorts,
): Promise<HandlingResult> {
  const startedAt = ports.clock.now()
  // ATTEMPT-4: no further attempt is made.
  const isCrashed = upcoming.isAfterCrash && upcoming.attempt > reactor.retry.attempts
  const attempt = isCrashed ? { ...upcoming, attempt: upcoming.attempt - 1 } : upcoming
  const end: HandlerEnd = isCrashed
    ? { kind: 'failed', error: new NodeEnded() }
    : await run(reactor, message, attempt, batch.redrives, ports)
  const about = { reactor, message, attempt, duration: ports.clock.now() - startedAt }
  const logOutcome = (outcome: AttemptOutcome) =>
    logAttempt(ports.attemptLog, about, outcome)
  const retry = (after: number, error: unknown): HandlingResult => {
    logOutcome({ status: 'retry-scheduled', after, at: ports.clock.now() + after, error })
    return { kind: 'retry', error, after }
  }
  const giveUp = async (reason: string, error: unknown): Promise<HandlingResult> => {
    try {
      await ports.storeDeadLetter(reactor, batch, message, { error, reason, attempt })
    } catch (failure) {
      // ATTEMPT-3.
      if (attempt.signal.aborted) return { kind: 'retry', error, isAborted: true }
      const after = reactor.retry.backoff.max
      return retry(Math.min(after, deadLetterRetryMax), failure)
    }
    logOutcome({ status: 'dead-letter', reason, at: ports.clock.now(), error })
    return done
  }

  if (end.kind === 'failed') {
    const { error } = end
    if (attempt.signal.aborted) {
      logOutcome({ status: 'aborted', error })
      return { kind: 'retry', error, isAborted: true } // ATTEMPT-2
    }
    if (isCrashed) return giveUp('crashed', error)
    const next = afterFailure(reactor.retry, attempt.attempt, error, fault =>
      ports.attemptLog(
        'warn',
        `retry.when of reactor ${reactor.name} failed, so the message is retried: ${messageOf(fault)}`,
        { reactor: reactor.name, messageId: message.id, err: fault },
      ),
    )
    return typeof next === 'number' ? retry(next, error) : giveUp(next, error)
  }
  const { settlement } = end
  if (settlement.kind === 'park')
    return giveUp('parked', new ParkedMessage(settlement.reason))
  if (settlement.kind === 'retry') {
    const error = new RetryRequested()
    const policy = { ...reactor.retry, when: () => true }
    const next = afterFailure(policy, attempt.attempt, error)
    if (typeof next === 'number') return retry(settlement.after ?? next, error)
    return giveUp(next, error)
  }
  if (settlement.kind === 'drop')
    logOutcome({ status: 'dropped', reason: settlement.reason, at: ports.clock.now() })
  else logOutcome({ status: 'processed' })
  return done
}

/** Milliseconds until the retry of a message whose dead letter could not be stored, at most. */
const deadLetterRetryMax = 5_000

type HandlerEnd =
  | { readonly kind: 'settled'; readonly settlement: Settlement }
  | { readonly kind: 'failed'; readonly error: unknown }

/** ATTEMPT-1. */
async function run(
  reactor: Reactor,
  message: Message,
  attempt: DeliveryAttempt,
  redrives: number,
  ports: AttemptPorts,
): Promise<HandlerEnd> {
  const { attemptLog } = ports
  const { timeout, name } = reactor
  const settling = new FirstSettlement()
  const deadline = new AttemptDeadline(timeout, attempt.signal, () =>
    deadlineExceeded(name, message, timeout),
  )
  const call = { reactor, attempt, redrives, ports, settling, deadline }
  try {
    if (handleTraces.hasSubscribers)
      await trace(handleTraces, handleTraceOf(call, message), async traceparent =>
        callHandler(call, carryOn(message, traceparent)),
      )
    else await callHandler(call, message)
  } catch (error) {
    const settlement = settling.settled
    if (settlement === undefined) return { kind: 'failed', error }
    const about = { reactor: name, messageId: message.id, settled: settlement.kind }
    attemptLog(
      'warn',
      `A handler failed after it had settled its message: ${messageOf(error)}`,
      { ...about, err: error },
    )
    return { kind: 'settled', settlement }
  } finally {
    deadline.end()
  }
  return { kind: 'settled', settlement: settling.settled ?? { kind: 'ack' } }
}

interface HandlerCall {
  readonly reactor: Reactor
  readonly attempt: DeliveryAttempt
  readonly redrives: number
  readonly ports: AttemptPorts
  readonly settling: SettlementActions
  readonly deadline: AttemptDeadline
}

function callHandler(
  { reactor, attempt, redrives, ports, settling, deadline }: HandlerCall,
  message: Message,
): Promise<void> | void {
  const base = ports.contextOf(message, reactor, attempt, redrives)
  return reactor.handle(message, new AttemptContext(base, settling, deadline))
}

function handleTraceOf(
  { reactor, attempt, ports }: HandlerCall,
  { id: messageId, topic, correlationId, traceparent }: Message,
): HandleTrace {
  const { namespace, nodeId } = ports.origin
  return {
    namespace,
    nodeId,
    group: reactor.name,
    topic,
    messageId,
    attempt: attempt.attempt,
    correlationId,
    traceparent,
  }
}

/**
 * A class with one shared getter: an object literal with a getter gets a hidden class of its own, which took a
 * seventh of the handling time. The getter is an own property, so that a copy of a context has the signal.
 */
class AttemptContext implements ReactorContext {
  static readonly #signal: PropertyDescriptor & ThisType<AttemptContext> = {
    enumerable: true,
    get() {
      return this.#deadline.signal
    },
  }
  declare readonly signal: AbortSignal
  readonly attempt: number
  readonly mayBeRepeat: boolean
  readonly fencingToken: ReactorContext['fencingToken']
  readonly redrives: number
  readonly isLastAttempt: boolean
  readonly spawn: ReactorContext['spawn']
  readonly publish: ReactorContext['publish']
  readonly ack: ReactorContext['ack']
  readonly retry: ReactorContext['retry']
  readonly park: ReactorContext['park']
  readonly drop: ReactorContext['drop']
  readonly extend: ReactorContext['extend']
  readonly #deadline: AttemptDeadline

  constructor(
    base: BaseContext,
    settlement: SettlementActions,
    deadline: AttemptDeadline,
  ) {
    this.attempt = base.attempt
    this.mayBeRepeat = base.mayBeRepeat
    this.fencingToken = base.fencingToken
    this.redrives = base.redrives
    this.isLastAttempt = base.isLastAttempt
    this.spawn = base.spawn
    this.publish = base.publish
    this.ack = settlement.ack
    this.retry = settlement.retry
    this.park = settlement.park
    this.drop = settlement.drop
    this.extend = () => deadline.extend()
    this.#deadline = deadline
    Object.defineProperty(this, 'signal', AttemptContext.#signal)
  }
}

function deadlineExceeded(reactor: string, { id }: Message, timeout: number): CairnError {
  return new CairnError(
    'deadline-exceeded',
    `Reactor ${reactor} has not handled message ${id} within ${timeout} ms. Increase its option timeout, or ` +
      'call extend() while the handler works.',
    { details: { reactor, messageId: id, timeout } },
  )
}

/** The error in the dead letter of a message during which nodes crashed. */
class NodeEnded extends Error {
  override readonly name = 'NodeEnded'
  override readonly message =
    'Several nodes in a row ended while they handled this message: it may be the cause.'
}

/** The error in the dead letter of a message that its handler parked. */
class ParkedMessage extends Error {
  override readonly name = 'ParkedMessage'
}

/** The error in the dead letter of a message whose handler requested too many retries. */
class RetryRequested extends Error {
  override readonly name = 'RetryAsked'
  override readonly message = 'The handler asked for another attempt.'
}
