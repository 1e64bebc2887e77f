// Notices: the part of a stored commit that is published to all subscribers.

import { decodeHeaders } from '../codec/commit-headers.js'
import { type ActorAddress, formatAddress } from '../model/address.js'
import type { CommitHeader } from '../model/commit.js'
import { eventId } from '../model/event.js'
import type { Position, Version } from '../model/version.js'

/** Version of the {@link EventStored} schema. It changes only if the meaning of a field changes. */
export const eventStoredSchema = 1

/**
 * Notice that one event has been stored. The store sends it after the event is durable,
 * never on a conflict; one per event, in order per actor. Delivery is at most once: `onInterrupted`
 * reports possible losses, and a subscriber that must not miss anything reads the log.
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
  /** The event's version. */
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

/** Notice that one commit has been stored. */
export interface CommitStored {
  readonly namespace: string
  readonly actor: ActorAddress
  readonly position: Position
  readonly header: CommitHeader
  /** Position of the actor's previous record; 0 for none, absent if not known. */
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

/** Reads a commit's notice from a record's headers; `undefined` if they are not the headers of a commit. */
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
