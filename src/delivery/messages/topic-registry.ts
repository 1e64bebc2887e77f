// Which actor types publish on a topic: a small document a topic, so that readers need not know
// the definitions, and read no more of the log than theirs.
//
// A node registers what it hosts before it serves: whoever has stored a message is registered.
// Beside it, the topics of each reactor.

import { decode, encode } from '../../codec/msgpack.js'
import type { Documents } from '../../store/documents/documents.js'
import { CairnError } from '../../model/errors.js'
import { typeOfEvents } from './events-of.js'

const attemptsMax = 100

/** The types that publish on any of the topics, or whose events they have. */
export async function typesOf(
  documents: Documents,
  topics: Iterable<string>,
): Promise<string[]> {
  const types = new Set<string>()
  for (const topic of topics) {
    const type = typeOfEvents(topic)
    if (type !== undefined) {
      types.add(type)
      continue
    }
    const found = await documents.get(keyOf(topic))
    if (found !== undefined) for (const type of read(found.value)) types.add(type)
  }
  return [...types]
}

/** Adds a type to those that publish on a topic. */
export async function registerPublisher(
  documents: Documents,
  topic: string,
  type: string,
): Promise<void> {
  const key = keyOf(topic)
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const found = await documents.get(key)
    const types = found === undefined ? [] : read(found.value)
    if (types.includes(type)) return
    const bytes = encode({ types: [...types, type].toSorted() })
    if ((await documents.put(key, bytes, found?.revision ?? 0)) !== 'conflict') return
  }
  throw new CairnError(
    'contention',
    `Type ${type} could not be registered as a publisher on ${topic}: others were faster ` +
      `${attemptsMax} times in a row. Start the node again.`,
  )
}

/** The topics that a reactor reads, as its nodes have written them down. */
export async function topicsOf(documents: Documents, reactor: string): Promise<string[]> {
  const found = await documents.get(['readers', reactor])
  return found === undefined ? [] : (decode(found.value) as { topics: string[] }).topics
}

/** What a reactor reads that it did not read before, and what no longer. */
export interface ReaderChange {
  readonly added: readonly string[]
  readonly gone: readonly string[]
}

/**
 * Writes down what a reactor reads, for people who look, since nodes know it themselves. Resolves with
 * what differs from what nodes have read in its name before.
 */
export async function registerReader(
  documents: Documents,
  reactor: string,
  topics: readonly string[],
): Promise<ReaderChange> {
  const key = ['readers', reactor]
  const found = await documents.get(key)
  const known =
    found === undefined ? topics : (decode(found.value) as { topics: string[] }).topics
  const change = {
    added: topics.filter(topic => !known.includes(topic)),
    gone: known.filter(topic => !topics.includes(topic)),
  }
  const isAsBefore = change.added.length === 0 && change.gone.length === 0
  // Of two nodes that start at once one is the last, whichever it is.
  if (found === undefined || !isAsBefore)
    await documents.put(key, encode({ topics: topics.toSorted() }), found?.revision ?? 0)
  return change
}

function keyOf(topic: string): string[] {
  return ['topics', ...topic.split('.')]
}

function read(bytes: Uint8Array): string[] {
  const { types } = decode(bytes) as { types: string[] }
  return types
}
