// P7: every message is handled at least once or is a dead letter, and handlers are given no message that is not stored.

import { effectsOf } from './handlings.js'
import type { Indexed } from './history-index.js'
import { isOk } from './operations.js'
import { messagesOf, topicsOf } from './subscriptions.js'
import type { Violation } from './violation.js'

export function* handled(history: Indexed): Iterable<Violation> {
  const { isHealed, readers, messages, dead } = history
  if (!isHealed) return
  for (const reader of readers) {
    const { name, handlings } = reader
    const given = new Set(
      dead.filter(({ by }) => isBy(by, name)).map(({ message }) => message),
    )
    for (const { id, topic, position, line } of messagesOf(reader, messages)) {
      const ofMessage = handlings.get(id) ?? []
      if (given.has(id) || ofMessage.some(({ done }) => done !== undefined)) continue
      // What a handler fails for good is checked with the dead letters.
      if (ofMessage.some(({ begun }) => begun.terminal === true)) continue
      yield {
        check: 'handled',
        text: `${name} has not handled message ${id} of ${topic} at position ${position}.`,
        evidence: [line, ...effectsOf(ofMessage)],
      }
    }
  }
  yield* unread(history)
}

/** The dead letters of a consumer name it with a prefix. */
export function isBy(by: string, reader: string): boolean {
  return by === reader || by === `consumer:${reader}`
}

/** A topic that is published on for reactors has some. */
function* unread({ operations, readers, messages }: Indexed): Iterable<Violation> {
  const read = new Set(readers.flatMap(reader => [...topicsOf(reader, messages)]))
  const published = new Set<string>()
  for (const operation of operations) {
    const { invoked } = operation
    const { call, workload, id } = invoked
    if (call !== 'publish' || workload !== 'topic' || id === undefined) continue
    if (isOk(operation)) for (const { topic } of messages.withId(id)) published.add(topic)
  }
  for (const topic of published)
    if (!read.has(topic))
      yield {
        check: 'handled',
        text: `No handler was given any message of ${topic}.`,
        evidence: messages
          .on(topic)
          .slice(0, 1)
          .map(({ line }) => line),
      }
}

export function* phantoms({ readers, messages }: Indexed): Iterable<Violation> {
  for (const { name, handlings } of readers)
    for (const [id, ofMessage] of handlings) {
      const stored = messages.withId(id)
      for (const handling of ofMessage) {
        const { position, redrives = 0 } = handling.begun
        // A message that is sent again keeps its id, and has another position.
        if (stored.some(message => redrives > 0 || message.position === position))
          continue
        yield {
          check: 'phantoms',
          text:
            `${name} was given message ${id} of position ${position}, and ` +
            (stored.length === 0
              ? 'no such message is stored.'
              : 'it is stored elsewhere.'),
          evidence: [...effectsOf([handling]), ...stored.map(({ line }) => line)],
        }
      }
    }
}
