// The messages of a namespace: published by commits, published by clients, and the events of actors, which reactors can
// read as messages, too.

import type { CommitLine, MessageLine } from './timeline.js'

export interface StoredMessage {
  readonly id: string
  readonly topic: string
  readonly data: unknown
  /** Positions of the log and of the topics cannot be compared. */
  readonly source: 'log' | 'topics'
  readonly position: number
  /** Within its commit: first the events, then what the outbox publishes. */
  readonly index: number
  readonly line: CommitLine | MessageLine
}

const eventTopicPrefix = 'cairn-events.'

/** The topic of the events of an actor type. */
export function eventTopicOf(type: string): string {
  return `${eventTopicPrefix}${type}`
}

export function isEventTopic(topic: string): boolean {
  return topic.startsWith(eventTopicPrefix)
}

export class Messages {
  readonly #byTopic = new Map<string, StoredMessage[]>()
  readonly #byId = new Map<string, StoredMessage[]>()

  constructor(commits: Iterable<CommitLine>, lines: Iterable<MessageLine>) {
    for (const line of commits)
      for (const message of [...eventsOf(line), ...publishedBy(line)]) this.#add(message)
    for (const line of lines) {
      const { id, topic, data, position } = line
      this.#add({ id, topic, data, source: 'topics', position, index: 0, line })
    }
  }

  get topics(): IterableIterator<string> {
    return this.#byTopic.keys()
  }

  on(topic: string): readonly StoredMessage[] {
    return this.#byTopic.get(topic) ?? []
  }

  /** Several if a client published again after the store had forgotten the id. */
  withId(id: string): readonly StoredMessage[] {
    return this.#byId.get(id) ?? []
  }

  #add(message: StoredMessage): void {
    put(this.#byTopic, message.topic, message)
    put(this.#byId, message.id, message)
  }
}

export function put<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}

function eventsOf(line: CommitLine): StoredMessage[] {
  const { actor, position, events } = line
  const topic = eventTopicOf(actor.slice(0, actor.indexOf('/')))
  return events.map((event, index) => ({
    id: `${actor}/${event.version}`,
    topic,
    data: event,
    source: 'log',
    position,
    index,
    line,
  }))
}

function publishedBy(line: CommitLine): StoredMessage[] {
  const { position, events, outbox = [] } = line
  return outbox.flatMap(({ kind, to, id, data }, i): StoredMessage[] => {
    const index = events.length + i
    return kind === 'message'
      ? [{ id, topic: to, data, source: 'log', position, index, line }]
      : []
  })
}
