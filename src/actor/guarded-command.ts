// What middleware and guards are: functions of a command, and what they see of it.

import type { ActorAddress } from '../model/address.js'
import type { Rejection } from '../model/behavior.js'
import type { Causes } from '../model/commit.js'
import type { Metadata } from '../model/event.js'
import type { Version } from '../model/version.js'

/**
 * How a command comes. `call`: from a program, over any door. `send`: the same, stored until its actor handles it.
 * `transaction`: by `tx.ask`. `delivery`: from another actor's outbox, or asked by a handler of messages. `timer`: from the
 * actor's own timer. `work`: the end of the actor's own work, or what a child of a machine reports.
 */
export type CommandSource =
  'call' | 'send' | 'transaction' | 'delivery' | 'timer' | 'work'

/** A command as middleware and guards see it. Its data are read-only. */
export interface GuardedCommand<
  Name extends string = string,
  Data = unknown,
> extends Causes {
  readonly actor: ActorAddress
  /** The command's id. A command that is sent again has the same one. */
  readonly id: string
  /** Its name. */
  readonly type: Name
  readonly data: Data
  readonly expectedVersion?: Version | undefined
  readonly source: CommandSource
  /** Fires when the command is given up, or its deadline passes. */
  readonly signal: AbortSignal
}

/** The outcome of a command, as middleware sees it. */
export type GuardedOutcome =
  | { readonly ok: true; readonly version: Version; readonly reply: unknown }
  | { readonly ok: false; readonly version: Version; readonly rejection: Rejection }

/** What a middleware adds to a command. */
export interface Enrichment {
  /** Stored with each event of the command; pairs that `decide` sets have precedence. */
  readonly metadata?: Metadata
  /** Who asks, in place of the principal that the command came with. 1 to 256 bytes. */
  readonly principal?: string
}

/** Lets the command go on. Resolves with its outcome; rejects with its error. Call it once. */
export type Next = (enrichment?: Enrichment) => Promise<GuardedOutcome>

/**
 * Wraps commands: calls `next`, or throws to refuse the command. What it returns is not used. Throw
 * `new CairnError('forbidden', …)` for what the principal may not do.
 */
export type CommandMiddleware<Guarded extends GuardedCommand = GuardedCommand> = (
  command: Guarded,
  next: Next,
) => unknown

/**
 * Whether a command may be carried out: `true`, or `false` or a text that says why not. It may wait; what it throws
 * refuses the command, too.
 */
export type CommandGuard = (
  command: GuardedCommand,
) => boolean | string | Promise<boolean | string>
