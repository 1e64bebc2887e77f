// Registered publishers and readers of topics.
//
// A node registers the actor types that it hosts before it serves them, so every type that has stored a message on a topic is
// registered. Readers need not know the definitions, and read only these types from the log.
// TOPIC-REGISTRY-1. One document has all publishers, so it is lost as a whole: without it, readers read all types until it
//     is made again from the log (rebuild-publishers.ts), and that is after all nodes have registered theirs again: a type
//     may not have published yet.
// TOPIC-REGISTRY-2. Older builds have a document for each topic instead. These are written and read as well.

import { decode, encode } from '../../codec/msgpack.js'
import { CairnError } from '../../model/errors.js'
import { TopicSelection } from '../../model/topic-selection.js'
import type { Document, Documents } from '../../store/documents/documents.js'
import { actorTypeOfTopic } from './event-topic.js'

/** Actor types by topic. */
export type Publishers = Readonly<Record<string, readonly string[]>>

const attemptsMax = 100
/** Topics that patterns match, beyond which the log is read without regard to types. */
const matchingMax = 32
/** TOPIC-REGISTRY-1. */
export const publishersKey: readonly string[] = ['publishers']

/**
 * The actor types that publish on any of the topics, or whose events are the topic; `undefined` if that is not known, or
 * too many topics are meant: every type may be among them.
 */
export async function publishingTypes(
  documents: Documents,
  topics: TopicSelection,
): Promise<string[] | undefined> {
  const types = new Set<string>()
  const published: string[] = []
  for (const topic of topics.names) {
    const type = actorTypeOfTopic(topic)
    if (type === undefined) published.push(topic)
    else types.add(type)
  }
  const hasPatterns = topics.patterns.length > 0
  if (published.length === 0 && !hasPatterns) return [...types]
  const typesOfOlderBuilds = async (topic: string) =>
    [topic, typesIn(await documents.get(topicKey(topic)))] as const
  const [publishers, ...read] = await Promise.all([
    readPublishers(documents),
    ...published.map(typesOfOlderBuilds),
  ])
  if (publishers === undefined) return undefined
  const ofOlderBuilds = new Map(read)
  if (hasPatterns) {
    const matching = new Set(Object.keys(publishers).filter(topic => topics.has(topic)))
    if (matching.size <= matchingMax)
      for (const topic of await topicsOfOlderBuilds(documents))
        if (topics.has(topic)) matching.add(topic)
    // A document for each of them would cost more than to read the log.
    if (matching.size > matchingMax) return undefined
    const left = [...matching].filter(topic => !ofOlderBuilds.has(topic))
    for (const [topic, older] of await Promise.all(left.map(typesOfOlderBuilds)))
      ofOlderBuilds.set(topic, older)
  }
  for (const [topic, older] of ofOlderBuilds) {
    if (older === undefined) return undefined
    for (const type of [...older, ...(publishers[topic] ?? [])]) types.add(type)
  }
  return [...types]
}

/** TOPIC-REGISTRY-2. */
async function topicsOfOlderBuilds(documents: Documents): Promise<string[]> {
  const keys = await documents.list(['topics'])
  return keys.map(([, ...names]) => names.join('.'))
}

/** All publishers; `undefined` if the document is missing or damaged (TOPIC-REGISTRY-1). */
export async function readPublishers(
  documents: Documents,
): Promise<Publishers | undefined> {
  return decodePublishers(await documents.get(publishersKey))
}

/** Whether the types are registered as publishers on the topics. */
export async function areRegistered(
  documents: Documents,
  publishers: Publishers,
): Promise<boolean> {
  const known = await readPublishers(documents)
  return Object.entries(publishers).every(([topic, types]) =>
    types.every(type => known?.[topic]?.includes(type)),
  )
}

/**
 * Adds an actor type to the publishers of a topic.
 *
 * @param isNew the namespace has no commits: without a document, nothing is lost
 */
export async function registerPublisher(
  documents: Documents,
  topic: string,
  type: string,
  isNew: () => Promise<boolean>,
): Promise<void> {
  await change(documents, topicKey(topic), found => {
    const types = typesIn(found) ?? []
    return types.includes(type)
      ? undefined
      : encode({ types: [...types, type].toSorted() })
  })
  await change(documents, publishersKey, async found => {
    const known = decodePublishers(found) ?? ((await isNew()) ? {} : undefined)
    return known && encodeWith(known, { [topic]: [type] })
  })
}

/**
 * Makes the document of a new namespace, with no publishers in it: otherwise it would seem lost, and the whole log would be read
 * for it (TOPIC-REGISTRY-1).
 *
 * @param isNew the namespace has no commits
 */
export async function beginPublishers(
  documents: Documents,
  isNew: () => Promise<boolean>,
): Promise<void> {
  await change(documents, publishersKey, async found =>
    found === undefined && (await isNew()) ? encodeWith({}, {}, true) : undefined,
  )
}

