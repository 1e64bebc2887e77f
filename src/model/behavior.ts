// Behaviors: what an actor decides and how its events change it. Pure: no store, clock,
// logger or network; everything it may know is handed in.

import type { ActorAddress } from './address.js'
import type { Child } from './child.js'
import type { Causes } from './commit.js'
import type { NewEvent, RecordedEvent } from './event.js'
import type { OutboxEntry } from './outbox.js'
import type { Firing } from './timer.js'
import type { Version } from './version.js'

/** Bytes of a command's id, at most: a derived one holds the address of what caused it. */
export const commandIdBytesMax = 1_024

/** A request to an actor to do something. */
export interface Command<Type extends string = string, Data = unknown> extends Causes {
  /** Unique per intention: the same id sent again is the same command. */
  readonly id: string
  readonly type: Type
  readonly data: Data
}

/** What `decide` may know beside state and command. */
export interface DecideContext extends Causes {
  readonly actor: ActorAddress
  /** The actor's version that the given state is of. */
  readonly version: Version
  readonly commandId: string
  /** The moment of the decision, ms since 1970; the same in the events' `at`. */
  readonly now: number
  /** The actor's timer that sends the command, while it has not been replaced or cancelled. Absent: somebody else does. */
  readonly firing?: Firing
}

/** The command was carried out; `events` may be empty. */
export interface AcceptedDecision<State = unknown> {
  readonly ok: true
  readonly events: readonly NewEvent[]
  /** Messages and commands that go out with the events. Default: none. */
  readonly outbox?: readonly OutboxEntry[]
  /** The answer, drawn from the state that the events lead to. */
  readonly reply: (state: State) => unknown
  /**
   * What is to be done in the world once the events are stored, by the node that stored them and
   * before the caller hears of it. Never on a replay, and not at all where that node dies first.
   */
  readonly afterCommit?: (stored: AfterCommit) => void
}

/** Events that have just been stored. */
export interface AfterCommit {
  readonly actor: ActorAddress
  readonly firstVersion: Version
  /** Hears what went wrong: the events stand, whatever becomes of what follows them. */
  readonly failed: (what: string, error: unknown) => void
}

/** Why a command was refused: an expected outcome, not an error. */
export interface Rejection<Code extends string = string, Details = unknown> {
  readonly code: Code
  /** For people. */
  readonly message: string
  /** For programs. */
  readonly details: Details
}

/** The command was refused; nothing is stored. */
export interface RejectedDecision {
  readonly ok: false
  readonly rejection: Rejection
}

export type Decision<State = unknown> = AcceptedDecision<State> | RejectedDecision

export interface Behavior<State = unknown> {
  /** Raise it when stored folded states no longer fit: they are then folded anew from the events. */
  readonly version: number
  /** The names `decide` knows, for errors and tools. */
  readonly commandTypes: readonly string[]
  /** Whether `decide` knows a command, where that is not told by the names alone. */
  knows?(commandType: string): boolean
  initialState(id: string): State
  /** Throws `unknown-command` for a type that it does not know. */
  decide(state: State, command: Command, context: DecideContext): Decision<State>
  /** What is to run beside the actor, on its owner, as long as it is in this state. Default: nothing. */
  children?(actor: ActorAddress, state: State): readonly Child[]
  /**
   * The timers that are to wait in a state: when each is due, ms since 1970, by its name. One of those that are
   * set may have a name that an earlier version gave it, and is named so. Absent: the state does not tell.
   */
  timers?(state: State, set: readonly string[]): ReadonlyMap<string, number>
  /** Total: throws only for an event it has no case for, or by mistake; the actor has failed then. */
  evolve(state: State, event: RecordedEvent): State
}
