// Messages as their readers receive them, whether an actor or other code published them.

import type { ActorAddress } from '../../model/address.js'
import { correlationOf, carriedCauses } from '../../model/causes.js'
import { type Causes, originAt, type StoredCommit } from '../../model/commit.js'
import type { RecordedEvent } from '../../model/event.js'
import type { KeptHeaders } from '../../model/kept-headers.js'
import { outboxEntryId } from '../../model/outbox.js'
import type { TopicSelection } from '../../model/topic-selection.js'
import type { Position } from '../../model/version.js'
import { eventTopicName } from './event-topic.js'

export interface Message<Data = unknown> extends Causes, KeptHeaders {
  /** The same in every delivery, retry and replay. */
  readonly id: string
  readonly topic: string
  /** Version of the schema that the message was published with. */
  readonly version: number
  readonly data: Data
  /** Time of publishing by the publisher's clock, ms since 1970. */
  readonly at: number
  /** Position in the log for an actor's message, among the messages of topics for others. */
  readonly position: Position
  /** A position that the log had reached when other code published it; absent for an actor's message. */
  readonly logPosition?: Position
  /** The node that published it. */
  readonly nodeId: string
  /** The actor that published it; absent for other code. */
  readonly actor?: ActorAddress
  /** The headers that it was published with; absent if there are none. */
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * The messages of a commit on some topics, in order: first its events, when the topic of the actor type's
 * events is among them, then the messages of its outbox.
 */
export function messagesOf(
  commit: StoredCommit,
  topics: TopicSelection,
): readonly Message[] {
  const topic = eventTopicName(commit.actor.type)
  const events = topics.has(topic) ? commit.events : []
  return [
    ...events.map(event => eventMessage(topic, event, commit)),
    ...outboxMessages(commit, topics),
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
    ...carriedCauses(originAt(commit, event.version).causes),
  }
}

function outboxMessages(
  commit: StoredCommit,
  topics: TopicSelection,
): readonly Message[] {
  if (commit.outbox === undefined) return []
  const { actor, firstVersion, at, position, nodeId, command } = commit
  const cause = command?.id ?? commit.id
  return commit.outbox.flatMap((entry, i) =>
    entry.kind === 'message' && topics.has(entry.topic)
      ? [
          {
            id: outboxEntryId(actor, firstVersion, i),
            topic: entry.topic,
            version: entry.version,
            data: entry.data,
            at,
            position,
            nodeId,
            actor,
            correlationId: correlationOf(commit.correlationId, command?.id, commit.id),
            causationId: cause,
            ...carriedCauses(commit),
            ...(entry.headers && { headers: entry.headers }),
          },
        ]
      : [],
  )
}
