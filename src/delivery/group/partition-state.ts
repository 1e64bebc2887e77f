// Where a group stands in one lane, as it is stored: a small document.

import { decode, encode } from '../../codec/msgpack.js'
import { CairnError, messageOf } from '../../model/errors.js'
import { isCount, type Position } from '../../model/version.js'

/** Who reads a lane. */
export interface PartitionOwner {
  readonly id: string
  readonly incarnation: number
}

/**
 * A key whose handling failed, that has a long line, or that stands further back than others: its records
 * from `position` on are not handled.
 */
export interface FailingKey {
  readonly key: string
  /** The record that failed. */
  readonly position: Position
  /** How often it was tried; 0 when its turn has not come yet. */
  readonly attempts: number
  /** When it was first tried, and when it is tried next; ms since 1970. */
  readonly firstAt: number
  readonly nextAt: number
  readonly error: string
  /** It was being tried when this was written, and `attempts` counts that. */
  readonly isBegun?: boolean
  /** How many owners in a row have ended without letting go while the key stood here. */
  readonly deaths?: number
}

export interface PartitionState {
  /** Absent when nobody reads the lane, and the one before has finished. */
  readonly owner?: PartitionOwner
  /** Grows with each owner. */
  readonly epoch: number
  /** Every record up to here is handled, or of a key that is named in `failing`, and then not behind its place. */
  readonly floor: Position
  /** The owner has begun no record behind this one. */
  readonly reach?: Position
  /** How many owners in a row have ended without letting go while the floor stood where it does. */
  readonly deaths?: number
  /** Keys that do not hold the floor. */
  readonly failing: readonly FailingKey[]
}

export const initialPartitionState: PartitionState = { epoch: 0, floor: 0, failing: [] }

const stateVersion = 1
const errorCharactersMax = 200

export function encodePartitionState(state: PartitionState): Uint8Array {
  const failing = state.failing.map(
    ({ key, position, attempts, firstAt, nextAt, error, isBegun, deaths = 0 }) => ({
      key,
      position,
      attempts,
      firstAt,
      nextAt,
      error: error.slice(0, errorCharactersMax),
      ...(isBegun === true && { isBegun }),
      ...(deaths > 0 && { deaths }),
    }),
  )
  return encode({ version: stateVersion, ...state, failing })
}

/** Throws `storage-failed` for what is no such document, or of a newer build. */
export function decodePartitionState(bytes: Uint8Array, name: string): PartitionState {
  let state: Partial<PartitionState & { version: number }> | null
  try {
    state = decode(bytes) as typeof state
  } catch (error) {
    throw unreadable(name, messageOf(error))
  }
  if (state?.version !== stateVersion)
    throw unreadable(name, `it is of version ${String(state?.version)}`)
  const { owner, epoch, floor, reach, deaths, failing } = state
  if (!isCount(epoch) || !isCount(floor) || !Array.isArray(failing))
    throw unreadable(name, 'it is incomplete')
  return {
    ...(owner && { owner }),
    epoch,
    floor,
    ...(isCount(reach) && { reach }),
    ...(isCount(deaths) && { deaths }),
    failing,
  }
}

function unreadable(name: string, why: string): CairnError {
  return new CairnError(
    'storage-failed',
    `Document ${name} says where a group stands, and cannot be read: ${why}. Upgrade this node, or ` +
      'remove the document to have the group begin anew.',
    { details: { document: name } },
  )
}