/** Stores all publishers that the log has, with those that are known (TOPIC-REGISTRY-1). */
export function storePublishers(
  documents: Documents,
  publishers: Publishers,
): Promise<void> {
  return change(documents, publishersKey, found => {
    const known = decodePublishers(found)
    return encodeWith(known ?? {}, publishers, known === undefined)
  })
}

/** The document with what is added; `undefined` if it has all of it. */
function encodeWith(
  known: Publishers,
  added: Publishers,
  isChanged = false,
): Uint8Array | undefined {
  const topics: Record<string, readonly string[]> = { ...known }
  for (const [topic, types] of Object.entries(added)) {
    const all = new Set([...(known[topic] ?? []), ...types])
    isChanged ||= all.size > (known[topic]?.length ?? 0)
    topics[topic] = [...all].toSorted()
  }
  return isChanged ? encode({ topics }) : undefined
}

/** Changes a document by compare-and-set; a change to `undefined` writes nothing. */
async function change(
  documents: Documents,
  key: readonly string[],
  next: (
    found: Document | undefined,
  ) => Promise<Uint8Array | undefined> | Uint8Array | undefined,
): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const found = await documents.get(key)
    const bytes = await next(found)
    if (bytes === undefined) return
    if ((await documents.put(key, bytes, found?.revision ?? 0)) !== 'conflict') return
  }
  throw new CairnError(
    'contention',
    `The publishers of topics could not be registered: other nodes changed document ${key.join('.')} ` +
      `${attemptsMax} times in a row. Start the node again.`,
  )
}

/** The topics and patterns of a reactor, as its nodes have registered them. */
export async function readerTopics(
  documents: Documents,
  reactor: string,
): Promise<readonly string[]> {
  const found = await documents.get(readerKey(reactor))
  return topicsIn(found) ?? []
}

/** Whether a node has registered the reactor before. */
export async function isKnownReader(
  documents: Documents,
  reactor: string,
): Promise<boolean> {
  return (await documents.get(readerKey(reactor))) !== undefined
}

/** Topics that a reactor reads now and did not read before, and the other way round. */
export interface ReaderChange {
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

/**
 * Registers the topics and patterns of a reactor, for operators: nodes know them from the definition. Resolves with the
 * difference from what was registered before.
 */
export async function registerReader(
  documents: Documents,
  reactor: string,
  topics: readonly string[],
): Promise<ReaderChange> {
  const selection = new TopicSelection(topics)
  const key = readerKey(reactor)
  const found = await documents.get(key)
  const known = topicsIn(found) ?? topics
  const change = {
    added: topics.filter(topic => !known.includes(topic)),
    // One that a pattern matches is still read.
    removed: known.filter(topic => !topics.includes(topic) && !selection.has(topic)),
  }
  const isUnchanged = change.added.length === 0 && change.removed.length === 0
  // A conflict is ignored: when two nodes start at the same time, either may be the last writer.
  if (topicsIn(found) === undefined || !isUnchanged)
    await documents.put(key, encode({ topics: topics.toSorted() }), found?.revision ?? 0)
  return change
}

function topicKey(topic: string): string[] {
  return ['topics', ...topic.split('.')]
}

function readerKey(reactor: string): string[] {
  return ['readers', reactor]
}

/** The types in the document of a topic: none without one, `undefined` if it is damaged. */
function typesIn(found: Document | undefined): readonly string[] | undefined {
  return found === undefined ? [] : namesIn(decodeDocument(found)?.types)
}

/** The topics in the document of a reactor; `undefined` without one, or if it is damaged. */
function topicsIn(found: Document | undefined): readonly string[] | undefined {
  return namesIn(decodeDocument(found)?.topics)
}

export function decodePublishers(found: Document | undefined): Publishers | undefined {
  const topics = decodeDocument(found)?.topics
  if (typeof topics !== 'object' || topics === null || Array.isArray(topics))
    return undefined
  const publishers: Record<string, readonly string[]> = {}
  for (const [topic, given] of Object.entries(topics)) {
    const types = namesIn(given)
    if (types === undefined) return undefined
    publishers[topic] = types
  }
  return publishers
}

/** Throws if a document of this registry is damaged. */
export function checkTopicDocument(
  value: Uint8Array,
  kind: 'types' | 'topics' | 'publishers',
): void {
  const found = { value, revision: 0 }
  const read = { types: typesIn, topics: topicsIn, publishers: decodePublishers }[kind]
  if (read(found) === undefined)
    throw new CairnError('storage-failed', 'It has not the form of such a document.')
}

function namesIn(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every(name => typeof name === 'string')
    ? value
    : undefined
}

function decodeDocument(
  found: Document | undefined,
): Readonly<Record<string, unknown>> | undefined {
  if (found === undefined) return undefined
  try {
    const decoded = decode(found.value)
    return typeof decoded === 'object' && decoded !== null
      ? (decoded as Record<string, unknown>)
      : undefined
  } catch {
    return undefined // It is no MessagePack: damaged.
  }
}
