// Dead letters of commands that the courier, the inbox or the due timers could not deliver.

import type { ActorAddress } from '../../model/address.js'
import { type Answers, answersOf } from '../../model/answers.js'
import { definedCauses } from '../../model/causes.js'
import type { Clock } from '../../model/clock.js'
import type { Causes } from '../../model/commit.js'
import type { KeptHeaders } from '../../model/kept-headers.js'
import type { Position } from '../../model/version.js'
import {
  type DeadLetterReason,
  type DeadLetterSink,
  storeDeadLetter,
} from '../dead-letters/dead-letters.js'
import type { DeliveryAttempt } from '../group/handling.js'

/** A command as its dead letter keeps it. */
export interface UndeliverableCommand extends Causes, KeptHeaders, Answers {
  readonly id: string
  readonly actor: ActorAddress
  readonly type: string
  readonly data: unknown
  /** Time of its commit or of its first send, ms since 1970. */
  readonly at: number
  readonly nodeId: string
  /** A position that the log had reached when it was sent for the first time. */
  readonly sentAfter: Position
  /** The actor that sent it, if one did. */
  readonly from?: ActorAddress
  /** How often it was sent again before. */
  readonly redrives?: number
}

export interface Failure {
  readonly error: unknown
  readonly reason: DeadLetterReason
  readonly attempt: DeliveryAttempt
}

/** Stores the dead letter of a command; rejects when it is not stored. */
export type StoreCommandDeadLetter = (
  command: UndeliverableCommand,
  failure: Failure,
) => Promise<void>

/** The topic in the dead letter of a command. No topic of an application has this name. */
export const commandsTopic = 'cairn-commands'

/** Stores the dead letters of one group: `courier`, `inbox` or `timers`. */
export function commandDeadLetterStorer(
  group: string,
  queues: DeadLetterSink,
  clock: Clock,
): StoreCommandDeadLetter {
  return async (command, { error, reason, attempt }) => {
    const { id, actor, type, data, at, sentAfter, nodeId, from, redrives = 0 } = command
    const { otherHeaders } = command
    const { position } = attempt
    const about = { id, topic: commandsTopic, version: 1, data, at, position, nodeId }
    await storeDeadLetter(
      queues,
      commandDeadLetterName(group),
      {
        message: {
          ...definedCauses(command),
          ...about,
          ...(from && { actor: from }),
          ...(otherHeaders && { otherHeaders }),
        },
        command: { actor, type, sentAfter, ...answersOf(command) },
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

/** The name in the dead letters of a group, in place of a reactor's name. No reactor has such a name. */
export function commandDeadLetterName(group: string): string {
  return `commands:${group}`
}
