// The steps of a watch: each event with the actor after it.

import type { MalformedRecord, StoredCommit } from '../model/commit.js'
import type { RecordedEvent } from '../model/event.js'
import {
  foldEventOf,
  type FoldContext,
  type FoldedState,
  skipVersions,
  upcastEvent,
} from './fold.js'
import { recordUnreadable } from './parked.js'

export interface Step<State = unknown> {
  readonly event: RecordedEvent
  readonly folded: FoldedState<State>
}

/**
 * The events of a commit that come after `start`; throws `actor-parked` at the first one that cannot be folded, or
 * `version-behind` if a later behavior version has written it.
 */
export function* foldSteps<State>(
  context: FoldContext<State>,
  start: FoldedState<State>,
  commit: StoredCommit,
): Generator<Step<State>> {
  const { events, position } = commit
  let folded = start
  for (const event of events) {
    if (event.version <= folded.version) continue
    const state = foldEventOf(context, folded.state, event, commit)
    const { inlineStateVersion } = start
    folded = { state, version: event.version, position, inlineStateVersion }
    // One step for each version: a stored event that became several, or none, comes as it is stored.
    const isSkipped = context.skips?.covers(event.version, event.version) === true
    const pieces = isSkipped ? [event] : upcastEvent(context.behavior, event)
    yield { event: pieces.length === 1 ? pieces[0]! : event, folded }
  }
}

/** The state after an unreadable record: the record is foreign, or skipped, or `actor-parked` is thrown. */
export function skipRecord<State>(
  context: FoldContext<State>,
  at: FoldedState<State>,
  record: MalformedRecord,
): FoldedState<State> {
  context.onMalformed?.(record)
  const { versions, position } = record
  if (versions === undefined || versions.last <= at.version) return at
  const skipped = skipVersions(context, at, versions.last, position)
  if (skipped === undefined) throw recordUnreadable(context.actor, record)
  return skipped
}
