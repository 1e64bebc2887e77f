// Verification: whether a stored history folds with the current behavior, and folds to the states that are stored with it, in its
// commits and in a snapshot, those of earlier versions migrated.
//
// Folding starts from the first event and uses no inline state; nothing is written. One commit is in memory at a time.

import { isDeepStrictEqual } from 'node:util'

import { decode, encode } from '../codec/msgpack.js'
import type { ActorAddress } from '../model/address.js'
import type { Behavior } from '../model/behavior.js'
import type { LogRecord, StoredCommit } from '../model/commit.js'
import { CairnError, isCairnError } from '../model/errors.js'
import type { RecordedEvent } from '../model/event.js'
import { show } from '../model/show.js'
import type { Position, Version } from '../model/version.js'
import type { EventStore } from '../store/event-store/event-store.js'
import {
  foldCommit,
  type FoldContext,
  foldedInlineState,
  type FoldedState,
  foldForward,
  initialFoldedState,
  upcastEvent,
} from './fold.js'
import { evolveFailed, recordUnreadable } from './parked.js'
import type { Skips } from './skips.js'
import type { SnapshotToVerify } from './verify-snapshot.js'

/** The result of replaying one history: the first problem, if there is one. */
export type VerifyResult =
  | { readonly kind: 'folds'; readonly version: Version }
  /** Folding fails, and the actor would be parked; the error says why. */
  | {
      readonly kind: 'fails'
      readonly version: Version
      readonly error: CairnError
    }
  /** The first state, stored by this behavior version in a commit or a snapshot, that differs from the folded one. */
  | { readonly kind: 'differs'; readonly version: Version; readonly isSnapshot: boolean }
  /** The first state of an earlier version that `migrateState` throws on, or makes another state of than the events fold to. */
  | {
      readonly kind: 'migration'
      readonly version: Version
      readonly isSnapshot: boolean
      /** Absent: it makes another state. */
      readonly error?: CairnError
    }

export interface VerifyOptions {
  readonly store: Pick<EventStore, 'commits'>
  readonly actor: ActorAddress
  readonly behavior: Behavior
  readonly skips?: Skips | undefined
  /** A state that is stored beside the history. Default: none. */
  readonly snapshot?: Pick<SnapshotToVerify, 'stateAt'> | undefined
  readonly signal: AbortSignal
  /** Called with the last state, if the history folds. */
  readonly folded?: (at: VerifiedState) => void
  /**
   * Called with the state that a node would continue from, where it is not the one that the history folds to: the newest
   * stored state that the behavior uses, with the events after it. Where the history does not fold and no such state is stored, the
   * newest one of any version.
   */
  readonly woken?: (state: unknown, version: Version) => void
  /**
   * Called for each event after the one that folding fails on that cannot be read, or is not known to the behavior. Default: the
   * rest of a history that does not fold is not read.
   */
  readonly unreadable?: (version: Version, error: CairnError) => void
}

/** The state at the end of a history that folds. */
export interface VerifiedState extends FoldedState {
  /** Position of the last commit with an outbox; 0 if there is none. */
  readonly commitPosition: Position
}

/** Replays a history from its first event. Throws the errors of reading. */
export async function verifyHistory(options: VerifyOptions): Promise<VerifyResult> {
  const { store, actor, signal, unreadable, woken } = options
  const replay = new Replay(options)
  for await (const record of store.commits(actor, { from: 1, signal })) {
    await replay.take(record)
    if (replay.isOver && unreadable === undefined && woken === undefined) break
  }
  return replay.end()
}

/** One history, folded twice: from its first event, and as a node that wakes the actor would. */
class Replay {
  readonly #options: VerifyOptions
  readonly #folding: FoldContext
  #problem: Exclude<VerifyResult, { kind: 'folds' }> | undefined
  #at: FoldedState | undefined
  /** The state of a node that wakes the actor, while it is another one. */
  #woken: FoldedState | undefined
  /** The newest state in a commit, whichever version has stored it. */
  #stored: { readonly state: unknown; readonly version: Version } | undefined
  #commitPosition: Position = 0

  constructor(options: VerifyOptions) {
    const { actor, behavior, skips } = options
    this.#options = options
    this.#folding = { actor, behavior: withoutInlineStates(behavior), skips }
    try {
      this.#at = initialFoldedState(this.#folding)
    } catch (error) {
      this.#fails(error, 0)
    }
  }

  /** Folding has failed. */
  get isOver(): boolean {
    return this.#at === undefined
  }

