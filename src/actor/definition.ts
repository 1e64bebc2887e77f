// Actor definitions: an actor type's behavior and options, and the types that its callers see.

import type { Behavior, Rejection } from '../model/behavior.js'
import type { Freshness } from '../model/freshness.js'
import type { AnyTopic } from '../model/topic.js'
import type { Position, Version } from '../model/version.js'
import type { EmittedEvent } from './event.js'
import type { CommandGuard } from './guarded-command.js'
import type { ActorSchemas } from './schemas.js'
import type { SupervisionOptions } from './supervision-policy.js'
import type { AnyWork } from './work.js'

/** Options of an actor type. */
export interface ActorOptions {
  /** Commands that may wait for one actor; more fail with `mailbox-full`. Default 1,000. */
  readonly mailboxLimit?: number | undefined
  /** A commit contains the folded state if it has at most this many bytes. Default 1,024. */
  readonly stateBytesMax?: number | undefined
  /** A larger state is stored in one commit after this many events. Default 100. */
  readonly stateEvery?: number | undefined
  /**
   * A state of more than 256 KiB is in no commit. A snapshot of it is stored beside the log after this many events; 0: none is.
   * Default 1,000.
   */
  readonly snapshotEvery?: number | undefined
  /**
   * Most commands that are stored as one commit. Commands that wait for one actor are decided one
   * after another and stored together; each keeps its own id, events, version and answer.
   * Default 256; with 1, each command has a commit of its own.
   */
  readonly commitCommandsMax?: number | undefined
  /** An actor that is idle for this many milliseconds leaves memory. Default 600,000: ten minutes. */
  readonly idleAfter?: number | undefined
  /**
   * How long a command that is sent again under its id is recognised: while the actor has fewer
   * than `commands` later commits, and the command's own commit is younger than `ms` by the clock
   * of the node that is asked. Both must hold; after that it is handled like a new command.
   */
  readonly commandWindow?: {
    /** Commits of one actor, 1 to 10,000. Default 1,024. Each takes 4 bytes of an actor in memory. */
    readonly commands?: number
    /** Milliseconds, at least 1. Default 600,000. The clocks of nodes may differ by less than it. */
    readonly ms?: number
  }
  /** What happens to an actor that has failed. Default: it is parked. */
  readonly supervision?: SupervisionOptions | undefined
  /** Decides in the owner, before `decide`, who may send a command. Default: everybody may. */
  readonly guard?: CommandGuard | undefined
}

/** A command as its callers see it. */
export interface CommandShape<Data = unknown, Reply = unknown, Rejected = Rejection> {
  readonly data: Data
  readonly reply: Reply
  readonly rejection: Rejected
}

/** How a state is read. */
export interface StateOptions {
  /** Default `'latest'`. */
  readonly freshness?: Freshness | undefined
  /** Deadline in milliseconds. Default 10,000. `Infinity`, with `{ after: version }` only, waits until the signal fires. */
  readonly timeout?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** An actor's state at a version. */
export interface StateReading<State = unknown> {
  readonly state: State
  readonly version: Version
  /** Position of the last commit in the state; 0 without an event. Readers of projections take it as `after`. */
  readonly position: Position
  /** Whether the actor has an event. Without one, it is at version 0, and the state is the initial one. */
  readonly exists: boolean
}

/** Reads the state of one actor. */
export type StateReader<State = unknown> = (
  options?: StateOptions,
) => Promise<StateReading<State>>

/** An actor type: its behavior, and the types that its callers see. */
export interface ActorDefinition<
  State = unknown,
  Commands extends Record<string, CommandShape> = Record<string, CommandShape>,
  Event extends EmittedEvent = EmittedEvent,
> {
  readonly type: string
  readonly behavior: Behavior<State>
  readonly options: ActorOptions
  /** Topics that its actors publish on. */
  readonly publishes?: readonly AnyTopic[]
  /** Work that its actors perform. */
  readonly performs?: readonly AnyWork[]
  /** The schemas of its commands, events, replies and state. */
  readonly schemas?: ActorSchemas
  /** Adds methods to references of its actors; `read` reads the referenced actor's state. */
  readonly refMethods?: (read: StateReader<State>) => object
  /** Exists only as a type; there is no value. */
  readonly $types?: { state: State; commands: Commands; event: Event }
}

export type AnyActorDefinition = ActorDefinition<
  // oxlint-disable-next-line typescript/no-explicit-any -- state is both read and written by the behavior
  any,
  // oxlint-disable-next-line typescript/no-explicit-any -- any set of commands
  any,
  // oxlint-disable-next-line typescript/no-explicit-any -- any set of events
  any
>
