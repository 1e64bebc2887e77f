// Where a reader begins that wants only messages from its first declaration on: the ends that the log and the topics had then.
//
// START-PLACE-1. The place is stored before the reader reads, by compare-and-set, and never changed: all processes have the
//     same one, now and after a restart.
// START-PLACE-2. It is used only where the reader has no checkpoint. Without a place a reader begins with the first message.

import { decode, encode } from '../../codec/msgpack.js'
import { CairnError, isCairnError, messageOf } from '../../model/errors.js'
import { programs } from '../../model/programs.js'
import { show } from '../../model/show.js'
import type { StartAt } from '../../model/start-at.js'
import { isCount, type Position } from '../../model/version.js'
import type { Documents } from '../../store/documents/documents.js'
import type { EventStore } from '../../store/event-store/event-store.js'
import type { Queue } from '../../store/queue/queue.js'
import { commitIdAt } from './log-source.js'
import { decodeMarks, encodeMarks, type Marks } from './marks.js'
import { messageIdAt } from './topic-source.js'

/** Everything up to the position was stored before the reader was declared. */
export interface StartPlace {
  readonly position: Position
  readonly marks: Marks
}

export type StartPlaces = Readonly<Record<'log' | 'topics', StartPlace>>

export interface StartPorts {
  readonly documents: Documents
  readonly store: Pick<EventStore, 'lastPosition' | 'readAll'>
  readonly queues: { readonly topic: Pick<Queue, 'lastPosition' | 'read'> }
}

const beginning: StartPlace = { position: 0, marks: [] }
export const firstMessage: StartPlaces = { log: beginning, topics: beginning }

/** The first name of the keys of these documents. */
export const startsKey = 'starts'
const placesVersion = 1
const attemptsMax = 100

interface StoredPlaces {
  readonly version: number
  readonly log: StoredPlace
  readonly topics: StoredPlace
}

interface StoredPlace {
  readonly position: Position
  readonly marks?: ReturnType<typeof encodeMarks>
}

/**
 * The place of a reader; fixes it where there is none (START-PLACE-1).
 *
 * @param isNew whether the reader is new; one that is not has begun with the first message
 */
export async function fixStart(
  { documents, store, queues }: StartPorts,
  kind: 'reactor' | 'consumer',
  name: string,
  isNew: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<StartPlaces> {
  const key = [startsKey, kind, name]
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const found = await documents.get(key)
    if (found !== undefined) return decodeOrFirst(found.value, name)
    const places = (await isNew())
      ? await endsOf(store, queues.topic, signal)
      : firstMessage
    try {
      const put = await documents.put(key, encodePlaces(places), 0)
      if (put !== 'conflict') return places
    } catch (error) {
      // It is read again: it may have been stored.
      if (!isCairnError(error, 'outcome-unknown')) throw error
    }
  }
  throw new CairnError(
    'contention',
    `Where ${kind} ${name} begins could not be stored: document ${key.join('.')} was changed ${attemptsMax} times in a row. ` +
      'Try again.',
  )
}

/** Where a consumer begins that has no document. */
export async function consumerStart(
  ports: StartPorts,
  name: string,
  startAt: StartAt | undefined,
  signal: AbortSignal,
): Promise<StartPlaces> {
  if (startAt !== 'new') return firstMessage
  // Its document may be lost: the place tells then.
  return fixStart(ports, 'consumer', name, async () => true, signal)
}

/** The stored place of a reader; the first message if there is none. */
export async function readStart(
  documents: Documents,
  kind: 'reactor' | 'consumer',
  name: string,
): Promise<StartPlaces> {
  const found = await documents.get([startsKey, kind, name])
  return found === undefined ? firstMessage : decodeOrFirst(found.value, name)
}

async function endsOf(
  store: StartPorts['store'],
  topics: StartPorts['queues']['topic'],
  signal: AbortSignal,
): Promise<StartPlaces> {
  const [log, published] = await Promise.all([
    store.lastPosition({ signal }),
    topics.lastPosition({ signal }),
  ])
  const place = (position: Position, id: string | undefined): StartPlace => ({
    position,
    marks: id === undefined ? [] : [{ position, id }],
  })
  return {
    log: place(log, log > 0 ? await commitIdAt(store, log, signal) : undefined),
    topics: place(
      published,
      published > 0 ? await messageIdAt(topics, published, signal) : undefined,
    ),
  }
}

function encodePlaces({ log, topics }: StartPlaces): Uint8Array {
  const stored = ({ position, marks }: StartPlace): StoredPlace =>
    marks.length === 0 ? { position } : { position, marks: encodeMarks(marks) }
  const places: StoredPlaces = {
    version: placesVersion,
    log: stored(log),
    topics: stored(topics),
  }
  return encode(places)
}

/** Throws `storage-failed` for a document that is damaged or was written by a newer build. */
export function decodeStart(bytes: Uint8Array, name: string): StartPlaces {
  let stored: Partial<StoredPlaces> | null
  try {
    stored = decode(bytes) as typeof stored
  } catch (error) {
    throw unreadable(name, messageOf(error))
  }
  const version: unknown = stored?.version
  if (version !== placesVersion)
    throw unreadable(
      name,
      `its version is ${show(version)}`,
      isCount(version) && version > placesVersion,
    )
  const { log, topics } = stored!
  if (!isCount(log?.position) || !isCount(topics?.position))
    throw unreadable(name, 'it is incomplete')
  const place = ({ position, marks }: StoredPlace): StartPlace => ({
    position,
    marks: decodeMarks(marks),
  })
  return { log: place(log), topics: place(topics) }
}

/** What is damaged leaves nothing out (START-PLACE-2). */
function decodeOrFirst(bytes: Uint8Array, name: string): StartPlaces {
  try {
    return decodeStart(bytes, name)
  } catch (error) {
    if (isCairnError(error) && error.details.isDamaged === true) return firstMessage
    throw error
  }
}

function unreadable(name: string, why: string, isNewer = false): CairnError {
  const remedy = isNewer
    ? 'Upgrade this node.'
    : `Where there is no checkpoint, reading begins with the first message. Remove the document with "${programs.cairn} repair".`
  return new CairnError(
    'storage-failed',
    `The document of where ${name} begins cannot be read: ${why}. ${remedy}`,
    { details: { document: name, isDamaged: !isNewer } },
  )
}
