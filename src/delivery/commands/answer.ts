// The way back of a command: what becomes of its answer. The courier, the inbox and the due timers share this.
//
// ANSWER-1. The sender hears of a command once, however often the command is delivered: the commands that bring a
//     rejection or a reply have one id, and the first one that is stored counts.
// ANSWER-2. A command whose answer the sender has stored is not delivered again: a rejection leaves no trace at the
//     receiver, which might accept the command now.
// ANSWER-3. The record of a command stays where it is until its answer is stored, too. An answer that waiting cannot
//     help becomes a dead letter of its own (COMMAND-DELIVERY-1).
// ANSWER-4. A rejection that no command of the sender has heard is counted. It becomes a dead letter if the command asks
//     for one.

import { type ActorAddress, formatAddress } from '../../model/address.js'
import { type AnsweredCommand, answerId, hearersOf } from '../../model/answers.js'
import type { Rejection } from '../../model/behavior.js'
import { definedCauses } from '../../model/causes.js'
import { commitSlicesOf } from '../../model/commit.js'
import type {
  AskOutcome,
  CommandSender,
  RedeliveryOptions,
} from '../../model/command-sender.js'
import { carryOn } from '../../model/trace.js'
import type { Position } from '../../model/version.js'
import type { EventStore } from '../../store/event-store/event-store.js'
import { done, type HandlingResult } from '../group/handling.js'
import type { UndeliverableCommand } from './command-dead-letters.js'
import { type CommandDelivery, deliverCommand } from './command-delivery.js'

/** Commands that a node has delivered since it started, and that their actors have rejected. */
export interface RejectionCounters {
  rejected: number
  unheard: number
}

export interface AnswerPorts {
  readonly sender: Pick<CommandSender, 'ask'>
  readonly store: Pick<EventStore, 'commits'>
  readonly counters: RejectionCounters
}

export interface AnsweredDelivery extends Omit<CommandDelivery, 'deliver'> {
  /** Delivers the command; `undefined` if there is nothing to answer. */
  readonly deliver: (traceparent: string | undefined) => Promise<AskOutcome | undefined>
  /** Whether it may have been delivered before this record of it. */
  readonly isRepeat?: boolean
  /** Milliseconds for delivering the answer. */
  readonly timeout: number
  /** Log message for a rejection. */
  readonly rejectedText: string
  /** Runs when the command was delivered and answered. Not when it was given up. */
  readonly afterAnswer?: () => Promise<void>
}

/** Makes one attempt to deliver a command and its answer. `done` when both were delivered or given up. */
export async function deliverAndAnswer(
  delivery: AnsweredDelivery,
  ports: AnswerPorts,
): Promise<HandlingResult> {
  let outcome: AskOutcome | undefined
  let wasDelivered = false
  const result = await deliverCommand({
    ...delivery,
    async deliver(traceparent) {
      if (!(await isAnswered(delivery, ports.store)))
        outcome = await delivery.deliver(traceparent)
      wasDelivered = true
    },
  })
  if (result.kind === 'retry' || !wasDelivered) return result
  if (outcome !== undefined) {
    const answered = await answer(delivery, outcome, ports)
    if (answered.kind === 'retry') return answered
  }
  try {
    await delivery.afterAnswer?.()
  } catch (error) {
    return { kind: 'retry', error }
  }
  return done
}

/** ANSWER-2. */
async function isAnswered(
  { attempt, isRepeat, toUndeliverable }: AnsweredDelivery,
  store: AnswerPorts['store'],
): Promise<boolean> {
  if (!attempt.mayBeRepeat && isRepeat !== true) return false
  const command = toUndeliverable()
  const { id, from, sentAfter } = command
  if (from === undefined || hearersOf(command).length === 0) return false
  return hasHandled(store, from, answerId(id), sentAfter, attempt.signal)
}

/** Whether an actor has stored a command since a position of the log. */
async function hasHandled(
  store: AnswerPorts['store'],
  actor: ActorAddress,
  commandId: string,
  since: Position,
  signal: AbortSignal,
): Promise<boolean> {
  for await (const record of store.commits(actor, { backwards: true, signal })) {
    if (record.position < since) break
    if (record.kind !== 'commit') continue
    if (commitSlicesOf(record).some(({ command }) => command?.id === commandId))
      return true
  }
  return false
}

