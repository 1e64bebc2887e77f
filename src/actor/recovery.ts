// Recovery: reads an actor's state from its history.
//
// RECOVERY-1. One read is enough when the last record is a commit with an inline state of this
//     behavior version.
// RECOVERY-2. Otherwise the history is read backwards to the nearest such state or to version 1, with at
//     most `heldCommitsMax` commits in memory. Older commits are folded forward from version 1, one at a time.
// RECOVERY-3. A record without versions is not part of the history: it is reported and ignored. Missing
//     or unreadable versions park the actor, unless a later commit has an inline state or an operator
//     has skipped them.
// RECOVERY-4. A history that may be broken is read whole, once (CONTINUITY-1): when it is suspected, and when its head is
//     not behind the known version.
// RECOVERY-5. Nothing is written, and nothing is left in the store.
// RECOVERY-6. A history without a state in its last `snapshotAfter` versions may have a snapshot. It is used if the commit that it names is in
//     the history at its version (ACTOR-SNAPSHOTS-2); the events after it are folded onto it.
// RECOVERY-7. A state may be one within a commit: the events after it are then at its own position. Every read after a state begins
//     at its position (`rangeAfter`).
// RECOVERY-8. The state at an earlier version is folded from the last usable inline state at or before it. It is looked for backwards
//     from the end, through the commits after the version and at most `heldCommitsMax` before it, unless version 1 is nearer to the version
//     than the end is, or the records on the way are not a whole history. Then the history is folded from version 1.

import type { StoredCommit } from '../model/commit.js'
import type { Position, Version } from '../model/version.js'
import type {
  CommitsOptions,
  EventStore,
  Head,
} from '../store/event-store/event-store.js'
import { continuous } from './continuity.js'
import {
  initialFoldedState,
  foldedInlineState,
  foldCommit,
  foldForward,
  type FoldContext,
  skipVersions,
  type FoldedState,
  unknownVersion,
} from './fold.js'
import { recordUnreadable, versionsBroken, versionsMissing } from './parked.js'

/** The part of a store that recovery uses. */
export type History = Pick<EventStore, 'head' | 'commits'>

/** Most commits that are held in memory while reading backwards to an inline state. */
export const heldCommitsMax = 256

/** Versions that are read back before a snapshot is looked for: states that fit into commits are found there. */
const snapshotAfter = 100

/** The newest state of an actor. Throws `actor-parked` when its history cannot be folded. */
export async function recover<State>(
  store: History,
  context: FoldContext<State>,
  signal?: AbortSignal,
): Promise<FoldedState<State>> {
  const head = await readHead(store, context, signal)
  return fromHead(store, context, head, signal)
}

/**
 * Brings a folded state up to date. It reads the actor's head and, if the head's inline state is not usable, the commits
 * after the folded state. Returns the same object when nothing was missing.
 */
export async function refresh<State>(
  store: History,
  context: FoldContext<State>,
  folded: FoldedState<State>,
  signal?: AbortSignal,
): Promise<FoldedState<State>> {
  const head = await readHead(store, context, signal)
  if (head.version === folded.version) {
    const isForeign = head.last?.kind === 'malformed' && head.last.versions === undefined
    if (head.position === folded.position || isForeign) return folded
  }
  // Not a continuation of the known history: the log was restored, the actor was erased, or its history is broken.
  if (head.version <= folded.version)
    return foldContinuously(store, context, folded.version, signal)
  const inlineState = foldedInlineState(context, head.last)
  if (inlineState !== undefined) return inlineState
  const { actor } = context
  return foldForward(context, folded, store.commits(actor, rangeAfter(folded, signal)))
}

/**
 * What to read of an actor after a folded state. Its commit is read again: the state may be one within it (RECOVERY-7).
 */
export function rangeAfter(
  { version, position }: Pick<FoldedState, 'version' | 'position'>,
  signal: AbortSignal | undefined,
): CommitsOptions {
  return { from: version + 1, hint: position, ...withSignal(signal) }
}

/**
 * The newest state of an actor whose history may be broken after version `known`. Throws `actor-parked` with the position
 * if it is (RECOVERY-4).
 */
export async function recoverSuspected<State>(
  store: History,
  context: FoldContext<State>,
  known: Version,
  signal?: AbortSignal,
): Promise<FoldedState<State>> {
  await readHead(store, context, signal)
  return foldContinuously(store, context, known, signal)
}

async function foldContinuously<State>(
  store: History,
  context: FoldContext<State>,
  known: Version,
  signal: AbortSignal | undefined,
): Promise<FoldedState<State>> {
  const { actor, skips } = context
  const records = continuous(
    actor,
    store.commits(actor, withSignal(signal)),
    known,
    skips,
  )
  return foldForward(context, initialFoldedState(context), records)
}

/** The state of an actor at a version. Throws `unknown-version` or `actor-parked`. */
export async function recoverAt<State>(
  store: History,
  context: FoldContext<State>,
  version: Version,
  signal?: AbortSignal,
): Promise<FoldedState<State>> {
  const start = initialFoldedState(context)
  if (version === 0) return start
  const base = (await nearestState(store, context, version, signal)) ?? start
  if (base.version === version) return base
  const range = { ...rangeAfter(base, signal), to: version }
  const records = store.commits(context.actor, range)
  const folded = await foldForward(context, base, records, version)
  if (folded.version < version)
    throw unknownVersion(context.actor, version, folded.version)
  return folded
}

