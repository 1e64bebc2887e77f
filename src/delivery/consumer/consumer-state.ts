// The state of a consumer: its positions in the sources, and the messages that are not settled. It is one
// small document, changed by compare-and-set.
//
// CONSUMER-STATE-1. Every message up to a source's position is settled, or is outstanding here.
// CONSUMER-STATE-2. A lease is identified by a random token. It is stored before the message is given out, and is
//     invalid after the message is settled or given out again.

import { decode, encode } from '../../codec/msgpack.js'
import { CairnError, isCairnError, messageOf } from '../../model/errors.js'
import { show } from '../../model/show.js'
import { newId } from '../../model/id.js'
import { programs } from '../../model/programs.js'
import { hasWildcard } from '../../model/topic-selection.js'
import { isCount, type Position } from '../../model/version.js'
import { decodeMarks, encodeMarks, type Marks, marksUpTo } from '../source/marks.js'
import type { StartPlaces } from '../source/start-place.js'
import type { ConsumerDefinition } from './define-consumer.js'

export type ConsumerSource = 'log' | 'topics'

/** The positions up to which the sources were read. */
export type ConsumerPositions = Readonly<Record<ConsumerSource, Position>>

export type ConsumerMarks = Readonly<Record<ConsumerSource, Marks>>

/** A message that is not settled. */
export interface OutstandingMessage {
  readonly source: ConsumerSource
  readonly position: Position
  /** Index among the messages at that position. */
  readonly index: number
  /** Its key in the source. */
  readonly key: string
  /** How often it was sent again from its dead letter. */
  readonly redrives: number
  /** How often it was given out. */
  readonly attempts: number
  /** Time of the first lease, and end of the present one, ms since 1970. */
  readonly firstAt: number
  readonly until: number
  /** CONSUMER-STATE-2. Empty while the message waits to be given out again. */
  readonly nonce: string
}

export interface ConsumerState {
  readonly version: number
  readonly definition: ConsumerDefinition
  readonly positions: ConsumerPositions
  readonly outstanding: readonly OutstandingMessage[]
  /** What the sources held when they were read up to the positions; none in documents of older builds. */
  readonly marks: ConsumerMarks
  /** Fields of a newer build, which are kept as they are. */
  readonly unknown?: Readonly<Record<string, unknown>>
}

/** The stored form, which is part of the wire contract: it keeps its own keys. */
interface StoredState {
  readonly version: number
  readonly definition: ConsumerDefinition
  readonly places: ConsumerPositions
  readonly held: readonly OutstandingMessage[]
  readonly marks?: Readonly<Record<ConsumerSource, ReturnType<typeof encodeMarks>>>
}

const stateVersion = 1
/** With patterns: a build that took them for names would leave messages out. */
const patternsVersion = 2

/** The state of a consumer that has read nothing after the places where it begins. */
export function initialConsumerState(
  definition: ConsumerDefinition,
  { log, topics }: StartPlaces,
): ConsumerState {
  return {
    version: versionOf(definition),
    definition,
    positions: { log: log.position, topics: topics.position },
    outstanding: [],
    marks: { log: log.marks, topics: topics.marks },
  }
}

function versionOf({ topics }: ConsumerDefinition): number {
  return topics.some(hasWildcard) ? patternsVersion : stateVersion
}

export function encodeConsumerState(state: ConsumerState): Uint8Array {
  const { definition, positions, outstanding, marks } = state
  const stored: StoredState = {
    ...state.unknown,
    version: versionOf(definition),
    definition,
    places: positions,
    held: outstanding,
    ...(marks.log.length + marks.topics.length > 0 && {
      marks: { log: encodeMarks(marks.log), topics: encodeMarks(marks.topics) },
    }),
  }
  return encode(stored)
}

