// Watching: every new event of one actor, each with the state after it.
//
// W1. Every version behind the start comes once, in order: what a reader of the log shows
//     twice is dropped, and what it shows too early waits for what is missing. A version that
//     is passed over (skips) comes with the state as it was, unless it is unreadable.
// W2. Nothing is kept between two events but the state.

import type { MalformedRecord, StoredCommit } from '../model/commit.js'
import type { RecordedEvent } from '../model/event.js'
import { checkCount, type Version } from '../model/version.js'
import { pause } from '../model/wait.js'
import type { EventStore } from '../store/event-store/event-store.js'
import { foldEvent, type FoldContext, skipCommit, type FoldedState } from './fold.js'
import { recordUnreadable, versionsMissing } from './parked.js'
import { recover, recoverAt } from './recovery.js'
import type { Skips } from './skips.js'

/** Reads that may fail to show what the log has shown already. */
const lagReads = 10

export interface WatchOptions {
  /** Starts behind this version. Default: the actor's version when the loop starts. */
  readonly from?: Version
  /** Ends the loop. */
  readonly signal?: AbortSignal
}

/** An event, and the state it led to. Do not change the state: the next one is folded from it. */
export interface WatchedEvent<State = unknown, Event = RecordedEvent> {
  readonly state: State
  readonly version: Version
  readonly event: Event
}

/**
 * Throws `actor-parked` where the history cannot be folded, `unknown-version` when `from` lies
 * ahead, and the store's errors; ends quietly on the signal.
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
    // Read before the actor is: whatever is stored later than what we shall know lies behind it.
    const after = await store.lastPosition(cancel)
    let at =
      from === undefined
        ? await recover(store, folding, signal)
        : await recoverAt(store, folding, from, signal)
    // What was stored between `from` and now; nothing when watching from now on.
    if (from !== undefined) at = yield* replay(at)
    for await (const record of store.follow({ types: [actor.type], after, ...cancel })) {
      if (record.actor?.id !== actor.id) continue
      const skips = await skipsNow(signal)
      if (skips !== folding.skips) {
        // What was handed out stays as it is; from here on it is folded like everywhere else.
        folding = { ...folding, skips }
        at = await recoverAt(store, folding, at.version, signal)
      }
      if (record.kind === 'malformed') {
        at = pass(at, record)
        continue
      }
      at = passGap(at, record)
      // The reads above may have come from a replica that lagged: read what lies between.
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
      at = yield* unfold(at, record)
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error
  }

  async function* replay(start: FoldedState<State>) {
    let at = start
    const range = { from: at.version + 1, hint: at.position, ...cancel }
    for await (const record of store.commits(actor, range)) {
      if (record.kind === 'malformed') {
        at = pass(at, record)
        continue
      }
      at = passGap(at, record)
      const { firstVersion, position } = record
      if (firstVersion > at.version + 1)
        throw versionsMissing(actor, at.version + 1, firstVersion, position)
      at = yield* unfold(at, record)
    }
    return at
  }

  /** Behind a record that cannot be read: it is no history, or passed over, or the end. */
  function pass(at: FoldedState<State>, record: MalformedRecord): FoldedState<State> {
    folding.onMalformed?.(record)
    const { versions, position } = record
    if (versions === undefined || versions.last <= at.version) return at
    const behind = skipCommit(folding, at, versions.last, position)
    if (behind === undefined) throw recordUnreadable(actor, record)
    return behind
  }

  /** In front of a commit, where what is missing before it is passed over. */
  function passGap(at: FoldedState<State>, commit: StoredCommit): FoldedState<State> {
    return skipCommit(folding, at, commit.firstVersion - 1, at.position) ?? at
  }

  function* unfold(
    start: FoldedState<State>,
    commit: StoredCommit,
  ): Generator<WatchedEvent<State>, FoldedState<State>> {
    let { state, version, position } = start
    for (const event of commit.events) {
      if (event.version <= version) continue
      state = foldEvent(folding, state, event)
      version = event.version
      position = commit.position
      yield { state, version, event }
    }
    return { state, version, position, inlineState: start.inlineState }
  }
}
