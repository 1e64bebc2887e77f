// Commands that cannot be carried out: what the courier, the inbox and the timers give up.
//
// V1. Given up is only what waiting does not mend, after some attempts: a command whose node is
//     away, or whose actor is paused or parked, waits.
// V2. A command is given up when its dead letter is stored, and only then do those behind it go on.
// V3. Sent again, it goes to the inbox, under its own id: it acts once, whoever has carried it out before.

import type { ActorAddress } from '../../model/address.js'
import type { Clock } from '../../model/clock.js'
import type { Causes } from '../../model/commit.js'
import { type ErrorCode, isCairnError } from '../../model/errors.js'
import type { Position } from '../../model/version.js'
import {
  storeDeadLetter,
  type DeadLetterQueues,
  type DeadLetterReason,
} from '../dead-letters/dead-letters.js'
import type { DeliveryAttempt, HandlingResult } from '../group/partition-processor.js'

/** A command as its dead letter keeps it. */
export interface AbandonedCommand extends Causes {
  readonly id: string
  readonly actor: ActorAddress
  readonly type: string
  readonly data: unknown
  /** When it was said or sent, ms since 1970. */
  readonly at: number
  readonly nodeId: string
  /** Who said it, if an actor did. */
  readonly from?: ActorAddress
  /** How often it had been sent again before. */
  readonly redrives?: number
}

/** Stores a dead letter of a command; rejects when it is not stored. */
export type DeadLetterCommand = (
  command: AbandonedCommand,
  why: {
    readonly error: unknown
    readonly reason: DeadLetterReason
    readonly attempt: DeliveryAttempt
  },
) => Promise<void>

/** V1. Attempts after which a command is given up, and those of a command that nodes end with. */
const attemptsMax = 5
/** The same of a command that its actor does not know: while versions change, newer nodes do. About six minutes. */
const unknownAttemptsMax = 20
/** The topic that stands in a dead letter in a topic's stead: no topic of users' has such a name. */
export const commandsTopic = 'cairn-commands'

const hopeless: ReadonlySet<ErrorCode> = new Set([
  'commit-too-large',
  'decide-failed',
  'invalid-actor-id',
  'invalid-actor-type',
  'invalid-command',
  'invalid-data',
  'invalid-definition',
  'invalid-event',
  'invalid-message',
  'invalid-timer',
])

/** V1. Why a command is given up after this attempt, which ended with an error; `undefined`: it is not. */
export function abandonReason(
  error: unknown,
  { attempt }: DeliveryAttempt,
): DeadLetterReason | undefined {
  if (!isCairnError(error)) return undefined
  const isUnknown = error.code === 'unknown-command'
  if (!isUnknown && !hopeless.has(error.code)) return undefined
  const isLast = attempt >= (isUnknown ? unknownAttemptsMax : attemptsMax)
  return isLast ? 'max-attempts-exhausted' : undefined
}

/** Whether nodes have ended with each of the attempts: it is not begun once more. */
export function hasCrashed({ attempt, isAfterDeath }: DeliveryAttempt): boolean {
  return isAfterDeath && attempt > attemptsMax
}

/** What stands in the dead letter of a command that nodes have ended with. */
export class CommandCrashed extends Error {
  override readonly name = 'NodeEnded'
  override readonly message =
    'Node after node ended while this command was being carried out: it may be what ended them.'
}

/** V2. For one group: `courier`, `inbox` or `timers`. */
export function commandDeadLetters(
  group: string,
  queues: Pick<DeadLetterQueues, 'dead'>,
  clock: Clock,
): DeadLetterCommand {
  return async (command, { error, reason, attempt }) => {
    const { id, actor, type, data, at, nodeId, from, redrives = 0, ...causes } = command
    const position: Position = attempt.position
    const about = { id, topic: commandsTopic, version: 1, data, at, position, nodeId }
    await storeDeadLetter(
      queues,
      abandonedBy(group),
      {
        message: { ...causes, ...about, ...(from && { actor: from }) },
        command: { actor, type },
        source: group === 'inbox' ? 'inbox' : 'log',
        error,
        reason,
        attempts: attempt.attempt,
        firstAt: attempt.firstAt,
        redrives,
      },
      clock,
      attempt.signal,
    )
  }
}

/**
 * V2. Ends the attempt with a dead letter, and tells so in the log; while it is not stored, there will
 * be another attempt.
 */
export async function giveUpCommand(
  deadLetterCommand: DeadLetterCommand,
  command: AbandonedCommand,
  why: Parameters<DeadLetterCommand>[1],
  tell: (details: object) => void,
): Promise<HandlingResult> {
  try {
    await deadLetterCommand(command, why)
  } catch (error) {
    return { kind: 'again', error }
  }
  tell({ reason: why.reason, err: why.error })
  return { kind: 'done' }
}

/** What the dead letters of a group's commands name in a reactor's stead; no reactor has such a name. */
export function abandonedBy(group: string): string {
  return `commands:${group}`
}
