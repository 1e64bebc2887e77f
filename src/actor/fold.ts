// Folding: events → state. Waking, catching up, time travel and deciding all use it.
//
// FOLD-1. Every state is frozen before anybody else gets it, and so is the data of every event. Only `evolve` makes a new
//     state, so a state is always the fold of its events (READ-ONLY-1 to READ-ONLY-4).

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { Behavior } from '../model/behavior.js'
import type { LogRecord, MalformedRecord, StoredCommit } from '../model/commit.js'
import { CairnError, isCairnError } from '../model/errors.js'
import type { RecordedEvent } from '../model/event.js'
import { pendingAfter } from '../model/pending-work.js'
import { freeze, handOut } from '../model/read-only.js'
import {
  describeChange,
  findRefusedChange,
  type RefusedChange,
} from '../model/refused-change.js'
import { isIgnoredPromise } from '../model/thenable.js'
import type { Position, Version } from '../model/version.js'
import { type PendingWork, workEndedType } from '../model/work.js'
import type { Head } from '../store/event-store/event-store.js'
import {
  evolveFailed,
  initialStateFailed,
  migrateFailed,
  recordUnreadable,
  type VersionRange,
  versionsBroken,
  versionsMissing,
} from './parked.js'
import type { Skips } from './skips.js'
import type { SnapshotSource } from './snapshot-source.js'
import { schemaUnknown } from './upcast.js'
import { historyBehind, versionWrittenBy } from './version-guard.js'

/** A state, with its version and position in the actor's history. The state is frozen: see `handOut`. */
export interface FoldedState<State = unknown> {
  readonly state: State
  readonly version: Version
  /** Position of the commit with the version; 0 when there is none. */
  readonly position: Position
  /** The last version known to have an inline state that this behavior can use; 0 when none is known. */
  readonly inlineStateVersion: Version
  /** The highest position in the inbox of a command that it has handled; `undefined` while unknown. */
  readonly inboxPosition?: Position | undefined
  /** The work that has not ended; `undefined` for none. */
  readonly works?: readonly PendingWork[] | undefined
}

/** The actor whose history is folded, and the options of the fold. */
export interface FoldContext<State = unknown> {
  readonly actor: ActorAddress
  readonly behavior: Behavior<State>
  /** The versions to skip. */
  readonly skips?: Skips | undefined
  /** Snapshots of large states. Default: none. */
  readonly snapshots?: SnapshotSource | undefined
  /** Called for every record that is not a readable commit. */
  readonly onMalformed?: ((record: MalformedRecord) => void) | undefined
  /** Called for every head that is read. */
  readonly onHead?: ((head: Head) => void) | undefined
}

/** The state before the first event. */
export function initialFoldedState<State>({
  actor,
  behavior,
}: FoldContext<State>): FoldedState<State> {
  try {
    const state = behavior.initialState(actor.id)
    if (isIgnoredPromise(state))
      throw behaviorFault('it returned a promise; it must be synchronous')
    return { state: freeze(state), version: 0, position: 0, inlineStateVersion: 0 }
  } catch (cause) {
    throw initialStateFailed(actor, cause)
  }
}

/** The inline state of a commit, if this behavior can use it (SKIPS-1). */
export function foldedInlineState<State>(
  { behavior, skips }: FoldContext<State>,
  record: LogRecord | undefined,
): FoldedState<State> | undefined {
  if (record?.kind !== 'commit' || record.state === undefined) return
  const { lastVersion: version, position } = record
  if (record.state.skipped !== skips?.upTo(version)) return
  const isOwn = record.state.behavior === behavior.version
  const state = isOwn ? (record.state.value as State) : migrated(behavior, record)
  if (!isOwn && state === undefined) return
  return {
    state: freeze(state as State),
    version,
    position,
    inlineStateVersion: version,
    inboxPosition: record.inboxPosition,
    works: record.state.works && freeze(record.state.works),
  }
}