  async take(record: LogRecord): Promise<void> {
    const before = this.#at
    if (before === undefined) this.#look(record)
    else
      try {
        this.#at = await foldForward(this.#folding, before, only(record))
        if (record.kind === 'commit' && record.outbox !== undefined)
          this.#commitPosition = record.position
      } catch (error) {
        this.#fails(error, before.version)
        this.#look(record)
      }
    if (record.kind !== 'commit') return
    this.#wake(record)
    const state = await this.#options.snapshot?.stateAt(record)
    if (state !== undefined) this.#wake({ ...record, state }, true)
  }

  end(): VerifyResult {
    const { folded, woken } = this.#options
    if (this.#woken !== undefined) woken?.(this.#woken.state, this.#woken.version)
    else if (this.#at === undefined && this.#stored !== undefined)
      woken?.(this.#stored.state, this.#stored.version)
    if (this.#at !== undefined)
      folded?.({ ...this.#at, commitPosition: this.#commitPosition })
    return this.#problem ?? { kind: 'folds', version: this.#at!.version }
  }

  #fails(error: unknown, version: Version): void {
    if (!isCairnError(error, 'actor-parked') && !isCairnError(error, 'version-behind'))
      throw error
    const { version: failed } = error.details
    this.#at = undefined
    this.#problem ??= {
      kind: 'fails',
      version: typeof failed === 'number' ? failed : version + 1,
      error,
    }
  }

  /** The state that is stored with a commit as this behavior uses it, or its events on the state before them. */
  #wake(commit: StoredCommit, isSnapshot = false): void {
    const { actor, behavior, skips } = this.#options
    const { state, lastVersion: version } = commit
    if (state !== undefined) this.#stored = { state: state.value, version }
    let usable: FoldedState | undefined
    try {
      usable = foldedInlineState({ actor, behavior, skips }, commit)
    } catch (error) {
      if (!isCairnError(error, 'actor-parked')) throw error
      this.#problem ??= { kind: 'migration', version, isSnapshot, error }
      this.#woken = undefined
      return
    }
    // What the commit has done to the state before it is known by then.
    if (usable === undefined) return isSnapshot ? undefined : this.#goOn(commit)
    this.#woken = undefined
    const value =
      behavior.version === state!.behavior ? usable.state : stored(usable.state)
    if (this.#at !== undefined && isDeepStrictEqual(stored(this.#at.state), value)) return
    this.#woken = usable
    if (this.#at === undefined) return
    const kind = behavior.version === state!.behavior ? 'differs' : 'migration'
    this.#problem ??= { kind, version, isSnapshot }
  }

  #goOn(commit: StoredCommit): void {
    if (this.#woken === undefined) return
    try {
      this.#woken = foldCommit(this.#folding, this.#woken, commit)
    } catch (error) {
      // The node would be parked there.
      this.#fails(error, this.#woken.version)
      this.#woken = undefined
    }
  }

  /** A record after the one that folding has failed on, or that one. */
  #look(record: LogRecord): void {
    const { unreadable, actor, behavior, skips } = this.#options
    if (unreadable === undefined) return
    const report = (version: Version, error: unknown) => {
      if (!isCairnError(error)) throw error
      if (this.#problem!.version !== version) unreadable(version, error)
    }
    if (record.kind === 'malformed') {
      const { versions } = record
      if (versions === undefined || skips?.covers(versions.first, versions.last) === true)
        return
      return report(versions.first, recordUnreadable(actor, record))
    }
    for (const event of record.events) {
      if (skips?.covers(event.version, event.version) === true) continue
      try {
        checkKnown(behavior, event)
      } catch (error) {
        report(event.version, error)
      }
    }
  }
}

/** Throws `actor-parked` for an event that cannot be upcast, or that `evolve` does not know afterwards. */
function checkKnown(behavior: Behavior, event: RecordedEvent): void {
  const { eventTypes } = behavior
  for (const { type } of upcastEvent(behavior, event)) {
    // A machine accepts what its state accepts, which only the fold can tell.
    if (eventTypes === undefined || behavior.knows !== undefined) continue
    if (!eventTypes.includes(type))
      throw evolveFailed(
        event,
        new CairnError('invalid-definition', `there is no evolve for ${show(type)}`),
      )
  }
}

/** Encoded and decoded, as it would come back from the store; as it is, if no store takes it. */
function stored(state: unknown): unknown {
  try {
    return decode(encode(state))
  } catch {
    return state
  }
}

/** The same behavior with a version that no inline state has, so that none is used. */
function withoutInlineStates(behavior: Behavior): Behavior {
  return {
    version: Number.NaN,
    commandTypes: behavior.commandTypes,
    initialState: id => behavior.initialState(id),
    decide: (state, command, context) => behavior.decide(state, command, context),
    ...(behavior.upcast !== undefined && {
      upcast: (event: RecordedEvent) => behavior.upcast!(event),
    }),
    evolve: (state, event) => behavior.evolve(state, event),
  }
}

async function* only(record: LogRecord): AsyncGenerator<LogRecord> {
  yield record
}
