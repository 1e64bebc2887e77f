// Folding: events → state. The same for waking, catching up, time travel and deciding.

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { Behavior } from '../model/behavior.js'
import type { LogRecord, MalformedRecord, StoredCommit } from '../model/commit.js'
import { CairnError } from '../model/errors.js'
import type { RecordedEvent } from '../model/event.js'
import type { Position, Version } from '../model/version.js'
import type { Head } from '../store/event-store/event-store.js'
import {
  evolveFailed,
  initialStateFailed,
  recordUnreadable,
  versionsMissing,
} from './parked.js'
import type { Skips } from './skips.js'

/** A state, and where in the actor's history it stands. Immutable. */
export interface FoldedState<State = unknown> {
  readonly state: State
  readonly version: Version
  /** Position of the commit that holds the version; 0 when there is none. */
  readonly position: Position
  /** The last version known to carry a state that this behavior can use; 0 when none is known. */
  readonly inlineState: Version
}

/** Whose history is folded, and how. */
export interface FoldContext<State = unknown> {
  readonly actor: ActorAddress
  readonly behavior: Behavior<State>
  /** The versions to pass over. */
  readonly skips?: Skips | undefined
  /** Hears of every record passed by that is not a readable commit. */
  readonly onMalformed?: ((record: MalformedRecord) => void) | undefined
  /** Hears of every head that is read on the way. */
  readonly onHead?: ((head: Head) => void) | undefined
}

/** The standing before any event. */
export function initialFoldedState<State>({
  actor,
  behavior,
}: FoldContext<State>): FoldedState<State> {
  try {
    const state = behavior.initialState(actor.id)
    return { state, version: 0, position: 0, inlineState: 0 }
  } catch (cause) {
    throw initialStateFailed(actor, cause)
  }
}

/** The standing that a commit carries, when this behavior can use it (SKIPS-1). */
export function foldedInlineState<State>(
  { behavior, skips }: FoldContext<State>,
  record: LogRecord | undefined,
): FoldedState<State> | undefined {
  if (record?.kind !== 'commit' || record.state?.behavior !== behavior.version) return
  const { lastVersion: version, position } = record
  if (record.state.skipped !== skips?.upTo(version)) return
  return { state: record.state.value as State, version, position, inlineState: version }
}

/** The next state; throws `actor-parked` naming the event when evolve fails. */
export function foldEvent<State>(
  { behavior, skips }: FoldContext<State>,
  state: State,
  event: RecordedEvent,
): State {
  if (skips?.covers(event.version, event.version)) return state
  let next: State
  try {
    next = behavior.evolve(state, event)
  } catch (cause) {
    throw evolveFailed(event, cause)
  }
  if (next === undefined && state !== undefined)
    throw evolveFailed(
      event,
      behaviorFault('it returned undefined instead of the next state'),
    )
  if (isThenable(next)) {
    // Its outcome no longer matters, and must not surface as an unhandled rejection.
    next.then(undefined, () => {})
    throw evolveFailed(
      event,
      behaviorFault('it returned a promise; it must be synchronous'),
    )
  }
  return next
}

/** Folds those of a commit's events that lie behind the standing, up to `to`. */
export function foldCommit<State>(
  folding: FoldContext<State>,
  at: FoldedState<State>,
  commit: StoredCommit,
  to: Version = Infinity,
): FoldedState<State> {
  let { state, version } = at
  for (const event of commit.events) {
    if (event.version <= version) continue
    if (event.version > to) break
    state = foldEvent(folding, state, event)
    version = event.version
  }
  return { state, version, position: commit.position, inlineState: at.inlineState }
}

/** The standing behind versions that have no readable event, where all of them are passed over. */
export function skipCommit<State>(
  { skips }: FoldContext<State>,
  at: FoldedState<State>,
  last: Version,
  position: Position,
): FoldedState<State> | undefined {
  if (skips?.covers(at.version + 1, last) !== true) return undefined
  return { ...at, version: last, position }
}

/**
 * Folds records, oldest first, onto a standing, one commit in memory at a time. Versions that
 * are missing or unreadable park the actor, unless a state carried behind them covers them.
 */
export async function foldForward<State>(
  folding: FoldContext<State>,
  from: FoldedState<State>,
  records: AsyncIterable<LogRecord>,
  to: Version = Infinity,
): Promise<FoldedState<State>> {
  const { actor } = folding
  let at = from
  let hole: CairnError | undefined
  for await (const record of records) {
    if (record.kind === 'malformed') {
      folding.onMalformed?.(record)
      const { versions } = record
      if (versions === undefined || versions.last <= at.version) continue
      if (versions.first > to) break
      const last = Math.min(versions.last, to)
      const behind = skipCommit(folding, at, last, record.position)
      if (hole === undefined && behind !== undefined) at = behind
      else hole ??= recordUnreadable(actor, record)
      if (hole === undefined && at.version >= to) break
      continue
    }
    if (record.lastVersion <= at.version) continue
    if (record.firstVersion > to) break
    const carried = foldedInlineState(folding, record)
    if (carried !== undefined && carried.version <= to) {
      at = carried
      hole = undefined
    } else {
      const { firstVersion, position } = record
      if (hole === undefined && firstVersion > at.version + 1) {
        const behind = skipCommit(folding, at, firstVersion - 1, at.position)
        if (behind !== undefined) at = behind
        else hole = versionsMissing(actor, at.version + 1, firstVersion, position)
      }
      if (hole === undefined) at = foldCommit(folding, at, record, to)
    }
    if (hole === undefined && at.version >= to) break
  }
  if (hole !== undefined) throw hole
  // What was wanted may lie among versions that are missing and passed over.
  return skipCommit(folding, at, to, at.position) ?? at
}

/** True for a promise, or anything that behaves like one. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}

function behaviorFault(what: string): CairnError {
  return new CairnError('invalid-definition', what)
}

/** The error for a version that the actor has not reached. */
export function unknownVersion(
  actor: ActorAddress,
  wanted: Version,
  actual: Version,
): CairnError {
  return new CairnError(
    'unknown-version',
    `Actor ${formatAddress(actor)} has no version ${wanted}: its last is ${actual}.`,
    { details: { actor: formatAddress(actor), version: wanted, actual } },
  )
}
