// The event store port. Every implementation keeps exactly these promises, checked by one
// contract suite (test/contract/store.ts).
//
// STORE-1. An actor's versions are 1, 2, 3 … without a gap or a fork, for any number of writers.
// STORE-2. One append is one record: all of its events are stored, or none.
// STORE-3. An append that resolves with `ok: true` is stored as durably as the implementation states.
// STORE-4. The version cache is a hint. A wrong entry costs a read, never a wrong result.
// STORE-5. Readers get every record once and in order. A record that is not a readable commit is
//     yielded as `malformed`, and reading continues after it.
// STORE-6. A transaction stores every actor's part, or none of them.

import type { ActorAddress } from '../../model/address.js'
import type {
  Causes,
  CommittedCommand,
  InlineState,
  LogRecord,
  MalformedRecord,
  BatchedCommand,
  CommitExtras,
} from '../../model/commit.js'
import type { NewEvent, RecordedEvent } from '../../model/event.js'
import type { OutboxEntry } from '../../model/outbox.js'
import type { ExpectedVersion, Position, Version } from '../../model/version.js'
import type { CachedHead, Predecessor, VersionCacheStats } from '../version-cache.js'

export interface AppendOptions extends Omit<CommitExtras, 'transactionId'> {
  /** Default `'any'`. */
  readonly expected?: ExpectedVersion
  /** The command that decided these events, and its reply. */
  readonly command?: CommittedCommand
  /**
   * Several commands, each with its causes, that were handled one after another; instead of
   * `command`, `outbox` and causes. Their events together are those appended.
   */
  readonly commands?: readonly BatchedCommand[]
  /** The actor's state after these events; only with a number or `'none'` expected. */
  readonly state?: InlineState
  /** Messages, commands and timers that are stored with the events. Default: none. */
  readonly outbox?: readonly OutboxEntry[]
  /** The writer's clock, ms since 1970. Default: the system's. */
  readonly at?: number
  /** Gives up waiting. The append may still happen: the error is `outcome-unknown` then. */
  readonly signal?: AbortSignal
  /** Deadline for the whole append, retries included, in milliseconds. Default 10,000. */
  readonly timeout?: number
}

export interface Appended {
  readonly ok: true
  readonly actor: ActorAddress
  readonly firstVersion: Version
  /** The actor's new version: that of the last event appended. */
  readonly version: Version
  readonly position: Position
  readonly commitId: string
}

/** The actor was not at the expected version; nothing was stored. */
export interface VersionConflict {
  readonly ok: false
  readonly actor: ActorAddress
  readonly expected: ExpectedVersion
  /** The actor's version when the store compared. */
  readonly actual: Version
}

export type AppendResult = Appended | VersionConflict

/** One actor's part of an {@link EventStore.appendAll}. The causes and the time are those of all parts. */
export interface AppendPart
  extends
    Omit<CommitExtras, 'transactionId' | keyof Causes>,
    Pick<AppendOptions, 'expected' | 'command' | 'state' | 'outbox'> {
  readonly actor: ActorAddress
  /** At least one. */
  readonly events: readonly NewEvent[]
}

/** An actor that is not written to, but must be at this version when the parts are stored. */
export interface Guard {
  readonly actor: ActorAddress
  /** 0: it has no events. */
  readonly version: Version
}

export interface AppendAllOptions extends Causes {
  /** Actors that the parts depend on. Each leaves a record in the log: see docs/store.md. */
  readonly guards?: readonly Guard[]
  /** The `transactionId` of every part's commit. Default: a new one. */
  readonly transactionId?: string
  /** The writer's clock, ms since 1970. Default: the system's. */
  readonly at?: number
  /** Gives up waiting. The append may still happen: the error is `outcome-unknown` then. */
  readonly signal?: AbortSignal
  /** Deadline for the whole append, retries included, in milliseconds. Default 10,000. */
  readonly timeout?: number
}

export interface AppendedAll {
  readonly ok: true
  readonly transactionId: string
  /** The result of each part, in the given order. */
  readonly appended: readonly Appended[]
}

/** Some actors were not at their expected versions; nothing was stored. */
export interface AppendAllConflict {
  readonly ok: false
  /** All that differed when the store compared; at least one. */
  readonly conflicts: readonly VersionConflict[]
}

export type AppendAllResult = AppendedAll | AppendAllConflict

/** An actor's current version and last record. */
export interface Head {
  /** 0 when the actor has no events. */
  readonly version: Version
  /**
   * Position of the actor's last record, readable or not, which a compare-and-append compares
   * with. 0 when there is none.
   */
  readonly position: Position
  /** The last record; absent when there is none. */
  readonly last?: LogRecord
}