/** The inline state of an earlier version as one of this version; `undefined` if it has to be folded again. */
function migrated<State>(
  behavior: Behavior<State>,
  { actor, state, lastVersion, position }: StoredCommit,
): State | undefined {
  const { behavior: from, value } = state!
  if (!(from < behavior.version)) return undefined
  try {
    const next = behavior.migrateState?.(handOut(freeze(value)), from)
    if (isIgnoredPromise(next))
      throw behaviorFault('it returned a promise; it must be synchronous')
    return next
  } catch (cause) {
    throw migrateFailed(actor, from, lastVersion, position, cause)
  }
}

/** The next state; throws `actor-parked` with the event when `upcast` or `evolve` fails. */
export function foldEvent<State>(
  { behavior, skips }: FoldContext<State>,
  state: State,
  event: RecordedEvent,
): State {
  if (skips?.covers(event.version, event.version)) return state
  if (event.type === workEndedType) return state
  freeze(event.data)
  if (isAsStored(behavior, event)) return foldPiece(behavior, state, event, event)
  let next = state
  for (const piece of upcastEvent(behavior, event))
    next = foldPiece(behavior, next, piece, event)
  return next
}

/** Whether an event is read as it is stored, so that {@link upcastEvent} has nothing to do and nothing to refuse. */
export function isAsStored(
  behavior: Pick<Behavior, 'upcast'>,
  { schemaVersion }: RecordedEvent,
): boolean {
  return behavior.upcast === undefined && schemaVersion === undefined
}

/** The pieces of a stored event as the behavior knows them; throws `actor-parked` with the event. */
export function upcastEvent(
  behavior: Pick<Behavior, 'upcast'>,
  event: RecordedEvent,
): readonly RecordedEvent[] {
  try {
    if (behavior.upcast !== undefined) return behavior.upcast(event)
    const { type, schemaVersion = 1 } = event
    if (schemaVersion > 1) throw schemaUnknown(type, schemaVersion, 1)
    return [event]
  } catch (cause) {
    throw evolveFailed(event, cause)
  }
}

/** Folds a stored event, or a piece of it. */
function foldPiece<State>(
  behavior: Behavior<State>,
  state: State,
  event: RecordedEvent,
  stored: RecordedEvent,
): State {
  if (event !== stored) freeze(event.data)
  let next: State
  let isPromise: boolean
  try {
    next = behavior.evolve(handOut(state), withData(event, handOut(event.data)))
    isPromise = isIgnoredPromise(next)
  } catch (cause) {
    const change = findRefusedChange(cause, watch =>
      behavior.evolve(
        watch('the state', state),
        withData(event, watch('the data of the event', event.data)),
      ),
    )
    throw evolveFailed(stored, change === undefined ? cause : changedByEvolve(change))
  }
  if (next === undefined && state !== undefined)
    throw evolveFailed(
      stored,
      behaviorFault('it returned undefined instead of the next state'),
    )
  if (isPromise)
    throw evolveFailed(
      stored,
      behaviorFault('it returned a promise; it must be synchronous'),
    )
  return freeze(next, state)
}

/** A folded event for user code: its data cannot be changed, or is a copy. */
export function handOutEvent(event: RecordedEvent): RecordedEvent {
  return withData(event, handOut(event.data))
}

/** The event with other data; the same one if it has these. */
function withData(event: RecordedEvent, data: unknown): RecordedEvent {
  if (data === event.data) return event
  // Not spread: some fields of an event that is not stored yet throw.
  return Object.defineProperties({} as RecordedEvent, {
    ...Object.getOwnPropertyDescriptors(event),
    data: { value: data, enumerable: true },
  })
}

/** As {@link foldEvent}; throws `version-behind` in its place if a later behavior version has written the commit. */
export function foldEventOf<State>(
  context: FoldContext<State>,
  state: State,
  event: RecordedEvent,
  commit: StoredCommit,
): State {
  try {
    return foldEvent(context, state, event)
  } catch (error) {
    const { actor, behavior } = context
    throw behindOr(error, actor, behavior.version, commit)
  }
}

/**
 * Folds the events of a commit that come after `folded`, up to version `to`. Throws `actor-parked`, or `version-behind`
 * if a later version of the behavior has written to the history.
 */
