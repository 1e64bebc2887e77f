// Recovery: an actor's state out of its history.
//
// R1. One read when the last record is a commit that carries a state of this behavior version.
// R2. Otherwise back from the end to the nearest such state, or to version 1, holding at most
//     `backwardMax` commits; what comes before these is folded forward from version 1, without being held.
// R3. A record without versions is no history: reported, and passed by. Versions that are
//     missing or unreadable park the actor, unless a carried state lies behind them, or an
//     operator has had them passed over.
// R4. Nothing is written, and nothing is left behind in the store.

import type { StoredCommit } from '../model/commit.js'
import type { Position, Version } from '../model/version.js'
import type { EventStore, Head } from '../store/event-store/event-store.js'
import {
  initialFoldedState,
  foldedInlineState,
  foldCommit,
  foldForward,
  type FoldContext,
  skipCommit,
  type FoldedState,
  unknownVersion,
} from './fold.js'
import { recordUnreadable, versionsMissing } from './parked.js'

/** What recovery asks of a store. */
export type History = Pick<EventStore, 'head' | 'commits'>

/** Commits held in memory on the way back to a carried state, at most. */
export const backwardMax = 256

/** The actor as it stands now. Throws `actor-parked` when its history cannot be folded. */
export async function recover<State>(
  store: History,
  folding: FoldContext<State>,
  signal?: AbortSignal,
): Promise<FoldedState<State>> {
  const head = await readHead(store, folding, signal)
  return fromHead(store, folding, head, signal)
}

/**
 * Brings a standing up to date: one read, and the missing commits when the last of them
 * carries no usable state. Returns the very same object when nothing was missing.
 */
export async function refresh<State>(
  store: History,
  folding: FoldContext<State>,
  at: FoldedState<State>,
  signal?: AbortSignal,
): Promise<FoldedState<State>> {
  const head = await readHead(store, folding, signal)
  if (head.version === at.version)
    if (head.position === at.position || head.last?.kind === 'malformed') return at
  // Not a continuation of what we know: the log was restored, or the actor erased.
  if (head.version <= at.version) return fromHead(store, folding, head, signal)
  const carried = foldedInlineState(folding, head.last)
  if (carried !== undefined) return carried
  const { actor } = folding
  const from = { from: at.version + 1, hint: at.position, ...withSignal(signal) }
  return foldForward(folding, at, store.commits(actor, from))
}

/** The actor as it stood at a version. Throws `unknown-version` or `actor-parked`. */
export async function recoverAt<State>(
  store: History,
  folding: FoldContext<State>,
  version: Version,
  signal?: AbortSignal,
): Promise<FoldedState<State>> {
  const start = initialFoldedState(folding)
  if (version === 0) return start
  const records = store.commits(folding.actor, { to: version, ...withSignal(signal) })
  const at = await foldForward(folding, start, records, version)
  if (at.version < version) throw unknownVersion(folding.actor, version, at.version)
  return at
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
  folding: FoldContext<State>,
  head: Head,
  signal: AbortSignal | undefined,
): Promise<FoldedState<State>> {
  if (head.version === 0) {
    if (head.last?.kind === 'malformed') folding.onMalformed?.(head.last)
    return initialFoldedState(folding)
  }
  return (
    foldedInlineState(folding, head.last) ??
    (await foldFromNearest(store, folding, signal))
  )
}

/** R2: reads backwards, folds forwards. */
async function foldFromNearest<State>(
  store: History,
  folding: FoldContext<State>,
  signal: AbortSignal | undefined,
): Promise<FoldedState<State>> {
  const { actor, skips } = folding
  const held: StoredCommit[] = []
  let base: FoldedState<State> | undefined
  /** The last record, when it is unreadable and passed over. */
  let unread: { readonly last: Version; readonly position: Position } | undefined
  const backwards = store.commits(actor, { backwards: true, ...withSignal(signal) })
  for await (const record of backwards) {
    if (record.kind === 'malformed') {
      folding.onMalformed?.(record)
      const { versions, position } = record
      if (versions === undefined) continue
      const { first, last } = versions
      if (skips?.covers(first, last) !== true) throw recordUnreadable(actor, record)
      if (held.length === 0) unread ??= { last, position }
      continue
    }
    const newer = held.at(-1)
    if (newer !== undefined) checkJoined(folding, record.lastVersion, newer)
    base = foldedInlineState(folding, record)
    if (base !== undefined) break
    if (newer !== undefined && held.length === backwardMax) {
      const to = newer.firstVersion - 1
      const records = store.commits(actor, { to, ...withSignal(signal) })
      base = await foldForward(folding, initialFoldedState(folding), records, to)
      checkJoined(folding, base.version, newer)
      break
    }
    held.push(record)
    if (record.firstVersion === 1) break
  }
  const oldest = held.at(-1)
  if (base === undefined && oldest !== undefined) checkJoined(folding, 0, oldest)
  let at = base ?? initialFoldedState(folding)
  for (const commit of held.toReversed()) at = foldCommit(folding, at, commit)
  if (unread === undefined) return at
  const { last, position } = unread
  const behind = skipCommit(folding, at, last, position)
  if (behind === undefined) throw versionsMissing(actor, at.version + 1, last, position)
  return behind
}

/** Throws unless `commit` follows the version, or what lies between is passed over. */
function checkJoined(
  { actor, skips }: Pick<FoldContext, 'actor' | 'skips'>,
  version: Version,
  { firstVersion, position }: StoredCommit,
): void {
  if (firstVersion === version + 1) return
  if (skips?.covers(version + 1, firstVersion - 1) === true) return
  throw versionsMissing(actor, version + 1, firstVersion, position)
}

function withSignal(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal }
}
