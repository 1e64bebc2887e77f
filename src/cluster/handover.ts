// Handing over: before a node leaves, the next owners read the actors that it has in memory. Their first commands there
// need no read then, so callers hardly notice that the node leaves.
//
// HANDOVER-1. It only saves reads, and decides nothing: the node still owns its actors, and the store checks each commit.
//     What it stores meanwhile reaches the next owners as notices.
// HANDOVER-2. It is bounded: at most `actorsMax` actors, those that were used last, and `timeout` ms. A node that does not
//     answer, or does not know this request, delays the leaving by that time at most.

import { type ActorAddress, isReservedType } from '../model/address.js'
import { type Transport, warmActorsMax } from './transport.js'

/** HANDOVER-2. */
export const handoverActorsMax = 5_000

export interface Handover {
  readonly transport: Pick<Transport, 'request'>
  /** The most recently used first. */
  readonly actors: readonly ActorAddress[]
  /** The node that owns an actor when this one has left. */
  readonly nextOwner: (actor: ActorAddress) => { readonly id: string } | undefined
  /** Milliseconds. */
  readonly timeout: number
}

/** Resolves when the next owners have read the actors, or when the time is over. Returns how many were read. */
export async function handOver(handover: Handover): Promise<number> {
  const { transport, actors, nextOwner, timeout } = handover
  const byOwner = new Map<string, ActorAddress[]>()
  for (const actor of actors) {
    const owner = isReservedType(actor.type) ? undefined : nextOwner(actor)?.id
    if (owner === undefined) continue
    const own = byOwner.get(owner)
    if (own === undefined) byOwner.set(owner, [actor])
    else own.push(actor)
  }
  const requests: Promise<unknown>[] = []
  for (const [to, own] of byOwner)
    for (let i = 0; i < own.length; i += warmActorsMax) {
      const some = own.slice(i, i + warmActorsMax)
      const request = { kind: 'warm', actor: some[0]!, actors: some } as const
      requests.push(transport.request(request, { to, timeout }))
    }
  let read = 0
  for (const result of await Promise.allSettled(requests))
    if (result.status === 'fulfilled') read += Number(result.value)
  return read
}