async function answer(
  delivery: AnsweredDelivery,
  outcome: AskOutcome,
  ports: AnswerPorts,
): Promise<HandlingResult> {
  const command = delivery.toUndeliverable()
  const hearer = outcome.ok ? command.replied : command.refused
  let result: HandlingResult = done
  let isHeard = outcome.ok
  if (hearer !== undefined && command.from !== undefined) {
    const heard = await deliverAnswer(
      delivery,
      command,
      command.from,
      hearer,
      outcome,
      ports,
    )
    result = heard.result
    isHeard = heard.isHeard
  } else if (!outcome.ok && command.deadLetter === true)
    result = await letterOf(delivery, command, outcome.rejection)
  if (result.kind === 'retry' || outcome.ok) return result
  const { rejection } = outcome
  ports.counters.rejected++
  if (!isHeard) ports.counters.unheard++
  delivery.log(isHeard ? 'info' : 'warn', delivery.rejectedText, {
    ...delivery.about,
    rejection,
  })
  return result
}

/** Sends the answer to the sender. An answer that is given up counts as heard: its dead letter can be sent again. */
async function deliverAnswer(
  delivery: AnsweredDelivery,
  command: UndeliverableCommand,
  to: ActorAddress,
  hearer: string,
  outcome: AskOutcome,
  { sender }: AnswerPorts,
): Promise<{ readonly result: HandlingResult; readonly isHeard: boolean }> {
  const { attempt, origin, group, timeout, storeDeadLetter, log } = delivery
  const { actor, type, data, sentAfter, nodeId, at } = command
  const about: AnsweredCommand = { actor, command: type, data }
  const answerData = outcome.ok
    ? { ...about, reply: outcome.reply }
    : { ...about, rejection: outcome.rejection }
  const id = answerId(command.id)
  const causes = { ...definedCauses(command), causationId: command.id }
  const fields = { command: hearer, commandId: id, from: formatAddress(actor) }
  let refusal: Rejection | undefined
  const undeliverable: UndeliverableCommand = {
    ...causes,
    id,
    actor: to,
    type: hearer,
    data: answerData,
    at,
    nodeId,
    sentAfter,
    from: actor,
    ...(command.deadLetter === true && { deadLetter: true }),
  }
  const result = await deliverCommand({
    attempt,
    origin,
    group,
    storeDeadLetter,
    log,
    about: { actor: formatAddress(to), ...fields },
    retryText: 'The answer to a command is retried',
    giveUpText: 'The answer to a command was given up as a dead letter',
    toUndeliverable: () => undeliverable,
    async deliver(traceparent) {
      const options: RedeliveryOptions = {
        ...carryOn(causes, traceparent),
        commandId: id,
        redelivery: { sentAfter },
        timeout,
        signal: attempt.signal,
      }
      const heard = await sender.ask(to, hearer, answerData, options)
      if (!heard.ok) refusal = heard.rejection
    },
  })
  if (refusal === undefined) return { result, isHeard: true }
  log(
    'warn',
    'The answer to a command was rejected by the actor that had sent the command',
    {
      actor: formatAddress(to),
      ...fields,
      rejection: refusal,
    },
  )
  const stored =
    command.deadLetter === true
      ? await letterOf(delivery, undeliverable, refusal)
      : result
  return { result: stored, isHeard: false }
}

/** ANSWER-4. Stores the dead letter of a rejected command. */
async function letterOf(
  { attempt, storeDeadLetter }: AnsweredDelivery,
  command: UndeliverableCommand,
  rejection: Rejection,
): Promise<HandlingResult> {
  try {
    const error = new CommandRejected(rejection)
    await storeDeadLetter(command, { error, reason: 'rejected', attempt })
    return done
  } catch (error) {
    return { kind: 'retry', error }
  }
}

/** The error in the dead letter of a rejected command. */
class CommandRejected extends Error {
  override readonly name = 'CommandRejected'

  constructor({ code, message }: Rejection) {
    super(code === message ? code : `${code}: ${message}`)
  }
}
