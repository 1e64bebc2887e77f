// The checkpoint of a group in one partition: a small stored document.

import { decode, encode } from '../../codec/msgpack.js'
import { CairnError, isCairnError, messageOf } from '../../model/errors.js'
import { show } from '../../model/show.js'
import { isCount, type Position } from '../../model/version.js'
import { decodeMarks, encodeMarks, type Marks } from '../source/marks.js'

/** The node that reads a partition. */
export interface PartitionOwner {
  readonly id: string
  readonly incarnation: number
}

/**
 * A key whose records from `position` on are not handled yet. It does not hold the floor: its record
 * failed, its queue is long, or its record is slower than those of other keys.
 */
export interface DeferredKey {
  readonly key: string
  /** The first record that is not handled. */
  readonly position: Position
  /** Attempts at that record; 0 when it has not failed. */
  readonly attempts: number
  /** Times of the first and of the next attempt, ms since 1970. */
  readonly firstAt: number
  readonly nextAt: number
  readonly error: string
  /** An attempt was under way when this was written; `attempts` includes it. */
  readonly isStarted?: boolean
  /** Owners in a row that ended without a release while the key was at this position. */
  readonly crashes?: number
}

export interface PartitionState {
  /** Absent when no node reads the partition and its last owner finished. */
  readonly owner?: PartitionOwner
  /** Increases by one with each owner. */
  readonly epoch: number
  /** Every record up to here is handled, or belongs to a key in `deferred` that names its position. */
  readonly floor: Position
  /** The owner starts no record after this position. */
  readonly startLimit?: Position
  /** Owners in a row that ended without a release while the floor was the same. */
  readonly crashes?: number
  readonly deferred: readonly DeferredKey[]
  /** What the source held when it was read up to here and further; none in documents of older builds. */
  readonly marks?: Marks
  /** Fields of a newer build, which are kept as they are. */
  readonly unknown?: Readonly<Record<string, unknown>>
}

/** The stored form, which is part of the wire contract: it keeps its own keys. */
interface StoredState {
  readonly version: number
  readonly owner?: PartitionOwner
  readonly epoch: number
  readonly floor: Position
  readonly reach?: Position
  readonly deaths?: number
  readonly failing: readonly StoredKey[]
  readonly marks?: ReturnType<typeof encodeMarks>
}

type StoredKey = Omit<DeferredKey, 'isStarted' | 'crashes'> & {
  readonly isBegun?: boolean
  readonly deaths?: number
}

/** Where a partition begins: every record up to the position is none of the group's. */
export type Start = Required<Pick<PartitionState, 'marks'>> & {
  readonly position: Position
}

export const initialPartitionState: PartitionState = { epoch: 0, floor: 0, deferred: [] }

const stateVersion = 1
const errorCharactersMax = 200

export function encodePartitionState(state: PartitionState): Uint8Array {
  const { owner, epoch, floor, startLimit, crashes, deferred, marks = [] } = state
  const stored: StoredState = {
    ...state.unknown,
    version: stateVersion,
    ...(owner !== undefined && { owner }),
    epoch,
    floor,
    ...(startLimit !== undefined && { reach: startLimit }),
    ...(crashes !== undefined && { deaths: crashes }),
    failing: deferred.map(toStoredKey),
    ...(marks.length > 0 && { marks: encodeMarks(marks) }),
  }
  return encode(stored)
}

/** Throws `storage-failed` for a document that is damaged or was written by a newer build. */
export function decodePartitionState(bytes: Uint8Array, name: string): PartitionState {
  let stored: Partial<StoredState> | null
  try {
    stored = decode(bytes) as typeof stored
  } catch (error) {
    throw unreadable(name, messageOf(error))
  }
  const version: unknown = stored?.version
  const isNewer = isCount(version) && version > stateVersion
  if (version !== stateVersion)
    throw unreadable(name, `its version is ${show(version)}`, isNewer)
  const { version: _, owner, epoch, floor, reach, deaths, failing, ...rest } = stored!
  const { marks, ...unknown } = rest
  if (!isCount(epoch) || !isCount(floor) || !Array.isArray(failing))
    throw unreadable(name, 'it is incomplete')
  return {
    ...(owner && { owner }),
    epoch,
    floor,
    ...(isCount(reach) && { startLimit: reach }),
    ...(isCount(deaths) && { crashes: deaths }),
    deferred: (failing as readonly StoredKey[]).map(fromStoredKey),
    marks: decodeMarks(marks),
    ...(Object.keys(unknown).length > 0 && { unknown }),
  }
}

function toStoredKey(one: DeferredKey): StoredKey {
  const { key, position, attempts, firstAt, nextAt, error, isStarted, crashes = 0 } = one
  return {
    key,
    position,
    attempts,
    firstAt,
    nextAt,
    error: error.slice(0, errorCharactersMax),
    ...(isStarted === true && { isBegun: isStarted }),
    ...(crashes > 0 && { deaths: crashes }),
  }
}

function fromStoredKey({ isBegun, deaths, ...rest }: StoredKey): DeferredKey {
  return {
    ...rest,
    ...(isBegun !== undefined && { isStarted: isBegun }),
    ...(deaths !== undefined && { crashes: deaths }),
  }
}

/** Whether reading a document failed because it is damaged, and not because a newer build has written it. */
export function isDamaged(error: unknown): boolean {
  return isCairnError(error, 'storage-failed') && error.details.isDamaged === true
}

function unreadable(name: string, why: string, isNewer = false): CairnError {
  return new CairnError(
    'storage-failed',
    `The group checkpoint in document ${name} cannot be read: ${why}. Upgrade this node, or stop the nodes of the group ` +
      'and remove the document, to make its partition start again from the first record.',
    { details: { document: name, isDamaged: !isNewer } },
  )
}
