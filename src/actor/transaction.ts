// Transactions as their callers see them: several actors of a namespace, one commit.

import type { ActorAddress } from '../model/address.js'
import type { Causes } from '../model/commit.js'
import type { StateReading, AnyActorDefinition } from './definition.js'
import type {
  CommandArguments,
  CommandNameOf,
  OutcomeOf,
  StateOf,
} from './definition-types.js'

export interface TransactOptions extends Causes {
  /**
   * The same intention keeps the same id when it is asked again, on whichever node: it acts
   * once and gets the first value again, within the `commandWindow` of the actor that the work
   * loads first, which must be one that it writes to. 1 to 250 bytes of text. Default: a new
   * one; errors tell it in `details.transactionId`.
   */
  readonly id?: string
  /** Times the work is done at most before it ends in `contention`. Default 10. */
  readonly attempts?: number
  /** Gives up: nothing is stored unless the commit is under way already. */
  readonly signal?: AbortSignal
  /** Deadline for the whole in milliseconds, 1 to 2^31 - 1. Default 10,000. */
  readonly timeout?: number
}

const aborted = Symbol.for('cairn.aborted')

/** What ends a transaction without storing anything; made by {@link Transaction.abort}. */
export interface AbortResult<Reason = unknown> {
  readonly [aborted]: Reason
}

export function abort<Reason>(reason: Reason): AbortResult<Reason> {
  return { [aborted]: reason }
}

/** The reason that a work was aborted for; `undefined` when it was not. */
export function abortReasonOf(value: unknown): { readonly reason: unknown } | undefined {
  return typeof value === 'object' && value !== null && aborted in value
    ? { reason: value[aborted] }
    : undefined
}

type WithinTransaction<Outcome> = Outcome extends { readonly ok: true }
  ? Omit<Outcome, 'position' | 'duplicate'>
  : Outcome

/** What a command comes to within a transaction: nothing of it is stored yet. */
export type TransactionAskOutcome<
  Definition extends AnyActorDefinition,
  Name extends CommandNameOf<Definition>,
> = WithinTransaction<OutcomeOf<Definition, Name>>

export interface TransactionLoadOptions {
  /**
   * Whether the actor must still be at this version when the transaction is stored, if nothing
   * is written to it. Default true; false makes the reading one that may be old by then.
   */
  readonly guard?: boolean
}

/** One attempt at a transaction: what its work may do. */
export interface Transaction {
  readonly id: string
  /** Fires when the transaction is given up. */
  readonly signal: AbortSignal

  /** Reads an actor's state, with what this transaction has decided for it so far. */
  load<Definition extends AnyActorDefinition>(
    definition: Definition,
    id: string,
    options?: TransactionLoadOptions,
  ): Promise<StateReading<StateOf<Definition>>>

  /**
   * Decides a command on an actor, here and now; what is decided is stored when the work has
   * ended. A refusal is a result, and leaves what was decided before as it is: return
   * {@link abort} for nothing to be stored.
   */
  ask<Definition extends AnyActorDefinition, Name extends CommandNameOf<Definition>>(
    definition: Definition,
    id: string,
    command: Name,
    ...args: CommandArguments<Definition, Name, undefined>
  ): Promise<TransactionAskOutcome<Definition, Name>>

  /** `return tx.abort(reason)`: nothing is stored, and the caller gets `{ ok: false, reason }`. */
  abort<const Reason>(reason: Reason): AbortResult<Reason>
}

/** The transaction took effect: all of it. */
export interface TransactionCommitted<Value = unknown> {
  readonly ok: true
  readonly transactionId: string
  /** What the work returned, as a copy. */
  readonly value: Value
  /** Whether a transaction of this id had taken effect before: nothing was done now. */
  readonly duplicate: boolean
}

/** The work was aborted: nothing was stored. */
export interface TransactionAborted<Reason = unknown> {
  readonly ok: false
  readonly transactionId: string
  readonly reason: Reason
}

type ReasonIn<Result> = Result extends AbortResult<infer Reason> ? Reason : never

/** What a transaction came to. The second arm is absent for a work that never aborts. */
export type TransactOutcome<Result> =
  | TransactionCommitted<Exclude<Result, AbortResult>>
  | ([ReasonIn<Result>] extends [never] ? never : TransactionAborted<ReasonIn<Result>>)

/** Does a transaction's work, as often as it takes. */
export type Transact = <Result>(
  work: (tx: Transaction) => Promise<Result> | Result,
  options?: TransactOptions,
) => Promise<TransactOutcome<Result>>

/** A commit of a transaction, for those who keep the actor in memory. */
export interface StoredPart {
  readonly actor: ActorAddress
  readonly version: number
  readonly position: number
}
