// The port through which commands reach actors: the node's own host implements it, and so
// does a router that sends them to another node.

import type { ActorAddress } from './address.js'
import type { Rejection } from './behavior.js'
import type { Causes } from './commit.js'
import type { TimerFiring } from './timer.js'
import type { Position, Version } from './version.js'

export interface SendOptions extends Causes {
  /**
   * The same intention keeps the same id when it is sent again, to whichever node: it takes
   * effect once and gets the first answer again, whatever type and data come with it then,
   * within the actor type's `commandWindow`. What stored nothing (a refusal, a query) leaves no
   * trace and is decided anew. Default: a new one; errors tell it in `details.commandId`.
   */
  readonly commandId?: string
  /** Gives up: a command that has not begun is never begun. */
  readonly signal?: AbortSignal
  /** Deadline for the whole command in milliseconds, 1 to 2^31 - 1. Default 10,000. */
  readonly timeout?: number
  /**
   * For who has kept the command somewhere: when it was first given away, ms since 1970. That it
   * was carried out before is then found out back to that moment, whatever the window.
   */
  readonly sentAt?: number
  /**
   * For who has kept the command, and knows that the actor had not carried it out at this version:
   * that it has since is found out, whatever the window.
   */
  readonly notHandledAt?: Version
  /**
   * For who has found the command in a commit: the position of that commit. That it was carried
   * out since is found out, whatever the window.
   */
  readonly commitPosition?: Position
  /** For a firing: it is refused where its timer was replaced or cancelled behind `saidAt`. */
  readonly firing?: TimerFiring
}

/** A command was stored, and will be carried out. */
export interface SendReceipt {
  readonly commandId: string
  /** Its place in the inbox. */
  readonly position: Position
  /** A command of this id was waiting for the actor already: nothing was added. */
  readonly duplicate: boolean
}

/** The command was carried out. */
export interface AcceptedOutcome<Reply = unknown> {
  readonly ok: true
  /** The actor's version after it. */
  readonly version: Version
  /** Position of the actor's last commit after it; 0 when it has none. */
  readonly position: Position
  readonly reply: Reply
  /**
   * Whether a command of this id had been carried out before: nothing was done now, and
   * version, position and reply are those of then.
   */
  readonly duplicate: boolean
  /**
   * The ids of the messages and commands that the actor said with it, in order: what readers see as
   * `message.id`, and receivers as the command's id. Absent where it said nothing.
   */
  readonly outboxIds?: readonly string[]
}

/** The command was refused by the actor; nothing was stored. */
export interface RejectedOutcome<Refusal = Rejection> {
  readonly ok: false
  /** The version the refusal was decided on, confirmed to be the newest. */
  readonly version: Version
  readonly rejection: Refusal
}

/** What a command came to. The second arm is absent for a command that is never refused. */
export type AskOutcome<Reply = unknown, Refusal = Rejection> =
  AcceptedOutcome<Reply> | ([Refusal] extends [never] ? never : RejectedOutcome<Refusal>)

/**
 * Sends commands. Both calls throw `mailbox-full`, `queue-full`, `node-closed`,
 * `unknown-actor-type`, `invalid-data`, `invalid-command` and the like before the command
 * was begun.
 */
export interface CommandSender {
  /**
   * Resolves with the command's outcome. Throws `aborted` or `deadline-exceeded` when it was
   * given up before anything was written, `outcome-unknown` when it may have been stored
   * (`details.commandId` is what to ask again with), `contention`, `decide-failed`,
   * `actor-parked`, `actor-restarting`, `actor-paused`, `unknown-command`, `store-unreachable`.
   */
  ask(
    actor: ActorAddress,
    commandType: string,
    data: unknown,
    options?: SendOptions,
  ): Promise<AskOutcome>

  /** Resolves once the actor's mailbox has accepted the command; what comes after goes to the node's log. */
  tell(
    actor: ActorAddress,
    commandType: string,
    data: unknown,
    options?: SendOptions,
  ): Promise<void>
}

/** Stores commands for actors: the other way to them, which waits for nobody. */
export interface DurableCommandSender {
  /**
   * Resolves once the command is stored. It is carried out as soon as a node hosts its actor, now or
   * after all nodes have been down: at least once, and acting once by its id. What becomes of it is
   * told to nobody but the log. Throws `invalid-command`, `invalid-data`, `node-closed` or
   * `store-unreachable` when it is not stored, `outcome-unknown` when that is not known: send it
   * again then, with the same `commandId`.
   */
  send(
    actor: ActorAddress,
    commandType: string,
    data: unknown,
    options?: SendOptions,
  ): Promise<SendReceipt>
}
