// Carries events out on a state, as the host does, and records them, as a store does.

import { decode, encode } from '../../src/codec/msgpack.js'
import { decide } from '../../src/actor/decide.js'
import { foldTentatively } from '../../src/actor/tentative.js'
import type { AnyActorDefinition } from '../../src/actor/definition.js'
import type { Behavior } from '../../src/model/behavior.js'
import { eventId, type NewEvent, type RecordedEvent } from '../../src/model/event.js'
import type { Incoming } from './machines.js'

export const actor = (type: string) => ({ type, id: 'one' })

export function recorded(type: string, event: NewEvent, version: number): RecordedEvent {
  return {
    kind: 'event',
    id: eventId(actor(type), version),
    actor: actor(type),
    type: event.type,
    // As it comes back from the store.
    data: decode(encode(event.data)),
    metadata: event.metadata ?? {},
    version,
    position: version,
    commitId: `c-${version}`,
    at: 1,
    nodeId: 'n',
  }
}

/** XState's own time stands still: which delays are over is drawn. */
export const still = { setTimeout: () => 0, clearTimeout() {} }

/** One more event for a state, as the host does it. */
export function carryOut(
  definition: AnyActorDefinition,
  state: unknown,
  version: number,
  event: Incoming,
) {
  const { type, timer, ...data } = event
  const to = actor(definition.type)
  const command = {
    id: `${version}`,
    type,
    data: Object.keys(data).length > 0 ? data : undefined,
  }
  const at = { state, version, position: version, inlineStateVersion: 0 }
  const firing = { name: timer as string, generation: 1 }
  const decision = decide(
    definition,
    to,
    at,
    command,
    1,
    timer === undefined ? undefined : firing,
  )
  if (!decision.ok) return undefined
  const events = { list: decision.events, at: 1, nodeId: 'n' }
  const folding = { actor: to, behavior: definition.behavior as Behavior }
  return { events: decision.events, state: foldTentatively(folding, at, command, events) }
}