export interface ReadOptions {
  /** First version wanted. Default 1. */
  readonly from?: Version
  /** Last version wanted. Default: the actor's last. */
  readonly to?: Version
  /** Newest first. Default false. */
  readonly backwards?: boolean
  /** Maximum number of events. Default: no limit. */
  readonly limit?: number
  readonly signal?: AbortSignal
}

export interface CommitsOptions {
  /** First version wanted; the commit that holds it is yielded whole. Default 1. */
  readonly from?: Version
  /** Last version wanted; the commit that holds it is the last one. Ignored when reading backwards. Default: all. */
  readonly to?: Version
  /**
   * A position at or before the first wanted commit; saves the search for it.
   * Ignored when reading backwards.
   */
  readonly hint?: Position
  /** Newest first. Default false. */
  readonly backwards?: boolean
  readonly signal?: AbortSignal
}

export interface ReadAllOptions {
  /** Records after this position. Default 0: from the first. */
  readonly after?: Position
  /** Only actors of these types. Default: all. */
  readonly types?: readonly string[]
  /** Maximum number of records. Default: no limit. */
  readonly limit?: number
  readonly signal?: AbortSignal
}

export type FollowOptions = Omit<ReadAllOptions, 'limit'>

/** One namespace's events. */
export interface EventStore extends AsyncDisposable {
  readonly namespace: string

  /**
   * Appends events to an actor, as one commit: all of them or none.
   *
   * Throws `invalid-event`, `invalid-data`, `commit-too-large` and the like before anything
   * is written; `store-unreachable` when nothing was written; `outcome-unknown` when the
   * deadline or the signal ended the wait while the commit may or may not be stored.
   */
  append(
    actor: ActorAddress,
    events: readonly NewEvent[],
    options?: AppendOptions,
  ): Promise<AppendResult>

  /**
   * Appends to several actors and checks guards, as one transaction: every part is stored, or
   * none. Each part is a commit of its own in its actor's history.
   *
   * At most 100 actors including guards, each once, and 8 MiB together: `commit-too-large`.
   * Throws as {@link append} does; `server-too-old` for a guard on a server that does not check
   * it properly; `storage-failed` if a part is stored without the others, which no server may do.
   */
  appendAll(
    parts: readonly AppendPart[],
    options?: AppendAllOptions,
  ): Promise<AppendAllResult>

  /** Reads an actor's version and last record: one read, whatever the length of its history. */
  head(actor: ActorAddress, options?: { signal?: AbortSignal }): Promise<Head>

  /** Reads an actor's events. */
  read(
    actor: ActorAddress,
    options?: ReadOptions,
  ): AsyncIterable<RecordedEvent | MalformedRecord>

  /** Reads an actor's commits whole; the basis of `read` and of recovery. */
  commits(actor: ActorAddress, options?: CommitsOptions): AsyncIterable<LogRecord>

  /** Reads the namespace's records in order, up to the last one at the time of the call. */
  readAll(options?: ReadAllOptions): AsyncIterable<LogRecord>

  /**
   * Reads the namespace's records in order, then each new one as it is stored, until the signal
   * fires or the store closes; the loop then ends. Never misses or repeats a record, also through
   * lost connections.
   */
  follow(options?: FollowOptions): AsyncIterable<LogRecord>

  /** Lists the actors that have a record, in no particular order. */
  actors(options?: { type?: string; signal?: AbortSignal }): AsyncIterable<ActorAddress>

  /** Position of the namespace's last record; 0 when it is empty. */
  lastPosition(options?: { signal?: AbortSignal }): Promise<Position>

  /** A position that the log has reached, as far as that is known without a request; at most {@link lastPosition}. */
  knownPosition(): Position

  /**
   * Updates the version cache from a notice. Inserts a missing entry and only ever raises: an
   * equal or older version changes nothing. Returns whether the entry's version changed.
   *
   * @param predecessor the actor's commit before the reported one, if the notice names it: an
   *   append can then rely on the entry without a read, as long as no notice is missed
   */
  updateVersionCache(
    actor: ActorAddress,
    version: Version,
    position: Position,
    predecessor?: Predecessor,
  ): boolean

  /** The cached version, while it is trusted; makes no read. */
  cachedVersion(actor: ActorAddress): Version | undefined

  /** The same, with the position of its commit. */
  cachedHead(actor: ActorAddress): CachedHead | undefined

  /** Stops trusting every cached version until it is read or raised again. */
  markCacheUnverified(): void

  cacheStats(): VersionCacheStats

  /** Waits for appends in flight and refuses later calls with `store-closed`. */
  close(): Promise<void>
}
