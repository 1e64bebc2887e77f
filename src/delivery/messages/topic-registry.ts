// Registered publishers and readers of topics: one small document for each topic and for each reactor.
//
// A node registers the actor types that it hosts before it serves them, so every type that has stored a
// message on a topic is registered. Readers need not know the definitions, and read only these types from the log.

import { decode, encode } from '../../codec/msgpack.js'
import { CairnError } from '../../model/errors.js'
import type { Documents } from '../../store/documents/documents.js'
import { actorTypeOfTopic } from './event-topic.js'

const attemptsMax = 100

/** The actor types that publish on any of the topics, or whose events are the topic. */
export async function publishingTypes(
  documents: Documents,
  topics: Iterable<string>,
): Promise<string[]> {
  const types = new Set<string>()
  for (const topic of topics) {
    const type = actorTypeOfTopic(topic)
    if (type !== undefined) {
      types.add(type)
      continue
    }
    const found = await documents.get(publishersKey(topic))
    if (found !== undefined)
      for (const publisher of decodeTypes(found.value)) types.add(publisher)
  }
  return [...types]
}

/** Adds an actor type to the publishers of a topic. */
export async function registerPublisher(
  documents: Documents,
  topic: string,
  type: string,
): Promise<void> {
  const key = publishersKey(topic)
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const found = await documents.get(key)
    const types = found === undefined ? [] : decodeTypes(found.value)
    if (types.includes(type)) return
    const bytes = encode({ types: [...types, type].toSorted() })
    if ((await documents.put(key, bytes, found?.revision ?? 0)) !== 'conflict') return
  }
  throw new CairnError(
    'contention',
    `Actor type ${type} could not be registered as a publisher on ${topic}: other nodes changed the ` +
      `document ${attemptsMax} times in a row. Start the node again.`,
  )
}

/** The topics of a reactor, as its nodes have registered them. */
export async function readerTopics(
  documents: Documents,
  reactor: string,
): Promise<string[]> {
  const found = await documents.get(readerKey(reactor))
  return found === undefined ? [] : decodeTopics(found.value)
}

/** Topics that a reactor reads now and did not read before, and the other way round. */
export interface ReaderChange {
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

/**
 * Registers the topics of a reactor, for operators: nodes know them from the definition. Resolves with the
 * difference from what was registered before.
 */
export async function registerReader(
  documents: Documents,
  reactor: string,
  topics: readonly string[],
): Promise<ReaderChange> {
  const key = readerKey(reactor)
  const found = await documents.get(key)
  const known = found === undefined ? topics : decodeTopics(found.value)
  const change = {
    added: topics.filter(topic => !known.includes(topic)),
    removed: known.filter(topic => !topics.includes(topic)),
  }
  const isUnchanged = change.added.length === 0 && change.removed.length === 0
  // A conflict is ignored: when two nodes start at the same time, either may be the last writer.
  if (found === undefined || !isUnchanged)
    await documents.put(key, encode({ topics: topics.toSorted() }), found?.revision ?? 0)
  return change
}

function publishersKey(topic: string): string[] {
  return ['topics', ...topic.split('.')]
}

function readerKey(reactor: string): string[] {
  return ['readers', reactor]
}

function decodeTypes(bytes: Uint8Array): string[] {
  const { types } = decode(bytes) as { types: string[] }
  return types
}

function decodeTopics(bytes: Uint8Array): string[] {
  const { topics } = decode(bytes) as { topics: string[] }
  return topics
}
