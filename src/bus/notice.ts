// Notices: what everybody may know of a stored commit without reading it.

import { type CommitHeader, decodeHeaders } from '../codec/envelope.js'
import { type ActorAddress, formatAddress } from '../model/address.js'
import { eventId } from '../model/event.js'
import type { Position, Version } from '../model/version.js'

/** Version of the {@link EventStored} schema; it changes only if a field changes its meaning. */
export const eventStoredSchema = 1

/**
 * Says that one event has been stored. Sent by the store itself after the event is durable,
 * never on a conflict; one per event, in order per actor. Delivery is at most once: a
 * subscriber learns of possible losses through `onInterrupted`, and reads the log where it
 * must not miss anything.
 */
export interface EventStored {
  /** Always 1 in this version. */
  readonly schema: typeof eventStoredSchema
  readonly namespace: string
  readonly actor: ActorAddress
  /** `<type>/<id>`. */
  readonly actorId: string
  /** `<type>/<id>/<version>`: the event's stable id. */
  readonly eventId: string
  readonly eventType: string
  /** The event's version: the actor's at that moment. */
  readonly version: Version
  /** Position of its commit in the namespace's log. */
  readonly position: Position
  readonly commitId: string
  /** The node that wrote it. */
  readonly nodeId: string
  /** The writer's clock, ms since 1970. */
  readonly timestamp: number
  readonly commandId?: string
  readonly correlationId?: string
}

/** Says that one commit has been stored: what caches need, once for all its events. */
export interface CommitStored {
  readonly namespace: string
  readonly actor: ActorAddress
  readonly position: Position
  readonly header: CommitHeader
  /** Position of the actor's record before this one; 0 for none, absent where not known. */
  readonly previousPosition?: Position
}

/** One notice per event of the commit, in order. */
export function toEventStored({
  namespace,
  actor,
  position,
  header,
}: CommitStored): EventStored[] {
  const { commitId, nodeId, at, firstVersion, commandIds, correlationIds } = header
  return header.eventTypes.map((eventType, i) => {
    const { commandId = commandIds?.[i] } = header
    const correlationId = header.correlationId ?? (correlationIds?.[i] || undefined)
    return {
      schema: eventStoredSchema,
      namespace,
      actor,
      actorId: formatAddress(actor),
      eventId: eventId(actor, firstVersion + i),
      eventType,
      version: firstVersion + i,
      position,
      commitId,
      nodeId,
      timestamp: at,
      ...(commandId !== undefined && { commandId }),
      ...(correlationId !== undefined && { correlationId }),
    }
  })
}

/** A commit's notice from a record's headers; `undefined` when they are not a commit's. */
export function readCommitNotice(
  namespace: string,
  actor: ActorAddress,
  position: Position,
  header: (name: string) => string | undefined,
  previousPosition?: Position,
): CommitStored | undefined {
  const decoded = decodeHeaders(header)
  if (typeof decoded === 'string') return undefined
  return {
    namespace,
    actor,
    position,
    header: decoded,
    ...(previousPosition !== undefined && { previousPosition }),
  }
}
