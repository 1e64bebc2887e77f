// Addresses of durable actors for a machine's sendTo().

import type { ActorRef, EventObject, Snapshot } from 'xstate'

import type { ActorDefinition, AnyActorDefinition } from '../actor/definition.js'
import type { CommandNameOf, CommandsOf } from '../actor/definition-types.js'
import { type ActorAddress, checkAddress } from '../model/address.js'
import { CairnError } from '../model/errors.js'

const address = Symbol.for('cairn.address')

type SentCommand<Name, Data> = [Data] extends [undefined]
  ? { type: Name }
  : Exclude<Data, undefined> extends readonly unknown[]
    ? never
    : Exclude<Data, undefined> extends object
      ? { type: Name } & (undefined extends Data
          ? Partial<Exclude<Data, undefined>>
          : Exclude<Data, undefined>)
      : never

/** A definition's commands as events: the type, and the fields of the data beside it. */
export type SentTo<Definition extends AnyActorDefinition> = {
  [Name in CommandNameOf<Definition>]: SentCommand<
    Name,
    CommandsOf<Definition>[Name] extends { readonly data: infer Data } ? Data : unknown
  >
}[CommandNameOf<Definition>] &
  EventObject

/** A durable actor as the target of `sendTo`. */
export type DurableTarget<Event extends EventObject = EventObject> = ActorRef<
  Snapshot<unknown>,
  Event
>

/**
 * A durable actor as the target of a machine's `sendTo`: the event becomes a command to it, its
 * type the command's and its other fields the data, stored in the commit of the transition and
 * carried out once. Where two definitions send to each other, name one by its address.
 *
 * ```ts
 * sendTo(({ context }) => actorAt(account, context.rider), { type: 'deposit', amount: 10 })
 * ```
 *
 * Throws `invalid-actor-id`.
 */
export function actorAt<Definition extends AnyActorDefinition>(
  definition: Definition,
  id: string,
): DurableTarget<SentTo<Definition>>
export function actorAt(actor: ActorAddress): DurableTarget
export function actorAt(to: ActorDefinition | ActorAddress, id?: string): DurableTarget {
  const actor = checkAddress({ type: to.type, id: 'behavior' in to ? id! : to.id })
  const name = `${actor.type}/${actor.id}`
  const target = {
    [address]: Object.freeze({ type: actor.type, id: actor.id }),
    id: name,
    sessionId: name,
    send: refuse,
    getSnapshot: refuse,
    getPersistedSnapshot: refuse,
    start: refuse,
    subscribe: refuse,
    on: refuse,
  }
  return target as unknown as DurableTarget
}

/** The actor that a target of `sendTo` names, if it is durable. */
export function addressOf(target: unknown): ActorAddress | undefined {
  if (typeof target !== 'object' || target === null || !(address in target))
    return undefined
  return target[address] as ActorAddress
}

function refuse(): never {
  throw new CairnError(
    'invalid-definition',
    'actorAt(…) is only a target for sendTo: it takes no events by itself. Elsewhere use ' +
      'node.spawn(definition, id).',
  )
}
