// Transactions as their callers see them: commits of several actors of a namespace, stored together.

import type { ActorAddress } from '../model/address.js'
import type { AskOptions, CommandIds } from '../model/command-sender.js'
import type { GivenCauses } from '../model/commit.js'
import type { StateReading, AnyActorDefinition } from './definition.js'
import type {
  CommandArguments,
  CommandNameOf,
  KnownName,
  OutcomeOf,
  StateOf,
} from './definition-types.js'

export interface TransactOptions extends GivenCauses {
  /**
   * A transaction that is sent again with the same id, to any node, takes effect once and returns the
   * first value, within the `commandWindow` of the actor that the work loads first; the work must
   * write to that actor. 1 to 250 bytes of text. Default: a new id; errors have it in
   * `details.transactionId`.
   */
  readonly id?: string | undefined
  /** The most times the work is run before the transaction ends in `contention`. Default 10. */
  readonly attempts?: number | undefined
  /** Aborts the transaction: nothing is stored unless the commit has begun. */
  readonly signal?: AbortSignal | undefined
  /** Deadline for the transaction in milliseconds, 1 to 2^31 - 1. Default 10,000. */
  readonly timeout?: number | undefined
  /**
   * Projections that must include the transaction before it is answered, within its deadline. Default: none. If one of them
   * is too late, `deadline-exceeded` says so: the transaction is stored.
   */
  readonly visibleIn?: AskOptions['visibleIn'] | undefined
}

const aborted = Symbol.for('cairn.aborted')

/** Ends a transaction without storing anything; made by {@link Transaction.abort}. */
export interface AbortResult<Reason = unknown> {
  readonly [aborted]: Reason
}

export function abort<Reason>(reason: Reason): AbortResult<Reason> {
  return { [aborted]: reason }
}

/** The reason for which a work aborted; `undefined` if it did not abort. */
export function abortReasonOf(value: unknown): { readonly reason: unknown } | undefined {
  return typeof value === 'object' && value !== null && aborted in value
    ? { reason: value[aborted] }
    : undefined
}

type WithinTransaction<Outcome> = Outcome extends { readonly ok: true }
  ? Omit<Outcome, 'position' | 'duplicate' | keyof CommandIds>
  : Omit<Outcome, keyof CommandIds>

/** The outcome of a command within a transaction, before anything is stored. */
export type TransactionAskOutcome<
  Definition extends AnyActorDefinition,
  Name extends CommandNameOf<Definition>,
> = WithinTransaction<OutcomeOf<Definition, Name>>

/** How a transaction loads an actor. */
export interface TransactionLoadOptions {
  /**
   * Whether the actor must still be at the loaded version when the transaction is stored, if the work
   * does not write to it. Default true; with false, the loaded state may be old by then.
   */
  readonly guard?: boolean | undefined
}

/** One attempt at a transaction: the operations of its work. */
export interface Transaction {
  readonly id: string
  /** Fires when the transaction is aborted or its deadline passes. */
  readonly signal: AbortSignal

  /** Reads an actor's state, including what this transaction has decided for it so far. */
  load<Definition extends AnyActorDefinition>(
    definition: Definition,
    id: string,
    options?: TransactionLoadOptions,
  ): Promise<StateReading<StateOf<Definition>>>

  /**
   * Decides a command on an actor on this node; the events are stored when the work has ended. A
   * rejection is a result, and what was decided before is still stored: return {@link abort} to store
   * nothing.
   */
  ask<Definition extends AnyActorDefinition, Name extends string>(
    definition: Definition,
    id: string,
    command: KnownName<Definition, Name>,
    ...args: CommandArguments<Definition, Name, undefined>
  ): Promise<TransactionAskOutcome<Definition, Name & CommandNameOf<Definition>>>

  /** `return tx.abort(reason)`: nothing is stored, and the caller gets `{ ok: false, reason }`. */
  abort<const Reason>(reason: Reason): AbortResult<Reason>
}

/** The transaction was committed, all of it. */
export interface TransactionCommitted<Value = unknown> {
  readonly ok: true
  readonly transactionId: string
  /** A copy of what the work returned. */
  readonly value: Value
  /** Whether a transaction with this id was committed before; then nothing was stored now. */
  readonly duplicate: boolean
}

/** The work was aborted: nothing was stored. */
export interface TransactionAborted<Reason = unknown> {
  readonly ok: false
  readonly transactionId: string
  readonly reason: Reason
}

type ReasonIn<Result> = Result extends AbortResult<infer Reason> ? Reason : never

/** The outcome of a transaction; without {@link TransactionAborted} if the work never aborts. */
export type TransactOutcome<Result> =
  | TransactionCommitted<Exclude<Result, AbortResult>>
  | ([ReasonIn<Result>] extends [never] ? never : TransactionAborted<ReasonIn<Result>>)

/** Runs a transaction's work, again after each conflict. */
export type Transact = <Result>(
  work: (tx: Transaction) => Promise<Result> | Result,
  options?: TransactOptions,
) => Promise<TransactOutcome<Result>>

/** A stored commit of a transaction. */
export interface StoredPart {
  readonly actor: ActorAddress
  readonly version: number
  readonly position: number
}