/** RECOVERY-8: the last stored state at or before a version; `undefined` if it is nearer to fold from version 1. */
async function nearestState<State>(
  store: History,
  context: FoldContext<State>,
  version: Version,
  signal: AbortSignal | undefined,
): Promise<FoldedState<State> | undefined> {
  const { actor } = context
  let next: Version | undefined
  let looked = 0
  const backwards = store.commits(actor, { backwards: true, ...withSignal(signal) })
  for await (const record of backwards) {
    // What cannot be read, or does not continue, is for the fold of the whole history to judge.
    if (record.kind === 'malformed') {
      if (record.versions === undefined) continue
      return undefined
    }
    const { firstVersion, lastVersion } = record
    if (next !== undefined && lastVersion !== next - 1) return undefined
    if (next === undefined && (lastVersion < version || lastVersion - version > version))
      return undefined
    next = firstVersion
    if (lastVersion > version) continue
    const state = foldedInlineState(context, record)
    if (state !== undefined) return state
    if (++looked === heldCommitsMax) return undefined
  }
  return undefined
}

async function readHead(
  store: History,
  { actor, onHead }: Pick<FoldContext, 'actor' | 'onHead'>,
  signal: AbortSignal | undefined,
): Promise<Head> {
  const head = await store.head(actor, withSignal(signal))
  onHead?.(head)
  return head
}

async function fromHead<State>(
  store: History,
  context: FoldContext<State>,
  head: Head,
  signal: AbortSignal | undefined,
): Promise<FoldedState<State>> {
  if (head.version === 0) {
    if (head.last?.kind === 'malformed') context.onMalformed?.(head.last)
    return initialFoldedState(context)
  }
  return (
    foldedInlineState(context, head.last) ??
    (await foldFromNearestState(store, context, signal))
  )
}

/** RECOVERY-2: reads backwards, then folds forwards. */
async function foldFromNearestState<State>(
  store: History,
  context: FoldContext<State>,
  signal: AbortSignal | undefined,
): Promise<FoldedState<State>> {
  const { actor, skips } = context
  const held: StoredCommit[] = []
  let base: FoldedState<State> | undefined
  let hasLooked = context.snapshots === undefined
  /** The last record, if it is unreadable and skipped. */
  let skippedTail: { readonly last: Version; readonly position: Position } | undefined
  const backwards = store.commits(actor, { backwards: true, ...withSignal(signal) })
  for await (const record of backwards) {
    if (record.kind === 'malformed') {
      context.onMalformed?.(record)
      const { versions, position } = record
      if (versions === undefined) continue
      const { first, last } = versions
      if (skips?.covers(first, last) !== true) throw recordUnreadable(actor, record)
      if (held.length === 0) skippedTail ??= { last, position }
      continue
    }
    const newer = held.at(-1)
    if (newer !== undefined) checkContiguous(context, record.lastVersion, newer)
    base = foldedInlineState(context, record)
    if (base !== undefined) break
    if (newer !== undefined && held.length === heldCommitsMax) {
      const to = newer.firstVersion - 1
      const records = store.commits(actor, { to, ...withSignal(signal) })
      base = await foldForward(context, initialFoldedState(context), records, to)
      checkContiguous(context, base.version, newer)
      break
    }
    held.push(record)
    if (hasLooked || held[0]!.lastVersion - record.firstVersion < snapshotAfter) continue
    hasLooked = true
    const fromSnapshot = await foldFromSnapshot(store, context, signal)
    if (fromSnapshot !== undefined) return fromSnapshot
  }
  // Nothing comes before version 1: the read has looked.
  const oldest = held.at(-1)
  if (base === undefined && oldest !== undefined) checkContiguous(context, 0, oldest)
  let folded = base ?? initialFoldedState(context)
  for (const commit of held.toReversed()) folded = foldCommit(context, folded, commit)
  if (skippedTail === undefined) return folded
  const { last, position } = skippedTail
  const skipped = skipVersions(context, folded, last, position)
  if (skipped === undefined)
    throw versionsMissing(actor, folded.version + 1, last, position)
  return skipped
}

/** RECOVERY-6: the snapshot of the actor, with the events after it; `undefined` if there is none that is of this history. */
async function foldFromSnapshot<State>(
  store: History,
  context: FoldContext<State>,
  signal: AbortSignal | undefined,
): Promise<FoldedState<State> | undefined> {
  const found = await context.snapshots?.find(context, signal)
  if (found === undefined) return undefined
  const { version, position, commitId, state } = found
  const range = { from: version, hint: position, ...withSignal(signal) }
  const records = store.commits(context.actor, range)[Symbol.asyncIterator]()
  let isOver = false
  try {
    const { value: first } = await records.next()
    const isOfThisHistory =
      first?.kind === 'commit' && first.lastVersion === version && first.id === commitId
    const base = isOfThisHistory
      ? foldedInlineState(context, { ...first, state })
      : undefined
    if (base === undefined) return undefined
    const rest = {
      [Symbol.asyncIterator]: () => ({
        async next() {
          const next = await records.next()
          isOver = next.done === true
          return next
        },
      }),
    }
    return await foldForward(context, base, rest)
  } finally {
    if (!isOver) await records.return?.()
  }
}

/** Throws unless the commit follows `version`, or all versions between are skipped. */
function checkContiguous(
  { actor, skips }: Pick<FoldContext, 'actor' | 'skips'>,
  version: Version,
  { firstVersion, lastVersion, position }: StoredCommit,
): void {
  if (firstVersion === version + 1) return
  if (firstVersion <= version) {
    const versions = { first: firstVersion, last: lastVersion }
    throw versionsBroken(actor, version + 1, versions, position)
  }
  if (skips?.covers(version + 1, firstVersion - 1) === true) return
  throw versionsMissing(actor, version + 1, firstVersion, position)
}

function withSignal(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal }
}
