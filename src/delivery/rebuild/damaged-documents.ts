// Finds the documents of a namespace that cannot be read.

import { isCairnError, messageOf } from '../../model/errors.js'
import type { DocumentKey, Documents } from '../../store/documents/documents.js'
import { courierGroup } from '../commands/courier.js'
import { dueTimersGroup } from '../commands/due-timers.js'
import { inboxGroup } from '../commands/inbox.js'
import { decodeConsumerState } from '../consumer/consumer-state.js'
import { decodePartitionState } from '../group/partition-state.js'
import { decodeStart, startsKey } from '../source/start-place.js'
import { checkTopicDocument, publishersKey } from '../messages/topic-registry.js'

/** Throws if the document cannot be read. */
export type DocumentCheck = (value: Uint8Array, name: string) => void

export interface DamagedDocument {
  readonly key: DocumentKey
  readonly revision: number
  readonly reason: string
  /** A newer build has written it: it is not damaged. */
  readonly isNewer: boolean
}

/** By the first name of their keys. */
const checks: Readonly<Record<string, DocumentCheck>> = {
  [courierGroup]: decodePartitionState,
  [inboxGroup]: decodePartitionState,
  [dueTimersGroup]: decodePartitionState,
  reactor: decodePartitionState,
  consumer: (value, name) =>
    decodeConsumerState(value, name.slice(name.indexOf('.') + 1)),
  topics: value => checkTopicDocument(value, 'types'),
  [startsKey]: (value, name) => void decodeStart(value, name),
  readers: value => checkTopicDocument(value, 'topics'),
  [publishersKey[0]!]: value => checkTopicDocument(value, 'publishers'),
}

/** @param others checks of documents that other layers own, by the first name of their keys */
export async function* damagedDocuments(
  documents: Documents,
  others: Readonly<Record<string, DocumentCheck>>,
  signal: AbortSignal,
): AsyncGenerator<DamagedDocument> {
  for (const [prefix, check] of Object.entries({ ...checks, ...others }))
    for (const key of [[prefix], ...(await documents.list([prefix], { signal }))]) {
      const damaged = await damageOf(documents, key, check)
      if (damaged !== undefined) yield damaged
    }
}

async function damageOf(
  documents: Documents,
  key: DocumentKey,
  check: DocumentCheck,
): Promise<DamagedDocument | undefined> {
  const found = await documents.get(key)
  if (found === undefined) return undefined
  try {
    check(found.value, key.join('.'))
    return undefined
  } catch (error) {
    const isNewer = isCairnError(error) && error.details.isDamaged === false
    const { revision } = found
    return { key, revision, reason: messageOf(error), isNewer }
  }
}
