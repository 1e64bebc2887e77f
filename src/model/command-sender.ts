// The ports through which commands reach actors. CommandSender is implemented by the node's host, and by
// a router that sends commands to other nodes.

import type { ActorAddress } from './address.js'
import { checkOptions, type OptionNames } from './check-options.js'
import type { Rejection } from './behavior.js'
import type { GivenCauses } from './commit.js'
import type { CairnError } from './errors.js'
import type { Redelivery } from './redelivery.js'
import { checkCount, type Position, type Version } from './version.js'

/** Options of a command that is sent. */
export interface SendOptions extends GivenCauses {
  /**
   * The command's id. A command that is sent again with the same id, to any node, takes effect once
   * and gets the first answer again, within the actor type's `commandWindow`; with another name or
   * other data it fails with `command-id-reused`. A command that stored nothing (a rejection, a query) is decided again. Default:
   * a new id; errors have it in `details.commandId`.
   */
  readonly commandId?: string | undefined
  /** Aborts the call; a command that has not begun never begins. */
  readonly signal?: AbortSignal | undefined
  /** Deadline for the command in milliseconds, 1 to 2^31 - 1. Default 10,000. */
  readonly timeout?: number | undefined
}

/** Options of a command whose outcome is waited for. */
export interface AskOptions<
  Expected extends Version | undefined = Version | undefined,
> extends SendOptions {
  /**
   * The version that the actor must be at; 0 for an actor that does not exist. At another one, nothing is decided and
   * the command is rejected with the code `version-conflict`. A command that was handled before gets its first answer.
   */
  readonly expectedVersion?: Expected | undefined
  /**
   * Projections that must include the command before its outcome comes, within the same `timeout`: what is read of them then,
   * on the same node, includes it. If they do not in time, the error says that the command was carried out.
   */
  readonly visibleIn?: readonly ReadModelName[] | undefined
}

/** A projection, as `defineProjection` returns it. */
export interface ReadModelName {
  readonly name: string
  readonly version: number
  readonly types: readonly string[]
}

const sendOptionNames: OptionNames<SendOptions> = {
  commandId: true,
  signal: true,
  timeout: true,
  correlationId: true,
  causationId: true,
  traceparent: true,
  principal: true,
}

const askOptionNames: OptionNames<AskOptions> = {
  ...sendOptionNames,
  expectedVersion: true,
  visibleIn: true,
}

/** Throws `invalid-option` for an option that does not exist, and for a version that is none. */
export function checkSendOptions(
  method: 'ask' | 'tell' | 'send',
  options: AskOptions | undefined,
): void {
  if (options === undefined) return
  checkOptions(method, options, method === 'ask' ? askOptionNames : sendOptionNames)
  if (options.expectedVersion !== undefined)
    checkCount('expectedVersion', options.expectedVersion)
}

/** The same as {@link checkSendOptions}, as the rejection of a call; `undefined` for options that exist. It spares a call a promise of its own. */
export function refuseSendOptions(
  method: 'ask' | 'tell' | 'send',
  options: AskOptions | undefined,
): Promise<never> | undefined {
  try {
    checkSendOptions(method, options)
    return undefined
  } catch (error) {
    return Promise.reject(error)
  }
}

/** A sender that refuses by load. */
export interface RefusingSender extends CommandSender {
  /** Whether it may refuse a command now; false at most times. */
  readonly mayRefuse: boolean
  /**
   * The error with which it would refuse a command now, if it would: it costs less to ask for it than to send a command
   * that is refused.
   */
  refusal(actor: ActorAddress, options?: RedeliveryOptions): CairnError | undefined
}

const settled = Promise.resolve()

/** A rejection. Unlike `Promise.reject`, it costs no look for a handler, which every caller adds right after. */
export function rejected(error: unknown): Promise<never> {
  return settled.then(() => {
    throw error
  })
}

/** Options of Cairn's own senders: the inbox, the courier, timers, children and reactors. */
export interface RedeliveryOptions extends AskOptions {
  /** Absent for a command that is sent for the first time, or again by its caller. */
  readonly redelivery?: Redelivery
}

