// Addresses of durable actors for a machine's sendTo().

import type { ActorRef, EventObject, Snapshot } from 'xstate'

import type { AnyActorType } from '../actor/contract.js'
import type { CommandNameOf, CommandsOf } from '../actor/definition-types.js'
import { type ActorAddress, checkAddress } from '../model/address.js'
import { type Answers, answersOf, checkAnswers } from '../model/answers.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'

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

/** A definition's commands as events: the command's name as type, the fields of its data beside it. */
export type SentTo<Definition extends AnyActorType> = {
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
 * A durable actor as the target of a machine's `sendTo`. The event becomes a command to that actor: its type is the
 * command's name, its other fields the data. The command is stored in the commit of the transition and takes effect
 * once. Where two definitions send to each other, pass a contract for one of them. `refused` and `replied` name events
 * of the machine: one of them comes back, with the rejection or the reply beside its type.
 *
 * ```ts
 * sendTo(({ context }) => actorAt(account, context.rider), { type: 'deposit', amount: 10 })
 * ```
 *
 * Throws `invalid-actor-id` or `invalid-option`.
 */
export function actorAt<Definition extends AnyActorType>(
  definition: Definition,
  id: string,
  answers?: Answers,
): DurableTarget<SentTo<Definition>>
export function actorAt(actor: ActorAddress): DurableTarget
export function actorAt(
  to: AnyActorType | ActorAddress,
  id?: string,
  answers: Answers = {},
): DurableTarget {
  if (typeof to !== 'object' || to === null)
    throw new CairnError(
      'invalid-definition',
      `actorAt has ${show(to)}: pass a definition and an id, actorAt(account, 'alice'), or { type, id }.`,
    )
  const actor = checkAddress({ type: to.type, id: 'id' in to ? to.id : id! })
  checkAnswers('actorAt', answers)
  const name = `${actor.type}/${actor.id}`
  const target = {
    [address]: Object.freeze({ type: actor.type, id: actor.id, ...answersOf(answers) }),
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

/** The address in a durable target of `sendTo`, and who hears the answer; `undefined` for any other target. */
export function addressOf(target: unknown): (ActorAddress & Answers) | undefined {
  if (typeof target !== 'object' || target === null || !(address in target))
    return undefined
  return target[address] as ActorAddress & Answers
}

function refuse(): never {
  throw new CairnError(
    'invalid-definition',
    'actorAt(…) is only a target for sendTo and takes no events itself. Elsewhere use ' +
      'node.spawn(definition, id).',
  )
}
