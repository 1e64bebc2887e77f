// An actor whose state is too large for a commit: SLOTS pieces of 64 KiB that do not compress, and a count.

import { createHash } from 'node:crypto'
import { defineActor, event } from 'cairn-es'

const every = Number(process.env['SNAPSHOT_EVERY'] ?? 100)
const version = Number(process.env['LARGE_VERSION'] ?? 1)
/** Added to the count of each state of an earlier version, if it is set. */
const migration = process.env['LARGE_MIGRATION']

/** @param {number} seed */
function pieceOf(seed) {
  const parts = Array.from({ length: 1024 }, (_, i) =>
    createHash('sha512').update(`${seed}/${i}`).digest('base64').slice(0, 64),
  )
  return parts.join('')
}

/** @typedef {{ readonly pieces: readonly string[], readonly count: number }} Large */

/** A definition of its own: a test may compare versions. */
export const largeOf = (given = { version, every }) =>
  defineActor({
    type: 'large',
    version: given.version,
    snapshotEvery: given.every,
    commitCommandsMax: 1,
    ...(migration !== undefined && {
      migrateState: (/** @type {Large} */ state) => ({
        ...state,
        count: state.count + Number(migration),
      }),
    }),
    initialState: /** @returns {Large} */ () => ({ pieces: [], count: 0 }),
    decide: {
      grow: (_state, /** @type {{ slots: number, seed: number }} */ data) =>
        event('grown', data),
      count: (_state, /** @type {number | undefined} */ times = 1) =>
        Array.from({ length: times }, () => event('counted')),
      show: ({ pieces, count }) => ({
        reply: {
          count,
          hash: createHash('sha256').update(pieces.join('')).digest('hex'),
        },
      }),
    },
    evolve: {
      grown: (state, { slots, seed }) => ({
        ...state,
        pieces: Array.from({ length: slots }, (_, i) => pieceOf(seed + i)),
      }),
      counted: state => ({ ...state, count: state.count + 1 }),
    },
  })

export const large = largeOf()
