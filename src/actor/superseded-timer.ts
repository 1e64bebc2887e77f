// Superseded timers. A firing is a command that a timer of the actor sends to it. It is valid only
// while the timer was neither replaced nor cancelled.
//
// FIRING-1. The commit that replaces or cancels a timer takes effect at once: after it, the actor gets
//     no firing of an older setting, even one that was already on its way. So every commit from the one
//     that set the timer up to the decided version is checked.
// FIRING-2. The result holds for one version (as in DUPLICATES-1), and the append expects that version.

import type { ActorAddress } from '../model/address.js'
import type { RejectedDecision } from '../model/behavior.js'
import type { LogRecord } from '../model/commit.js'
import { type TimerFiring, generationOf } from '../model/timer.js'
import { show } from '../model/show.js'
import type { Position, Version } from '../model/version.js'
import type { EventStore } from '../store/event-store/event-store.js'

/** The rejection code of a firing whose timer was replaced or cancelled. */
export const timerSuperseded = 'cairn.timer-superseded'

/**
 * Whether the timer was replaced or cancelled at or before the version of `folded`; `lagging` when the
 * records that were read end before it.
 * @param folded the version and position that the firing is decided on
 * @param setAt the position of the commit that set the timer: it cannot be replaced before
 */
export async function isTimerSuperseded(
  store: Pick<EventStore, 'commits'>,
  actor: ActorAddress,
  { name, generation }: TimerFiring,
  folded: { readonly version: Version; readonly position: Position },
  setAt: Position,
  signal: AbortSignal,
): Promise<boolean | 'lagging'> {
  let upTo: Version = 0
  for await (const record of store.commits(actor, { backwards: true, signal })) {
    if (record.position < setAt) break
    upTo ||= lastVersionOf(record)
    if (changesTimer(record, name, generation)) return true
  }
  return upTo >= folded.version ? false : 'lagging'
}

/** The rejection of a superseded firing. */
export function supersededDecision({ name }: TimerFiring): RejectedDecision {
  const message = `Timer ${show(name)} was replaced or cancelled after it had been set to fire now.`
  return {
    ok: false,
    rejection: { code: timerSuperseded, message, details: undefined },
  }
}

/** An unreadable record changes no timer here; it is reported when the actor is folded. */
function changesTimer(record: LogRecord, name: string, generation: number): boolean {
  if (record.kind !== 'commit' || record.outbox === undefined) return false
  const { firstVersion, outbox } = record
  return outbox.some(
    (entry, i) =>
      (entry.kind === 'timer' || entry.kind === 'cancel') &&
      entry.name === name &&
      generationOf(firstVersion, i) > generation,
  )
}

function lastVersionOf(record: LogRecord): Version {
  return record.kind === 'commit' ? record.lastVersion : (record.versions?.last ?? 0)
}
