// What an actor says to the world: messages on topics, commands to other actors, and timers of
// its own. It is stored in the commit that it belongs to, and carried out from there.

import type { ActorAddress } from './address.js'
import { eventId } from './event.js'
import type { Version } from './version.js'

/** A message on a topic. */
export interface OutboxMessage {
  readonly kind: 'message'
  readonly topic: string
  /** Of the topic's schema. */
  readonly version: number
  readonly data: unknown
}

/** A command to another actor, or to the same one. */
export interface OutboxCommand {
  readonly kind: 'command'
  readonly actor: ActorAddress
  readonly type: string
  readonly data: unknown
}

/** Sets the timer of a name: a command to the actor itself when it is due. */
export interface OutboxTimer {
  readonly kind: 'timer'
  /** One timer a name and actor: a later one of the same name replaces it. */
  readonly name: string
  /** When it is due, ms since 1970. */
  readonly at: number
  /** Milliseconds from one firing to the next; absent for a timer that fires once. */
  readonly every?: number
  /** Milliseconds: one that is later than that is skipped. Absent: it fires, however late. */
  readonly skipAfter?: number
  /** Of the command. */
  readonly type: string
  readonly data: unknown
}

/** Cancels the timer of a name, if there is one. */
export interface OutboxTimerCancel {
  readonly kind: 'cancel'
  readonly name: string
}

export type OutboxEntry = OutboxMessage | OutboxCommand | OutboxTimer | OutboxTimerCancel

/** Things that one commit may say, at most. */
export const outboxEntriesMax = 100

/**
 * The stable id of what a commit says, in every retry, replay and redelivery: the id of the
 * commit's first event and the place in its list, from 0. A message has it as its id, and a
 * command as its command id, so that carrying it twice acts once.
 */
export function outboxEntryId(
  actor: ActorAddress,
  firstVersion: Version,
  index: number,
): string {
  return `${eventId(actor, firstVersion)}#${index}`
}

/** The ids of all that a commit says, in order. */
export function outboxEntryIds(
  actor: ActorAddress,
  firstVersion: Version,
  says: readonly OutboxEntry[] = [],
): string[] {
  return says.map((_, index) => outboxEntryId(actor, firstVersion, index))
}
