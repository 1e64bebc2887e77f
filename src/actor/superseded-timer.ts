// A firing: a command that a timer of the actor sends to it. It counts only while the timer is
// still the one that was set.
//
// F1. A timer is replaced or cancelled by the commit that says so: an actor that has decided it
//     gets no firing of an older setting any more, whatever was on its way. So it is looked for in
//     every commit from the one that set the timer up to the version that is decided on.
// F2. As with repeats (D1), that rests on a version: an append expects this very one.

import type { ActorAddress } from '../model/address.js'
import type { RejectedDecision } from '../model/behavior.js'
import type { LogRecord } from '../model/commit.js'
import { type TimerFiring, generationOf } from '../model/timer.js'
import { show } from '../model/show.js'
import type { Position, Version } from '../model/version.js'
import type { EventStore } from '../store/event-store/event-store.js'

/** The code of the refusal of a firing whose timer was replaced or cancelled. */
export const timerSuperseded = 'cairn.timer-superseded'

/**
 * Whether the timer was replaced or cancelled at or before `version`; `lagging` when what was read
 * ends before it.
 * @param at where the actor stands
 * @param saidAt the timer is known not to have been replaced before this position
 */
export async function findSuperseded(
  store: Pick<EventStore, 'commits'>,
  actor: ActorAddress,
  { name, generation }: TimerFiring,
  at: { readonly version: Version; readonly position: Position },
  saidAt: Position,
  signal: AbortSignal,
): Promise<boolean | 'lagging'> {
  let upTo: Version = 0
  for await (const record of store.commits(actor, { backwards: true, signal })) {
    if (record.position < saidAt) break
    upTo ||= lastVersionOf(record)
    if (changesTimer(record, name, generation)) return true
  }
  return upTo >= at.version ? false : 'lagging'
}

/** How a firing that counts no more ends. */
export function superseded({ name }: TimerFiring): RejectedDecision {
  const message = `Timer ${show(name)} was set anew or cancelled after it had been set to fire now.`
  return {
    ok: false,
    rejection: { code: timerSuperseded, message, details: undefined },
  }
}

/** What cannot be read says nothing: it is reported where the actor is folded. */
function changesTimer(record: LogRecord, name: string, generation: number): boolean {
  if (record.kind !== 'commit' || record.outbox === undefined) return false
  const { firstVersion, outbox } = record
  return outbox.some(
    (said, i) =>
      (said.kind === 'timer' || said.kind === 'cancel') &&
      said.name === name &&
      generationOf(firstVersion, i) > generation,
  )
}

function lastVersionOf(record: LogRecord): Version {
  return record.kind === 'commit' ? record.lastVersion : (record.versions?.last ?? 0)
}
