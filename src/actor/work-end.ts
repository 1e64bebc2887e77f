// The decision on the end of a piece of work (WORK-2, WORK-3).

import type { ActorAddress } from '../model/address.js'
import type {
  AcceptedDecision,
  Behavior,
  Command,
  Decision,
  RejectedDecision,
  Rejection,
} from '../model/behavior.js'
import type { NewEvent } from '../model/event.js'
import { endedKeyOf } from '../model/pending-work.js'
import { show } from '../model/show.js'
import { type PendingWork, type WorkEnded, workEndedType } from '../model/work.js'
import type { ActorSubject } from './actor-ports.js'
import type { FoldedState } from './fold.js'

/** The rejection code of an end of work that has ended before, or was cancelled. */
export const workNotPending = 'cairn.work-ended'

const textCharactersMax = 2_048

/** The work that a command ends; a rejection if it is not pending; `undefined` for any other command. */
export function workEndedBy(
  behavior: Behavior,
  actor: ActorAddress,
  { id }: Command,
  { works }: FoldedState,
): PendingWork | RejectedDecision | undefined {
  const key = endedKeyOf(actor, id)
  // The children of machines end in the state.
  if (key === undefined || behavior.children !== undefined) return undefined
  return works?.find(one => one.key === key) ?? notPending(key)
}

function notPending(key: string): RejectedDecision {
  const message = `Work ${show(key)} has ended before, or was cancelled.`
  return { ok: false, rejection: { code: workNotPending, message, details: undefined } }
}

/** The decision on an end, as one that stores something. */
export function storedEnd(
  { key, work }: PendingWork,
  { type: command }: Command,
  decision: Decision,
): AcceptedDecision {
  if (decision.ok && decision.events.length > 0) return decision
  const ended: WorkEnded = { key, work, command }
  if (decision.ok) return { ...decision, events: [{ type: workEndedType, data: ended }] }
  const rejection = shortened(decision.rejection)
  return {
    ok: true,
    events: [{ type: workEndedType, data: { ...ended, rejection } }],
    reply: () => undefined,
  }
}

/** The details may not be storable, and the text may be of any length. */
function shortened({ code, message }: Rejection) {
  const short = (text: string) => text.slice(0, textCharactersMax).toWellFormed()
  return { code: short(code), message: short(message) }
}

/** Counts and logs the ends that the actor has rejected, of events that are stored: nobody else hears of them. */
export function reportRejectedEnds(
  { name, ports }: ActorSubject,
  events: readonly NewEvent[],
): void {
  for (const { type, data } of events) {
    if (type !== workEndedType) continue
    const { key, work, command, rejection } = data as WorkEnded
    if (rejection === undefined) continue
    ports.counters.rejectedEnds++
    const about = { actor: name, key, work, command, rejection }
    ports.log('warn', 'The end of work was rejected by its actor', about)
  }
}
