// Finds the publishers of topics in the log, when the document that names them is lost (TOPIC-REGISTRY-1).

import type { EventStore } from '../../store/event-store/event-store.js'
import type { Publishers } from '../messages/topic-registry.js'

/** The actor types that have published a message on a topic, by topic. Reads the whole log. */
export async function publishersInLog(
  store: Pick<EventStore, 'readAll'>,
  signal: AbortSignal,
): Promise<Publishers> {
  const topics = new Map<string, Set<string>>()
  for await (const record of store.readAll({ signal })) {
    if (record.kind !== 'commit') continue
    for (const entry of record.outbox ?? []) {
      if (entry.kind !== 'message') continue
      const types = topics.get(entry.topic) ?? new Set()
      topics.set(entry.topic, types.add(record.actor.type))
    }
  }
  return Object.fromEntries([...topics].map(([topic, types]) => [topic, [...types]]))
}
