// What an actor says to the world: messages on topics, and commands to other actors. It is
// stored in the commit that it belongs to, and carried out from there.

import type { ActorAddress } from './address.js'
import { eventId } from './event.js'
import type { Version } from './version.js'

/** A message on a topic. */
export interface SaidMessage {
  readonly kind: 'message'
  readonly topic: string
  /** Of the topic's schema. */
  readonly version: number
  readonly data: unknown
}

/** A command to another actor, or to the same one. */
export interface SaidCommand {
  readonly kind: 'command'
  readonly actor: ActorAddress
  readonly type: string
  readonly data: unknown
}

export type Said = SaidMessage | SaidCommand

/** Things that one commit may say, at most. */
export const saidMax = 100

/**
 * The stable id of what a commit says, in every retry, replay and redelivery: the id of the
 * commit's first event and the place in its list, from 0. A message has it as its id, and a
 * command as its command id, so that carrying it twice acts once.
 */
export function saidId(
  actor: ActorAddress,
  firstVersion: Version,
  index: number,
): string {
  return `${eventId(actor, firstVersion)}#${index}`
}

/** The ids of all that a commit says, in order. */
export function saidIds(
  actor: ActorAddress,
  firstVersion: Version,
  says: readonly Said[] = [],
): string[] {
  return says.map((_, index) => saidId(actor, firstVersion, index))
}
