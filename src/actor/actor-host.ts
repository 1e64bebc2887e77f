// The host's interface: its options, its operations and its figures.

import type { ActorAddress } from '../model/address.js'
import type { Clock } from '../model/clock.js'
import type { CommandSender, RefusingSender } from '../model/command-sender.js'
import type { CairnError } from '../model/errors.js'
import type { WriteLog } from '../model/log.js'
import type { Position, Version } from '../model/version.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { ActorPorts } from './actor-ports.js'
import type { CommandLatency } from './admission.js'
import type { CallOptions } from './call.js'
import type { StateOptions, StateReading } from './definition.js'
import type { Directives } from './directives.js'
import type { FailedCommands } from './failed-commands.js'
import type { CommandMiddleware } from './guarded-command.js'
import type { DefinitionRegistry } from './registry.js'
import type { ActorSnapshots, SnapshotStats } from './snapshots.js'
import type { VersionWait } from './version-waiters.js'

export interface ActorHostOptions {
  readonly store: Pick<EventStore, 'head' | 'commits' | 'append'>
  readonly definitions: DefinitionRegistry
  /** The node's id, which is stored in commits. */
  readonly nodeId: string
  /** The namespace, for traces. Default: `''`. */
  readonly namespace?: string
  /** Default: the system's clock. */
  readonly clock?: Clock
  /** Default: logs nothing. */
  readonly log?: WriteLog
  /** The most actors in memory, unless more are busy. Default 10,000. */
  readonly residentsMax?: number
  /** The most bytes that they take, estimated, unless the busy ones take more. Default 256 MiB. */
  readonly residentBytesMax?: number
  /** The most actors that are woken at the same time. Default 64. */
  readonly wakesMax?: number
  /** The most commands and state reads that are open at the same time, over all actors. Default 100,000. */
  readonly commandsMax?: number
  /** Called for each command sent by `tell` that failed after it was accepted. Default: writes to the log. */
  readonly onDeadCommand?: (error: unknown, info: FailedCommandInfo) => void
  /** The operators' directives for actors. Default: none. */
  readonly directives?: Directives
  /** Counts the commands sent by `tell` that failed after they were accepted. */
  readonly failed?: FailedCommands
  /** Snapshots of large states; its owner closes it. Default: none. */
  readonly snapshots?: ActorSnapshots | undefined
  /** The behavior versions of the nodes. Default: commands are not routed. */
  readonly versions?: ActorPorts['versions']
  /** Sends a command of `tell` on that was accepted here, and belongs to another node. Default: it fails. */
  readonly redirectTold?: CommandSender['tell']
  /** Runs before each command that reaches an actor here; the first is the outermost. Default: none. */
  readonly middleware?: readonly CommandMiddleware[]
  /** Called for each new stored state of an actor on this node. */
  readonly onStoredState?: ActorPorts['onStoredState']
  /** Called when an actor is parked. It must not throw. */
  readonly onParked?: (failure: Escalation) => void
  /** Called when an actor fails whose policy is `'escalate'`. */
  readonly onEscalation?: (escalation: Escalation) => void
}

/** The failure of an actor whose policy is `'escalate'`. */
export interface Escalation {
  readonly actor: ActorAddress
  /** `actor-parked`, with the failure in its details. */
  readonly error: CairnError
}

/** A command that failed when no caller was waiting for its outcome. */
export interface FailedCommandInfo {
  readonly actor: ActorAddress
  readonly commandType: string
  readonly commandId: string
}

/** A stored commit, as its notice describes it. */
export interface CommitNotice {
  readonly actor: ActorAddress
  readonly version: Version
  readonly position: Position
}

/** An actor that fails every command, and why. */
export interface ParkedActor {
  readonly actor: ActorAddress
  /** `actor-parked`, with the failure in its details. */
  readonly error: CairnError
}