export function foldCommit<State>(
  context: FoldContext<State>,
  folded: FoldedState<State>,
  commit: StoredCommit,
  to: Version = Infinity,
): FoldedState<State> {
  let { state, version } = folded
  for (const event of commit.events) {
    if (event.version <= version) continue
    if (event.version > to) break
    state = foldEventOf(context, state, event, commit)
    version = event.version
  }
  return {
    state,
    version,
    position: commit.position,
    inlineStateVersion: folded.inlineStateVersion,
    inboxPosition: commit.inboxPosition,
    works: pendingAfter(folded.works, commit, commandIdsIn(commit)),
  }
}

function commandIdsIn({ command, commands }: StoredCommit): (string | undefined)[] {
  return commands === undefined ? [command?.id] : commands.map(({ id }) => id)
}

/** VERSION-GUARD-2. */
function behindOr(
  error: unknown,
  actor: ActorAddress,
  own: number,
  commit: StoredCommit,
): unknown {
  const written = versionWrittenBy(commit)
  return isCairnError(error, 'actor-parked') && written > own
    ? historyBehind(actor, own, written, error)
    : error
}

/** The folded state after versions without a readable event, if all of them are skipped. */
export function skipVersions<State>(
  { skips }: FoldContext<State>,
  folded: FoldedState<State>,
  last: Version,
  position: Position,
): FoldedState<State> | undefined {
  if (skips?.covers(folded.version + 1, last) !== true) return undefined
  return { ...folded, version: last, position, inboxPosition: undefined }
}

/**
 * Folds records, oldest first, onto a folded state, with one commit in memory at a time. Missing or
 * unreadable versions park the actor, unless a later commit has an inline state. Versions that repeat earlier ones park
 * it in any case (CONTINUITY-2).
 */
export async function foldForward<State>(
  context: FoldContext<State>,
  from: FoldedState<State>,
  records: AsyncIterable<LogRecord>,
  to: Version = Infinity,
): Promise<FoldedState<State>> {
  const { actor } = context
  let folded = from
  let gap: CairnError | undefined
  for await (const record of records) {
    if (record.kind === 'malformed') {
      context.onMalformed?.(record)
      const { versions } = record
      if (versions === undefined) continue
      checkContinues(actor, folded, versions, record.position)
      if (versions.last <= folded.version) continue
      if (versions.first > to) break
      const last = Math.min(versions.last, to)
      const skipped = skipVersions(context, folded, last, record.position)
      if (gap === undefined && skipped !== undefined) folded = skipped
      else gap ??= recordUnreadable(actor, record)
      if (gap === undefined && folded.version >= to) break
      continue
    }
    const versions = { first: record.firstVersion, last: record.lastVersion }
    checkContinues(actor, folded, versions, record.position)
    if (record.lastVersion <= folded.version) continue
    if (record.firstVersion > to) break
    const inlineState = foldedInlineState(context, record)
    if (inlineState !== undefined && inlineState.version <= to) {
      folded = inlineState
      gap = undefined
    } else {
      const { firstVersion, position } = record
      if (gap === undefined && firstVersion > folded.version + 1) {
        const skipped = skipVersions(context, folded, firstVersion - 1, folded.position)
        if (skipped !== undefined) folded = skipped
        else gap = versionsMissing(actor, folded.version + 1, firstVersion, position)
      }
      if (gap === undefined) folded = foldCommit(context, folded, record, to)
    }
    if (gap === undefined && folded.version >= to) break
  }
  if (gap !== undefined) throw gap
  // The wanted version may be among missing versions that are skipped.
  return skipVersions(context, folded, to, folded.position) ?? folded
}

/** Throws `actor-parked` when a record after the folded ones repeats versions of theirs (CONTINUITY-2). */
function checkContinues(
  actor: ActorAddress,
  { version, position }: FoldedState,
  versions: VersionRange,
  at: Position,
): void {
  if (versions.first <= version && at > position)
    throw versionsBroken(actor, version + 1, versions, at)
}

function changedByEvolve(change: RefusedChange): CairnError {
  return behaviorFault(
    `it changed ${describeChange(change, `${change.name} that it was given`)}; it must leave it as it is, and ` +
      'return a new state: { ...state, … }',
  )
}

function behaviorFault(problem: string): CairnError {
  return new CairnError('invalid-definition', problem)
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
