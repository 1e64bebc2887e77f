// Contracts: the commands of an actor type without its behavior, for those who send to it.

import { checkActorType } from '../model/address.js'
import type { Rejection } from '../model/behavior.js'
import type { AnyActorDefinition, CommandShape } from './definition.js'

/** The type and the commands of an actor, without its behavior. Made by {@link contract}. */
export interface ActorContract<
  Commands extends Record<string, CommandShape> = Record<string, CommandShape>,
> {
  readonly type: string
  readonly isContract: true
  /** Exists only as a type; there is no value. */
  readonly $types?: { commands: Commands }
}

// oxlint-disable-next-line typescript/no-explicit-any -- any set of commands
export type AnyContract = ActorContract<any>

/** Whether a value is a contract. */
export function isContract(value: unknown): value is AnyContract {
  if (typeof value !== 'object' || value === null) return false
  return (value as { readonly isContract?: unknown }).isContract === true
}

/** Whatever names an actor type and its commands. */
export type AnyActorType = AnyActorDefinition | AnyContract

/** The commands of a contract: what is not a {@link CommandShape} is the data of a command. */
export type ContractCommands<Commands> = {
  [Name in keyof Commands & string]: Commands[Name] extends CommandShape
    ? Commands[Name]
    : CommandShape<
        [Commands[Name]] extends [void] ? undefined : Commands[Name],
        unknown,
        Rejection
      >
}

/**
 * Makes the contract of an actor type: its name and its commands, by the type of their data.
 *
 * ```ts
 * const Order = contract<{ place: NewOrder; driverSelected: void }>('order')
 * ```
 *
 * `send(Order, id, 'place', order)` and `node.spawn(Order, id)` need no more than the contract, so that two actor types
 * can send to each other, and callers need not import the behavior. `defineActor({ implements: Order, … })` checks that
 * a definition decides its commands. `CommandShape<Data, Reply, Rejection>` in place of the data also says what callers
 * get. Without a type argument, it has commands of any name and any data: for code that knows only the type's name. Throws
 * `invalid-actor-type`.
 */
export function contract<Commands extends object = Record<string, unknown>>(
  type: string,
): ActorContract<ContractCommands<Commands>> {
  return Object.freeze({ type: checkActorType(type), isContract: true })
}
