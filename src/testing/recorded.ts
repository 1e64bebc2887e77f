// Given events as a store would return them.

import { detach } from '../actor/detach.js'
import type { ActorAddress } from '../model/address.js'
import type { Behavior } from '../model/behavior.js'
import {
  checkNewEvent,
  eventId,
  type NewEvent,
  type RecordedEvent,
} from '../model/event.js'
import type { Position, Version } from '../model/version.js'

/** Where an event stands, and when it was decided. Each is a commit of its own. */
interface Place {
  readonly version: Version
  readonly position: Position
  /** ms since 1970. */
  readonly at: number
}

/** Throws `invalid-event` or `invalid-data`. */
export function recorded(
  actor: ActorAddress,
  behavior: Pick<Behavior, 'schemaVersionOf'>,
  event: NewEvent,
  { version, position, at }: Place,
): RecordedEvent {
  checkNewEvent(event)
  return {
    kind: 'event',
    id: eventId(actor, version),
    actor,
    type: event.type,
    data: detach(event.data, `data of event "${event.type}"`),
    metadata: event.metadata ?? {},
    schemaVersion: event.schemaVersion ?? behavior.schemaVersionOf?.(event.type) ?? 1,
    version,
    position,
    commitId: `commit-${position}`,
    at,
    nodeId: 'given',
  }
}
