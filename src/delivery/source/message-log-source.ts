// Reads the messages of topics from the log: those that actors published with their commits, and the
// events of actor types.

import type { TopicSelection } from '../../model/topic-selection.js'
import type { Documents } from '../../store/documents/documents.js'
import { eventTopicName } from '../messages/event-topic.js'
import { messagesOf } from '../messages/message.js'
import type { MessageBatch } from '../messages/message-batch.js'
import { publishingTypes } from '../messages/topic-registry.js'
import { logSource, type LogSourceOptions } from './log-source.js'
import type { RecordSource, UnreadableRecord } from './record-source.js'

export interface MessageLogSourceOptions extends Pick<
  LogSourceOptions<MessageBatch>,
  'store' | 'bus' | 'partitions' | 'log'
> {
  readonly documents: Documents
  readonly topics: TopicSelection
}

export function messageLogSource(
  options: MessageLogSourceOptions,
): RecordSource<MessageBatch | UnreadableRecord> {
  const { topics, documents, ...rest } = options
  return logSource<MessageBatch>({
    ...rest,
    matches: ({ outboxTargets = [] }, actor) =>
      topics.has(eventTopicName(actor.type)) ||
      outboxTargets.some(topic => topics.has(topic)),
    select: commit => {
      const messages = messagesOf(commit, topics)
      if (messages.length === 0) return undefined
      return { kind: 'messages', messages, source: 'log', redrives: 0 }
    },
    types: () => publishingTypes(documents, topics),
  })
}
