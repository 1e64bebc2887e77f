// The errors with which the router ends a command.

import type { ActorAddress } from '../model/address.js'
import type { Rejection } from '../model/behavior.js'
import { CairnError, isCairnError, refusal } from '../model/errors.js'
import { show } from '../model/show.js'

/** Errors that say that the outcome is unknown. */
const saysUnknown = ['answer-lost', 'outcome-unknown'] as const

export function noNodeError({ type, id }: ActorAddress): CairnError {
  return new CairnError(
    'no-node',
    `No living node hosts actor type ${type}, so ${type}/${id} cannot be asked: start a node that hosts it.`,
    { details: { type } },
  )
}

export function closedError(doing: string, commandId: string): CairnError {
  return new CairnError(
    'answer-lost',
    `This node closed before the answer to ${doing} arrived. Whether it took effect is not ` +
      `known: ask again with commandId ${show(commandId)}; it takes effect once.`,
    { details: { commandId } },
  )
}

/** The deadline has passed, and no request is unanswered. */
export function deadlineExceeded(
  doing: string,
  timeout: number,
  commandId: string,
): CairnError {
  return new CairnError(
    'deadline-exceeded',
    `The ${doing} was not handled within ${Math.round(timeout)} ms: the nodes that were asked did not own the actor, or ` +
      `left. Nothing was stored. Send it again with commandId ${show(commandId)}, and allow more time.`,
    { details: { timeout, commandId } },
  )
}

/** The deadline has passed while the command waited for its turn to be sent (GATE-4). */
export function notSentInTurn(
  doing: string,
  timeout: number,
  commandId: string,
  node: string,
): CairnError {
  return refusal(
    'deadline-exceeded',
    `The ${doing} was not sent to node ${node} within ${Math.round(timeout)} ms: others waited before it. Nothing was stored. ` +
      'Send it again later, or send at a lower rate, or allow more time.',
    { timeout, commandId },
  )
}

/** ROUTER-4: the error of a command that ended so after a request without an answer. */
export function unknownAfter(end: unknown, doing: string, commandId: string): unknown {
  if (saysUnknown.some(code => isCairnError(end, code)) && commandIdOf(end) === commandId)
    return end
  const { code, message } = end as Rejection
  return new CairnError(
    'outcome-unknown',
    `Whether the ${doing} took effect is not known: a node that it was sent to did not answer. Ask again ` +
      `with commandId ${show(commandId)}; it takes effect once. The last attempt ended with ${show(code)}: ${message}`,
    { cause: end, details: { commandId } },
  )
}

function commandIdOf(error: unknown): unknown {
  return isCairnError(error) ? error.details.commandId : undefined
}
