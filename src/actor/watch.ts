// Watching: every new event of one actor, with the state after it.
//
// WATCH-1. Every version after the start is yielded once, in order: an event that the log yields twice is
//          dropped, and missing versions are read before a later one is yielded. A skipped version is
//          yielded with the unchanged state, unless it is unreadable.
// WATCH-2. Between two events, only the state is kept.

import type { MalformedRecord, StoredCommit } from '../model/commit.js'
import type { RecordedEvent } from '../model/event.js'
import { checkCount, type Version } from '../model/version.js'
import { handOut } from '../model/read-only.js'
import { pause } from '../model/wait.js'
import type { EventStore } from '../store/event-store/event-store.js'
import { foldEvent, type FoldContext, skipVersions, type FoldedState } from './fold.js'
import { recordUnreadable, versionsMissing } from './parked.js'
import { recover, recoverAt } from './recovery.js'
import type { Skips } from './skips.js'

/** The most reads that may not yet show a version that the log has shown. */
const lagReads = 10

/** How an actor is watched. */
export interface WatchOptions {
  /** Starts after this version. Default: the actor's version when the loop starts. */
  readonly from?: Version
  /** Ends the loop. */
  readonly signal?: AbortSignal
}

/** An event and the state after it, which cannot be changed: the next one is folded from it. */
export interface WatchedEvent<State = unknown, Event = RecordedEvent> {
  readonly state: State
  readonly version: Version
  readonly event: Event
}

/**
 * Throws `actor-parked` if the history cannot be folded, `unknown-version` if `from` is later than the
 * last version, and the store's errors. Ends without an error when the signal fires.
 */
export async function* watchActor<State>(
  store: Pick<EventStore, 'head' | 'commits' | 'follow' | 'lastPosition'>,
  base: FoldContext<State>,
  { from, signal }: WatchOptions,
  skipsNow: (signal?: AbortSignal) => Promise<Skips | undefined> = async () => undefined,
): AsyncGenerator<WatchedEvent<State>, void> {
  if (from !== undefined) checkCount('from', from)
  const { actor } = base
  let folding = base
  const cancel = signal === undefined ? {} : { signal }
  try {
    folding = { ...base, skips: await skipsNow(signal) }
    // Read before the actor, so that every commit after the actor's state is at a later position.
    const after = await store.lastPosition(cancel)
    let at =
      from === undefined
        ? await recover(store, folding, signal)
        : await recoverAt(store, folding, from, signal)
    // Events that were stored between `from` and now.
    if (from !== undefined) at = yield* replay(at)
    for await (const record of store.follow({ types: [actor.type], after, ...cancel })) {
      if (record.actor?.id !== actor.id) continue
      const skips = await skipsNow(signal)
      if (skips !== folding.skips) {
        // States that were yielded do not change; later ones are folded with the new skips.
        folding = { ...folding, skips }
        at = await recoverAt(store, folding, at.version, signal)
      }
      if (record.kind === 'malformed') {
        at = skipRecord(at, record)
        continue
      }
      at = skipGap(at, record)
      // A replica that lags may have answered the reads above: read the versions between.
      for (let attempt = 0; record.firstVersion > at.version + 1; attempt++) {
        if (attempt === lagReads)
          throw versionsMissing(
            actor,
            at.version + 1,
            record.firstVersion,
            record.position,
          )
        await pause(attempt * 20, signal)
        at = yield* replay(at)
      }
      at = yield* foldCommit(at, record)
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error
  }

  async function* replay(start: FoldedState<State>) {
    let at = start
    const range = { from: at.version + 1, hint: at.position, ...cancel }
    for await (const record of store.commits(actor, range)) {
      if (record.kind === 'malformed') {
        at = skipRecord(at, record)
        continue
      }
      at = skipGap(at, record)
      const { firstVersion, position } = record
      if (firstVersion > at.version + 1)
        throw versionsMissing(actor, at.version + 1, firstVersion, position)
      at = yield* foldCommit(at, record)
    }
    return at
  }

  /** The state after an unreadable record: the record is foreign, or skipped, or an error is thrown. */
  function skipRecord(
    at: FoldedState<State>,
    record: MalformedRecord,
  ): FoldedState<State> {
    folding.onMalformed?.(record)
    const { versions, position } = record
    if (versions === undefined || versions.last <= at.version) return at
    const skipped = skipVersions(folding, at, versions.last, position)
    if (skipped === undefined) throw recordUnreadable(actor, record)
    return skipped
  }

  /** The state before a commit, if the versions that are missing before it are skipped. */
  function skipGap(at: FoldedState<State>, commit: StoredCommit): FoldedState<State> {
    return skipVersions(folding, at, commit.firstVersion - 1, at.position) ?? at
  }

  function* foldCommit(
    start: FoldedState<State>,
    commit: StoredCommit,
  ): Generator<WatchedEvent<State>, FoldedState<State>> {
    let { state, version, position } = start
    for (const event of commit.events) {
      if (event.version <= version) continue
      state = foldEvent(folding, state, event)
      version = event.version
      position = commit.position
      yield { state: handOut(state), version, event }
    }
    return { state, version, position, inlineStateVersion: start.inlineStateVersion }
  }
}
