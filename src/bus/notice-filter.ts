// Which notices a subscription wants: those of one actor type, or of one actor.

import {
  type ActorAddress,
  checkActorType,
  checkAddress,
  formatAddress,
} from '../model/address.js'
import { CairnError } from '../model/errors.js'
import type { SubscribeOptions } from './bus.js'

/** The options of a subscription that choose its notices. */
export type NoticeFilter = Pick<SubscribeOptions, 'type' | 'actor'>

/** A filter that was checked. */
export interface ActorFilter {
  readonly type: string
  /** Absent for all actors of the type. */
  readonly id?: string
}

/** `undefined` for all notices. Throws `invalid-actor-type`, `invalid-actor-id` or `invalid-option`. */
export function actorFilterOf({ type, actor }: NoticeFilter): ActorFilter | undefined {
  if (actor === undefined)
    return type === undefined ? undefined : { type: checkActorType(type) }
  const { type: ofActor, id } = checkAddress(actor)
  if (type !== undefined && type !== ofActor)
    throw new CairnError(
      'invalid-option',
      `A subscription to notices has type ${type} and actor ${formatAddress(actor)}, which is of another type: give one of ` +
        'the two.',
      { details: { type, actor: formatAddress(actor) } },
    )
  return { type: ofActor, id }
}

export function isWanted(filter: ActorFilter | undefined, actor: ActorAddress): boolean {
  return (
    filter === undefined ||
    (actor.type === filter.type && (filter.id === undefined || actor.id === filter.id))
  )
}
