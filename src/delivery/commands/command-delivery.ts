// Delivers one command to its actor: retries it, or gives it up. The courier, the inbox and the due timers share this.
//
// COMMAND-DELIVERY-1. A command is given up only for an error that waiting cannot fix, after several attempts. It is
//     retried without end while its node is away, or its actor is paused or parked.
// COMMAND-DELIVERY-2. A command counts as given up when its dead letter is stored, and only then do the commands after
//     it continue.
// COMMAND-DELIVERY-3. A command that is sent again from its dead letter goes to the inbox under its own id: it takes
//     effect once, whatever has delivered it before.

import { type ErrorCode, isCairnError, messageOf } from '../../model/errors.js'
import type { WriteLog } from '../../model/log.js'
import {
  type DeliverTrace,
  deliverTraces,
  timerTraces,
  trace,
  type TraceOrigin,
} from '../../model/trace.js'
import type { DeadLetterReason } from '../dead-letters/dead-letters.js'
import { type DeliveryAttempt, done, type HandlingResult } from '../group/handling.js'
import type {
  Failure,
  StoreCommandDeadLetter,
  UndeliverableCommand,
} from './command-dead-letters.js'

export interface CommandDelivery {
  readonly attempt: DeliveryAttempt
  readonly origin: TraceOrigin
  /** The group that delivers it. */
  readonly group: string
  /** The name of the timer whose command it is. Default: none. */
  readonly timer?: string
  /**
   * Delivers the command, with another `traceparent` if one is given. An error that it throws means that the command is
   * retried or given up.
   */
  readonly deliver: (traceparent: string | undefined) => Promise<unknown>
  /** The command as its dead letter keeps it. */
  readonly toUndeliverable: () => UndeliverableCommand
  /** Runs before the dead letter is stored. */
  readonly beforeGiveUp?: () => Promise<void>
  /** Runs after the dead letter is stored. */
  readonly afterGiveUp?: () => Promise<void>
  readonly storeDeadLetter: StoreCommandDeadLetter
  readonly log: WriteLog
  /** Log messages: the command is retried (the error's message follows); it was given up. */
  readonly retryText: string
  readonly giveUpText: string
  /** Log fields that identify the command. */
  readonly about: object
}

/** Attempts after which a command is given up, and after which one that crashes its nodes is. */
const attemptsMax = 5
/**
 * Attempts at a command that no node knows, about six minutes: during an upgrade, a node that knows it may start.
 */
const unknownCommandAttemptsMax = 20

/** Errors that waiting cannot fix. */
const permanentErrors: ReadonlySet<ErrorCode> = new Set([
  'commit-too-large',
  'decide-failed',
  'forbidden',
  'command-id-reused',
  'invalid-actor-id',
  'invalid-actor-type',
  'invalid-command',
  'invalid-data',
  'invalid-definition',
  'invalid-event',
  'invalid-message',
  'invalid-timer',
])

/** Makes one attempt. `done` when the command was delivered or given up. */
export async function deliverCommand(delivery: CommandDelivery): Promise<HandlingResult> {
  const { attempt, deliver, log, about } = delivery
  if (isCrashLoop(attempt))
    return giveUp(delivery, { reason: 'crashed', error: new CommandCrashed(), attempt })
  try {
    await (isTraced(delivery) ? deliverTraced(delivery) : deliver(undefined))
    return done
  } catch (error) {
    if (attempt.signal.aborted) return { kind: 'retry', error }
    const reason = giveUpReason(error, attempt)
    if (reason !== undefined) return giveUp(delivery, { reason, error, attempt })
    log('warn', `${delivery.retryText}: ${messageOf(error)}`, {
      ...about,
      attempt: attempt.attempt,
    })
    return { kind: 'retry', error }
  }
}

function isTraced({ timer }: CommandDelivery): boolean {
  return (timer === undefined ? deliverTraces : timerTraces).hasSubscribers
}

function deliverTraced(delivery: CommandDelivery): Promise<unknown> {
  const { origin, group, timer, attempt, deliver, toUndeliverable } = delivery
  const { id: commandId, actor, type, correlationId, traceparent } = toUndeliverable()
  const context: DeliverTrace = {
    namespace: origin.namespace,
    nodeId: origin.nodeId,
    group,
    attempt: attempt.attempt,
    actor,
    command: type,
    commandId,
    correlationId,
    traceparent,
  }
  return timer === undefined
    ? trace(deliverTraces, context, deliver)
    : trace(timerTraces, { ...context, timer }, deliver)
}

/** COMMAND-DELIVERY-2. While the dead letter is not stored, the command is retried. */
async function giveUp(
  delivery: CommandDelivery,
  failure: Failure,
): Promise<HandlingResult> {
  const { storeDeadLetter, toUndeliverable, log, about } = delivery
  await delivery.beforeGiveUp?.()
  try {
    await storeDeadLetter(toUndeliverable(), failure)
  } catch (error) {
    return { kind: 'retry', error }
  }
  const { reason, error: err } = failure
  log('error', delivery.giveUpText, { ...about, reason, err })
  await delivery.afterGiveUp?.()
  return done
}

/** COMMAND-DELIVERY-1. Why a command is given up after a failed attempt; `undefined` when it is retried. */
function giveUpReason(
  error: unknown,
  { attempt }: DeliveryAttempt,
): DeadLetterReason | undefined {
  if (!isCairnError(error)) return undefined
  const { code, details } = error
  const isUnknown =
    code === 'unknown-command' ||
    (code === 'version-behind' && details.command !== undefined)
  if (!isUnknown && !permanentErrors.has(code)) return undefined
  const isLast = attempt >= (isUnknown ? unknownCommandAttemptsMax : attemptsMax)
  return isLast ? 'max-attempts-exhausted' : undefined
}

/** Whether a node has crashed during each attempt: no further one is made. */
function isCrashLoop({ attempt, isAfterCrash }: DeliveryAttempt): boolean {
  return isAfterCrash && attempt > attemptsMax
}

/** The error in the dead letter of a command during which nodes crashed. */
class CommandCrashed extends Error {
  override readonly name = 'NodeEnded'
  override readonly message =
    'Several nodes in a row ended while they delivered this command: it may be the cause.'
}