/** A command was stored, and will be handled. */
export interface SendReceipt {
  readonly commandId: string
  /** Its position in the inbox. */
  readonly position: Position
  /** Whether the inbox already had a command with this id for the actor; then nothing was added. */
  readonly duplicate: boolean
}

/** The ids under which a command is found in the log, in log lines and in what it caused. */
export interface CommandIds {
  /** The id that the command was sent with, or the one that it was given. */
  readonly commandId: string
  /**
   * The correlation id of what the command caused: the one that it was sent with, or the one that
   * replaced it because it was not valid. Without one, it is the command's id.
   */
  readonly correlationId: string
}

/** The outcome of a command that the actor accepted. */
export interface AcceptedOutcome<Reply = unknown> extends CommandIds {
  readonly ok: true
  /** The actor's version after the command. */
  readonly version: Version
  /** Position of the actor's last commit after the command; 0 if the actor has none. */
  readonly position: Position
  readonly reply: Reply
  /**
   * Whether a command with this id was handled before. Then nothing was stored now, and version,
   * position, reply and correlation id are those of the first time.
   */
  readonly duplicate: boolean
  /**
   * The ids of the messages and commands that the actor sent with it, in order: the `message.id` of
   * a message, and the command id of a command. Absent if it sent none.
   */
  readonly outboxIds?: readonly string[]
}

/** The outcome of a command that the actor rejected; nothing was stored. */
export interface RejectedOutcome<Reason = Rejection> extends CommandIds {
  readonly ok: false
  /** The version that the rejection was decided at, confirmed to be the latest. */
  readonly version: Version
  readonly rejection: Reason
}

/** The rejection of a command that expected another version of its actor. */
export type VersionConflictRejection = Rejection<
  'version-conflict',
  { readonly expected: Version; readonly actual: Version }
>

/** The outcome that a command may have beside its own, if it expects a version. */
export type ConflictOutcome<Expected> = [Expected] extends [undefined]
  ? never
  : RejectedOutcome<VersionConflictRejection>

/** The outcome of a command; without {@link RejectedOutcome} if the command is never rejected. */
export type AskOutcome<Reply = unknown, Reason = Rejection> =
  AcceptedOutcome<Reply> | ([Reason] extends [never] ? never : RejectedOutcome<Reason>)

/**
 * Sends commands. Both methods throw `mailbox-full`, `queue-full`, `node-closed`,
 * `unknown-actor-type`, `invalid-data`, `invalid-command` and similar errors before the command
 * begins.
 */
export interface CommandSender {
  /**
   * Resolves with the command's outcome. Throws `aborted` or `deadline-exceeded` if nothing was
   * written, `outcome-unknown` if the command may have been stored (ask again with
   * `details.commandId` as its id), `contention`, `decide-failed`,
   * `actor-parked`, `actor-restarting`, `actor-paused`, `unknown-command`, `version-behind`,
   * `store-unreachable`.
   */
  ask(
    actor: ActorAddress,
    commandType: string,
    data: unknown,
    options?: RedeliveryOptions,
  ): Promise<AskOutcome>

  /** Resolves when the actor's mailbox has accepted the command; a later failure is reported to the node's log. */
  tell(
    actor: ActorAddress,
    commandType: string,
    data: unknown,
    options?: RedeliveryOptions,
  ): Promise<void>
}

/** Stores commands for actors, to be handled later. */
export interface DurableCommandSender {
  /**
   * Resolves when the command is stored. It is handled as soon as a node hosts its actor, even if all
   * nodes were down meanwhile; it is delivered at least once, and takes effect once by its id. Its
   * outcome is reported to the log only. Throws `invalid-command`, `invalid-data`, `node-closed` or
   * `store-unreachable` if it was not stored, and `outcome-unknown` if it may have been: send it again
   * with the same `commandId`.
   */
  send(
    actor: ActorAddress,
    commandType: string,
    data: unknown,
    options?: RedeliveryOptions,
  ): Promise<SendReceipt>
}
