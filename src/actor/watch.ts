// Watching: every new event of one actor, with the state after it.
//
// Without a version to start from, a watch begins with the present state, so that no event is lost between reading the
// state and watching.
//
// WATCH-1. Every version after the start is yielded once, in order: an event that comes twice is dropped, and missing
//     versions are read before a later one is yielded. A skipped version is yielded with the unchanged state, unless it
//     is unreadable.
// WATCH-2. Between two events, a watcher keeps only the state. What it has not taken is held for it within the bounds of
//     WATCHED-ACTOR-2; beyond them it reads the log from the event that it took last. So a slow loop misses nothing, and
//     nothing grows.
// WATCH-3. With `latest`, the versions are left out that were stored while the loop was busy, except the last one.

import type { RecordedEvent } from '../model/event.js'
import { checkCount, type Position, type Version } from '../model/version.js'
import { handOut } from '../model/read-only.js'
import { type FoldContext, type FoldedState, handOutEvent, skipVersions } from './fold.js'
import { versionsUnread } from './parked.js'
import { rangeAfter, recoverAt } from './recovery.js'
import { isCairnError } from '../model/errors.js'
import { foldSteps, skipRecord, type Step } from './watch-steps.js'
import type { SkipsNow } from './watched-actor.js'
import type { Watches } from './watches.js'

/** For reads that only their end stops. */
const noSignal = new AbortController().signal

/** How an actor is watched. */
export interface WatchOptions {
  /** Yields the events after this version. Default: the state when the loop starts, and the events after it. */
  readonly from?: Version | undefined
  /**
   * Leaves out the events that were stored while the loop was busy, except the last one: for a screen that shows the
   * state. Default false: every event.
   */
  readonly latest?: boolean | undefined
  /** Ends the loop. */
  readonly signal?: AbortSignal | undefined
}

/** The state with which a watch begins. */
export interface WatchedState<State = unknown> {
  readonly state: State
  readonly version: Version
  /** Position of the last commit in the state; 0 without an event. */
  readonly position: Position
  /** Whether the actor has an event. Without one, it is at version 0, and the state is the initial one. */
  readonly exists: boolean
  readonly event?: undefined
}

/** An event and the state after it, which cannot be changed: the next one is folded from it. */
export interface WatchedEvent<State = unknown, Event = RecordedEvent> {
  readonly state: State
  readonly version: Version
  /** Position of the event's commit. */
  readonly position: Position
  readonly exists: true
  readonly event: Event
}

/**
 * Throws `actor-parked` if the history cannot be folded, `version-behind` if a later behavior version has written what cannot
 * be, `unknown-version` if `from` is later than the last version, and the store's errors. Ends without an error when the signal fires or the node closes.
 */
export async function* watchActor<State>(
  watches: Watches,
  context: FoldContext<State>,
  { from, latest = false, signal }: WatchOptions,
  skipsNow: SkipsNow,
): AsyncGenerator<WatchedState<State> | WatchedEvent<State>, void> {
  if (from !== undefined) checkCount('from', from)
  if (signal?.aborted) return
  const watched = watches.of(context, skipsNow)
  const place = { version: from ?? 0 }
  watched.join(place)
  let hasBegun = false
  try {
    // With `from`, what comes while this watcher reads the log is held for it.
    const beginning = watched.begin(from === undefined ? place : { version: 0 }, signal)
    beginning.catch(() => {}) // It is awaited after the reading, which may fail for the same reason.
    let at: FoldedState<State> | undefined
    if (from !== undefined) at = yield* replay(await folding(), await stateAt(from))
    const begun = await beginning
    at ??= begun
    hasBegun = true
    if (from === undefined && signal?.aborted !== true) {
      at ??= await stateAt(place.version)
      yield present(at)
    }
    while (signal?.aborted !== true) {
      const step = watched.after(place.version, latest)
      if (step === 'behind') {
        at ??= await stateAt(place.version)
        at = yield* replay(await folding(), at)
      } else if (step === undefined) {
        watched.check()
        await watched.changed(signal)
      } else {
        at = step.folded
        yield taken(step)
      }
    }
  } catch (error) {
    const isClosed = hasBegun && isCairnError(error, 'store-closed')
    if (signal?.aborted !== true && !isClosed) throw error
  } finally {
    watched.leave(place)
  }

  function taken({ event, folded }: Step<State>): WatchedEvent<State> {
    place.version = folded.version
    const { state, version, position } = folded
    return {
      state: handOut(state),
      version,
      position,
      exists: true,
      event: handOutEvent(event),
    }
  }

  function present(at: FoldedState<State>): WatchedState<State> {
    const { state, version, position } = at
    return { state: handOut(state), version, position, exists: version > 0 }
  }

  async function folding(): Promise<FoldContext<State>> {
    return { ...context, skips: await skipsNow(signal ?? noSignal) }
  }

  async function stateAt(version: Version): Promise<FoldedState<State>> {
    return recoverAt(watches.store, await folding(), version, signal)
  }

  /** Yields what the log has after `start`; with `latest`, only the last of it. */
  async function* replay(folding: FoldContext<State>, start: FoldedState<State>) {
    let at = start
    let last: Step<State> | undefined
    const range = rangeAfter(at, signal)
    for await (const record of watches.store.commits(context.actor, range)) {
      if (record.kind === 'malformed') at = skipRecord(folding, at, record)
      else {
        const { firstVersion, position } = record
        at = skipVersions(folding, at, firstVersion - 1, at.position) ?? at
        if (firstVersion > at.version + 1)
          throw versionsUnread(context.actor, at.version + 1, firstVersion, position)
        for (const step of foldSteps(folding, at, record)) {
          at = step.folded
          last = step
          if (!latest) yield taken(step)
        }
      }
      place.version = at.version
    }
    if (latest && last !== undefined) yield taken(last)
    return at
  }
}