export interface ActorHostStats {
  /** Actors in memory. */
  readonly residents: number
  /** Those that have a command waiting or running. */
  readonly busy: number
  /** Bytes that the residents take, estimated; the error may be a factor of three. */
  readonly residentBytes: number
  readonly parked: number
  /** Actors in memory that wait to be read again after a failure. */
  readonly restarting: number
  /** Commands that wait now for the restart of their actor. */
  readonly restartWaits: number
  /** Actors that left memory because of a limit. */
  readonly evictions: number
  /** Actors that left memory because they were idle for long, or because another node owns them. */
  readonly dismissals: number
  /** Commands and state reads that are open now. */
  readonly open: number
  /** Commands and state reads that were refused since the start as too many were open. */
  readonly refused: number
  /** Since the start: commands sent by `ask`. */
  readonly asks: number
  /** Commands sent by `tell`. */
  readonly tells: number
  /** Commands sent by `tell` that failed after they were accepted. */
  readonly deadCommands: number
  readonly wakes: number
  /** Appends that were rejected because another writer was faster. */
  readonly conflicts: number
  /** Commands that were decided again, after a conflict or because the state was not the latest. */
  readonly retries: number
  /** Commands that were handled before, and got their first answer again. */
  readonly duplicates: number
  /** Reads that found a history broken, by versions that do not continue: the actor is parked. */
  readonly discontinuities: number
  /** Ends of work that their actors have rejected: the work is over, and nobody else hears of it. */
  readonly rejectedEnds: number
  /** Wakes that folded more than 5,000 events, as no later state was stored. */
  readonly longTails: number
  /** How long the commands took that have ended since the start. */
  readonly latency: CommandLatency
  /** Snapshots of states that are too large for a commit. */
  readonly snapshots: SnapshotStats
}

/** What this node knows of actors without a read of the store. */
export interface ResidentReader {
  /**
   * Reads the state of a resident: from memory if it is at version `enough` or later, else from the
   * store. Returns `undefined` for an actor that is not in this node's memory.
   */
  readResident(
    actor: ActorAddress,
    enough: Version,
    options: CallOptions,
  ): Promise<StateReading> | undefined
  /** Starts to wait for a notice that the actor has reached a version. */
  awaitVersion(actor: ActorAddress, version: Version): VersionWait
}

export interface ActorHost extends RefusingSender, ResidentReader {
  /**
   * Reads the state, and wakes the actor on this node. Plain data is copied; other data must not be
   * changed. Throws `deadline-exceeded` if a requested version is not reached in time.
   */
  state(actor: ActorAddress, options?: StateOptions): Promise<StateReading>
  /** Folds the state at a version from the history. Throws `unknown-version`. */
  stateAt(
    actor: ActorAddress,
    version: Version,
    options?: CallOptions,
  ): Promise<StateReading>
  /**
   * Reads actors into memory, so that their next commands need no read, and resolves with how many it has read. An actor
   * that cannot be read is left out: its next command tells why.
   */
  warm(actors: readonly ActorAddress[], options?: CallOptions): Promise<number>
  /** Actors in memory, the most recently used first, at most `max`. */
  recentActors(max: number): readonly ActorAddress[]
  /** Actors in memory that are parked, each with the reason. */
  parked(): readonly ParkedActor[]
  /** Reports a commit that any node stored: a resident at an older version reads it before its next answer. */
  onCommit(notice: CommitNotice): void
  /**
   * Reports that a stored commit does not continue the actor's version that this node knew: its history may be broken.
   * The next read of the actor is one of its whole history. A resident, or an actor that this node owns, is read at once.
   */
  onDiscontinuity(actor: ActorAddress, known: Version, isOwned: boolean): void
  /**
   * Removes the residents that other nodes own from memory, each as soon as it is idle.
   * @param isOurs gets the behavior version that the actor needs, as far as it is known
   */
  dismiss(isOurs: (actor: ActorAddress, neededVersion: number) => boolean): void
  /** Removes residents from memory that were idle for their type's `idleAfter`; the host does so itself every few seconds. */
  passivate(): void
  /** Reports that notices may have been missed: every resident reads its head before its next answer. */
  markUnverified(): void
  stats(): ActorHostStats
  /**
   * Accepts nothing more, and finishes what was accepted, for at most `timeout` ms (default 10,000).
   * Calls that are then unfinished fail with `node-closed`, or get the store's answer if an append is
   * in progress. Never throws; another call waits for the same end.
   */
  close(options?: { readonly timeout?: number }): Promise<void>
}
