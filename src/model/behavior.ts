// Behaviors: how an actor decides commands and how its events change its state. A behavior is pure: it
// uses no store, clock, logger or network, and gets all it needs as arguments.

import type { ActorAddress } from './address.js'
import type { ChildSpec } from './child.js'
import type { Causes } from './commit.js'
import type { Metadata, NewEvent, RecordedEvent } from './event.js'
import type { OutboxEntry } from './outbox.js'
import type { TimerFiring } from './timer.js'
import type { Version } from './version.js'

/** The longest command id, in bytes: a derived id contains the address of the actor that caused it. */
export const commandIdBytesMax = 1_024

/** A request to an actor. */
export interface Command<Type extends string = string, Data = unknown> extends Causes {
  /** A command that is sent again with the same id is the same command. */
  readonly id: string
  readonly type: Type
  readonly data: Data
  /** The version that the actor must be at; absent for any. */
  readonly expectedVersion?: Version
  /** Stored with each event that is decided for it. A middleware sets it; it is not sent. */
  readonly metadata?: Metadata
  /** The data is what the command's schema has made of it. Default: it is as it was sent. */
  readonly isChecked?: true
}

/** What `decide` gets beside the state and the command. */
export interface DecideContext extends Causes {
  readonly actor: ActorAddress
  /** The actor's version at the given state. */
  readonly version: Version
  readonly commandId: string
  /** The time of the decision, ms since 1970; the events get it as `at`. */
  readonly now: number
  /**
   * A UUID that no other command draws. It is derived from the command's id: a command that is decided again draws the
   * same ones in the same order.
   */
  readonly uuid: () => string
  /** A number from 0 up to 1, drawn in the same way. */
  readonly random: () => number
  /** The actor's own timer that sends the command, if it has not been replaced or cancelled. Absent for other senders. */
  readonly firing?: TimerFiring
}

/** The command is accepted; `events` may be empty. */
export interface AcceptedDecision<State = unknown> {
  readonly ok: true
  readonly events: readonly NewEvent[]
  /** Messages, commands, timers and work that are stored with the events. Default: none. */
  readonly outbox?: readonly OutboxEntry[]
  /** Computes the reply from the state after the events. */
  readonly reply: (state: State) => unknown
  /**
   * Runs after the events are stored, on the node that stored them, before the caller gets the
   * outcome. It does not run on a replay, nor if that node dies first.
   */
  readonly afterCommit?: (stored: AfterCommitContext) => void
  /** The state after the events, from a behavior that has folded them already. Default: `evolve` folds them. */
  readonly after?: { readonly state: State }
}

/** What an `afterCommit` function gets. */
export interface AfterCommitContext {
  readonly actor: ActorAddress
  /** The version of the first event that was stored. */
  readonly firstVersion: Version
  /** Reports a failure; the events remain stored. */
  readonly failed: (what: string, error: unknown) => void
}

/** Why a command was rejected. A rejection is an expected outcome, not an error. */
export interface Rejection<Code extends string = string, Details = unknown> {
  readonly code: Code
  /** For people. */
  readonly message: string
  /** For programs. */
  readonly details: Details
}

/** The command is rejected; nothing is stored. */
export interface RejectedDecision {
  readonly ok: false
  readonly rejection: Rejection
}

export type Decision<State = unknown> = AcceptedDecision<State> | RejectedDecision

/**
 * The part of a behavior that another process runs. The behavior's own `evolve` then only collects events; what it
 * returns is a state that only these methods understand.
 */
export interface RemoteBehavior<State = unknown> {
  /** Folds what is not folded yet, and decides. The signal fires when the command is given up. */
  decide(
    state: State,
    command: Command,
    context: DecideContext,
    signal: AbortSignal,
  ): Promise<Decision<State>>
  /** The state as readers get it. */
  fold(actor: ActorAddress, state: State, version: Version): Promise<State>
}

export interface Behavior<State = unknown> {
  /** Raise it when stored states are no longer valid: they are then refolded from the events. */
  readonly version: number
  /** The commands that `decide` knows, for errors and tools. */
  readonly commandTypes: readonly string[]
  /** The events that `evolve` folds, for tools. Default: they are not known. */
  readonly eventTypes?: readonly string[]
  /** Whether `decide` knows a command. Default: whether `commandTypes` has it. */
  knows?(commandType: string): boolean
  initialState(id: string): State
  /** Throws `unknown-command` for a type that it does not know. */
  decide(state: State, command: Command, context: DecideContext): Decision<State>
  /** Decides and folds in place of `decide`. Commands of such an actor are stored one by one. Default: none. */
  readonly remote?: RemoteBehavior<State>
  /** The children that run on the actor's owner while the actor is in this state. Default: none. */
  children?(actor: ActorAddress, state: State): readonly ChildSpec[]
  /**
   * The timers that must be set in a state: the due time of each, ms since 1970, by name. A timer in `set` may
   * have the name that an earlier version of the behavior gave it; the result uses that name. Absent: the
   * timers cannot be derived from the state.
   */
  timers?(state: State, set: readonly string[]): ReadonlyMap<string, number>
  /** The schema version in which events of a type are stored. Default: 1. */
  schemaVersionOf?(eventType: string): number
  /** The event types that `upcast` may change. Default: none. */
  readonly upcastTypes?: readonly string[]
  /** A stored event as `evolve` knows it, or its pieces, or none. Throws as `evolve` does. Default: it is kept as it is. */
  upcast?(event: RecordedEvent): readonly RecordedEvent[]
  /**
   * The state that an earlier version of the behavior has stored, as one of this version; `undefined`: it is folded
   * again from the events. Default: `undefined`.
   */
  migrateState?(state: unknown, from: number): State | undefined
  /** Total: it throws only for an unknown event or by mistake, and the actor has then failed. */
  evolve(state: State, event: RecordedEvent): State
}