/** Throws `storage-failed` for a document that is damaged or was written by a newer build. */
export function decodeConsumerState(bytes: Uint8Array, name: string): ConsumerState {
  let stored: Partial<StoredState> | null
  try {
    stored = decode(bytes) as typeof stored
  } catch (error) {
    throw unreadable(name, messageOf(error))
  }
  const found: unknown = stored?.version
  if (found === stateVersion || found === patternsVersion) {
    if (!isComplete(stored)) throw unreadable(name, 'it is incomplete')
    const { version, definition, places, held, marks, ...unknown } = stored
    return {
      version,
      definition,
      positions: places,
      outstanding: held,
      marks: { log: decodeMarks(marks?.log), topics: decodeMarks(marks?.topics) },
      ...(Object.keys(unknown).length > 0 && { unknown }),
    }
  }
  const isNewer = isCount(found) && found > patternsVersion
  throw unreadable(name, `its version is ${show(found)}`, isNewer)
}

function isComplete(stored: Partial<StoredState> | null): stored is StoredState {
  const { definition, places, held } = stored ?? {}
  return (
    Array.isArray(definition?.topics) &&
    isCount(places?.log) &&
    isCount(places.topics) &&
    Array.isArray(held) &&
    held.every(one => isCount(one?.position) && typeof one.nonce === 'string')
  )
}

/** Whether reading a state failed because it is damaged, and not because a newer build has written it. */
export function isDamagedState(error: unknown): boolean {
  return isCairnError(error, 'storage-failed') && error.details.isDamaged === true
}

function unreadable(name: string, why: string, isNewer = false): CairnError {
  const remedy = isNewer
    ? 'Upgrade this node.'
    : `Pass its definition, which starts it again from where it began, or remove the document with "${programs.cairn} repair".`
  return new CairnError(
    'storage-failed',
    `The document of consumer ${name} cannot be read: ${why}. ${remedy}`,
    { details: { consumer: name, isDamaged: !isNewer } },
  )
}

/**
 * The state of a consumer that goes back to lower positions, as its sources are not those that it has read. What was
 * outstanding after them is found again.
 */
export function setBackTo(
  state: ConsumerState,
  positions: ConsumerPositions,
): ConsumerState {
  const { outstanding, marks } = state
  return {
    ...state,
    positions,
    outstanding: outstanding.filter(one => one.position <= positions[one.source]),
    marks: {
      log: marksUpTo(marks.log, positions.log),
      topics: marksUpTo(marks.topics, positions.topics),
    },
  }
}

/** Whether the sources were read up to these positions, and no further. */
export function isAt(
  { positions }: ConsumerState,
  { log, topics }: ConsumerPositions,
): boolean {
  return positions.log === log && positions.topics === topics
}

/** Leases a message for `ackWait` milliseconds. */
export function lease(
  message: OutstandingMessage,
  now: number,
  ackWait: number,
): OutstandingMessage {
  const { attempts } = message
  return {
    ...message,
    attempts: attempts + 1,
    firstAt: attempts === 0 ? now : message.firstAt,
    until: now + ackWait,
    nonce: newId(),
  }
}

export function isSameMessage(
  one: OutstandingMessage,
  other: OutstandingMessage,
): boolean {
  return (
    one.source === other.source &&
    one.position === other.position &&
    one.index === other.index
  )
}

/** The token that settles a message, in this process or another (CONSUMER-STATE-2). */
export function ackTokenOf(
  consumer: string,
  { source, position, index, nonce }: OutstandingMessage,
) {
  return [consumer, source, position, index, nonce].join('.')
}

/** The message that is leased under a token; throws `invalid-token`. */
export function findByToken(state: ConsumerState, token: string): OutstandingMessage {
  const { name } = state.definition
  const found = findLease(state, token)
  if (found !== undefined) return found
  const isOurs = typeof token === 'string' && token.startsWith(`${name}.`)
  throw new CairnError(
    'invalid-token',
    isOurs
      ? `This token of consumer ${name} is not valid, or not any more: its message was settled, or was given ` +
          'out again after its ackWait. The work that was done for it is not undone.'
      : `This is not a token of consumer ${name}: settle a message by the consumer that gave it out.`,
    { details: { consumer: name } },
  )
}

export function hasToken(state: ConsumerState, token: string): boolean {
  return findLease(state, token) !== undefined
}

function findLease(
  { outstanding, definition }: ConsumerState,
  token: string,
): OutstandingMessage | undefined {
  return outstanding.find(
    one => one.nonce !== '' && ackTokenOf(definition.name, one) === token,
  )
}
