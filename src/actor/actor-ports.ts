// What an actor uses of its host.

import type { ActorAddress } from '../model/address.js'
import type { Clock } from '../model/clock.js'
import type { CairnError } from '../model/errors.js'
import type { WriteLog } from '../model/log.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { AnyActorDefinition } from './definition.js'
import type { FailedActors } from './failed-actors.js'
import type { FoldedState } from './fold.js'
import type { Suspects } from './continuity.js'
import type { Directives } from './directives.js'
import type { LongTails } from './long-tails.js'
import type { RefoldChecks } from './refold-checks.js'
import type { ActorSnapshots } from './snapshots.js'
import type { NodeVersions } from './version-guard.js'

export interface ActorPorts {
  readonly store: Pick<EventStore, 'head' | 'commits' | 'append'>
  readonly nodeId: string
  /** For traces. */
  readonly namespace: string
  readonly clock: Clock
  readonly log: WriteLog
  readonly logicalClock: LogicalClock
  readonly counters: ActorCounters
  /** The actors whose history may be broken (CONTINUITY-1). */
  readonly suspects: Suspects
  /** The operators' directives; absent without supervision. */
  readonly directives?: Pick<Directives, 'of' | 'pending'> | undefined
  /** The behavior versions of the nodes; absent, or undefined, where commands are not routed. */
  readonly versions?: (() => NodeVersions | undefined) | undefined
  /** Those that are parked or wait for a restart. */
  readonly failed: Pick<FailedActors, 'add'>
  /** Called when the actor is parked. */
  parked(actor: ActorAddress, error: CairnError): void
  /** Called for a failure that the type's policy escalates to the node. */
  escalate(actor: ActorAddress, error: CairnError): void
  /** Runs `work` while it holds one of the host's wake slots. `doing` describes it in errors. */
  withWakeSlot<T>(work: () => Promise<T>, signal: AbortSignal, doing: string): Promise<T>
  readonly refoldChecks: RefoldChecks
  readonly longTails: LongTails
  /** Snapshots of large states. Default: none. */
  readonly snapshots?: ActorSnapshots | undefined
  /** Called with the reason when states of an actor type cannot be stored. */
  onUnstorableState(type: string, error: unknown): void
  /** Called with each state of an actor, once it is known to be stored. */
  onStoredState?(
    actor: ActorAddress,
    definition: AnyActorDefinition,
    reading: Pick<FoldedState, 'state' | 'version' | 'works'>,
  ): void
}

/** The host's logical time, in ticks. It tells whether a read began before or after a command arrived. */
export interface LogicalClock {
  now: number
  /** A state that was read before this tick must be confirmed (LIFE-4). */
  unverifiedBefore: number
}

export interface ActorCounters {
  conflicts: number
  retries: number
  wakes: number
  duplicates: number
  discontinuities: number
  /** Ends of work that their actors have rejected. */
  rejectedEnds: number
  /** Commands that wait now for the restart of their actor. */
  restartWaits: number
}

/** An actor, and what the parts of its processing share. */
export interface ActorSubject {
  readonly address: ActorAddress
  /** `account/alice` */
  readonly name: string
  readonly definition: AnyActorDefinition
  readonly ports: ActorPorts
}
