// The outbox of a commit: messages on topics, commands to other actors, and timers and work of the actor. They
// are stored in the commit with its events, and delivered from there.

import type { ActorAddress } from './address.js'
import type { Answers } from './answers.js'
import { eventId } from './event.js'
import type { Version } from './version.js'
import type { WorkTerms } from './work.js'

/** A message on a topic. */
export interface OutboxMessage {
  readonly kind: 'message'
  readonly topic: string
  /** The version of the topic's schema. */
  readonly version: number
  readonly data: unknown
  /** The application's headers; absent if there are none. */
  readonly headers?: Readonly<Record<string, string>>
}

/** A command to another actor, or to the same one. */
export interface OutboxCommand extends Answers {
  readonly kind: 'command'
  readonly actor: ActorAddress
  readonly type: string
  readonly data: unknown
}

/** Sets a timer: when it is due, it sends a command to the actor itself. */
export interface OutboxTimer extends Answers {
  readonly kind: 'timer'
  /** An actor has one timer per name: setting it again replaces it. */
  readonly name: string
  /** When it is due, ms since 1970. */
  readonly at: number
  /** Milliseconds from one firing to the next; absent for a timer that fires once. */
  readonly every?: number
  /** Milliseconds: a firing that is later than this is skipped. Absent: it fires, however late. */
  readonly skipAfter?: number
  /** The type of the command. */
  readonly type: string
  readonly data: unknown
}

/** Cancels a timer; a no-op if there is none of that name. */
export interface OutboxTimerCancel {
  readonly kind: 'cancel'
  readonly name: string
}

/** Has work done outside: the actor's owner starts it, and its end is a command to the actor. */
export interface OutboxPerform extends WorkTerms {
  readonly kind: 'perform'
}

/** Cancels work of the actor: all that is pending under a name; a no-op if there is none. */
export interface OutboxStop extends Pick<WorkTerms, 'work' | 'name'> {
  readonly kind: 'stop'
}

export type OutboxEntry =
  | OutboxMessage
  | OutboxCommand
  | OutboxTimer
  | OutboxTimerCancel
  | OutboxPerform
  | OutboxStop

/** The most outbox entries of one commit. */
export const outboxEntriesMax = 100

/**
 * The id of an outbox entry, the same in every retry, replay and redelivery: the id of the commit's
 * first event and the entry's index in the outbox, from 0. It is the id of a message, and the
 * command id of a command, so that delivering the entry twice takes effect once.
 */
export function outboxEntryId(
  actor: ActorAddress,
  firstVersion: Version,
  index: number,
): string {
  return `${eventId(actor, firstVersion)}#${index}`
}

/** The ids of all outbox entries of a commit, in order. */
export function outboxEntryIds(
  actor: ActorAddress,
  firstVersion: Version,
  outbox: readonly OutboxEntry[] = [],
): string[] {
  return outbox.map((_, index) => outboxEntryId(actor, firstVersion, index))
}
