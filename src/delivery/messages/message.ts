// Messages as their readers get them, whoever published them.

import type { ActorAddress } from '../../model/address.js'
import { correlationOf, validTraceparent } from '../../model/causes.js'
import type { Causes, StoredCommit } from '../../model/commit.js'
import type { RecordedEvent } from '../../model/event.js'
import { outboxEntryId } from '../../model/outbox.js'
import type { Position } from '../../model/version.js'
import { eventsTopic } from './events-of.js'

export interface Message<Data = unknown> extends Causes {
  /** The same in every delivery, retry and replay. */
  readonly id: string
  readonly topic: string
  /** Of the schema that it was published with. */
  readonly version: number
  readonly data: Data
  /** The publisher's clock, ms since 1970. */
  readonly at: number
  /** Where it is stored: in the log for an actor's message, among the topics' for another. */
  readonly position: Position
  /** The node it was published by. */
  readonly nodeId: string
  /** The actor that published it, if one did. */
  readonly actor?: ActorAddress
}

/**
 * The messages of a commit on some topics, in order: first its events, where one of them is that of its actor
 * type's events, and then what it says.
 */
export function messagesOf(
  commit: StoredCommit,
  topics: ReadonlySet<string>,
): readonly Message[] {
  const topic = eventsTopic(commit.actor.type)
  const events = topics.has(topic) ? commit.events : []
  return [
    ...events.map(event => eventMessage(topic, event, commit)),
    ...messageOf(commit, topics),
  ]
}

function eventMessage(
  topic: string,
  event: RecordedEvent,
  commit: StoredCommit,
): Message {
  const { id, at, position, nodeId, actor, commandId, commitId, correlationId } = event
  return {
    id,
    topic,
    version: 1,
    data: event,
    at,
    position,
    nodeId,
    actor,
    correlationId: correlationOf(correlationId, commandId, commitId),
    causationId: commandId ?? commitId,
    ...validTraceparent(commit),
  }
}

function messageOf(
  commit: StoredCommit,
  topics: ReadonlySet<string>,
): readonly Message[] {
  if (commit.outbox === undefined) return []
  const { actor, firstVersion, at, position, nodeId, command } = commit
  const cause = command?.id ?? commit.id
  return commit.outbox.flatMap((said, i) =>
    said.kind === 'message' && topics.has(said.topic)
      ? [
          {
            id: outboxEntryId(actor, firstVersion, i),
            topic: said.topic,
            version: said.version,
            data: said.data,
            at,
            position,
            nodeId,
            actor,
            correlationId: correlationOf(commit.correlationId, command?.id, commit.id),
            causationId: cause,
            ...validTraceparent(commit),
          },
        ]
      : [],
  )
}
