// Which topics a reader reads: those of which it has handled a message. It then owes a handling of every one.

import type { Reader } from './handlings.js'
import type { Messages, StoredMessage } from './messages.js'

export function topicsOf({ handlings }: Reader, messages: Messages): Set<string> {
  const topics = new Set<string>()
  for (const id of handlings.keys())
    for (const { topic } of messages.withId(id)) topics.add(topic)
  return topics
}

export function messagesOf(reader: Reader, messages: Messages): StoredMessage[] {
  return [...topicsOf(reader, messages)].flatMap(topic => messages.on(topic))
}

/** A reactor tells its handlers whether a message may be repeated; only reactors keep an order. */
export function isReactor({ handlings }: Reader): boolean {
  for (const ofMessage of handlings.values())
    if (ofMessage.some(({ begun }) => begun.mayBeRepeat !== undefined)) return true
  return false
}
