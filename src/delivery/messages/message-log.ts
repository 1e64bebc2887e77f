// The log as readers of topics see it: the messages that actors have published with their commits,
// and the events of actor types.

import type { Documents } from '../../store/documents/documents.js'
import type { Delivery } from '../group/delivery.js'
import { eventsTopic } from './events-of.js'
import { logSource, type LogSourceOptions } from '../group/log-source.js'
import { messagesOf } from './message.js'
import type { GroupSource, Unreadable } from '../group/source.js'
import { typesOf } from './topic-registry.js'

export interface MessageLogOptions extends Pick<
  LogSourceOptions<Delivery>,
  'store' | 'bus' | 'partitions' | 'log'
> {
  readonly documents: Documents
  /** Names of topics. */
  readonly topics: ReadonlySet<string>
}

export function messageLog(
  options: MessageLogOptions,
): GroupSource<Delivery | Unreadable> {
  const { topics, documents, ...rest } = options
  return logSource<Delivery>({
    ...rest,
    wants: ({ outboxTargets = [] }, actor) =>
      topics.has(eventsTopic(actor.type)) ||
      outboxTargets.some(topic => topics.has(topic)),
    pick: commit => {
      const messages = messagesOf(commit, topics)
      if (messages.length === 0) return undefined
      return { kind: 'delivery', messages, source: 'log', redrives: 0 }
    },
    types: () => typesOf(documents, topics),
  })
}
