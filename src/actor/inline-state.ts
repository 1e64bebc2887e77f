// Decides whether a commit carries the state after it (the inline state), so that waking is one read.
//
// A small state is always in the commit. A larger one is in it every `stateEvery` events, and is not
// measured in between. One that is too large for that is left to snapshots (src/actor/snapshots.ts). A state that cannot be
// stored unchanged (a Map, a class instance) never is. Work that has not ended is carried with the state, and counts with it.

import { checkData } from '../codec/data.js'
import { encode } from '../codec/msgpack.js'
import { certainlyFits } from '../codec/size.js'
import type { InlineState } from '../model/commit.js'
import type { Version } from '../model/version.js'
import type { PendingWork } from '../model/work.js'
import type { AnyActorDefinition } from './definition.js'
import type { Skips } from './skips.js'
import { snapshotEveryDefault } from './snapshot-source.js'

/** Most bytes of an inline state, unless `stateBytesMax` is greater. */
export const inlineStateBytesMax = 256 * 1024

export interface InlineStatePlan {
  readonly state?: InlineState
  /** The version from which the state is measured again. */
  readonly measureFrom: Version
  /** The state in MessagePack, or `{ state, works }` if work is carried with it, if it is too large for a commit. */
  readonly encoded?: Uint8Array
  /** The state's encoded size, if it was measured; absent for one that is certainly small. */
  readonly bytes?: number
}

/**
 * @param version the version of the state
 * @param lastInline the last version with an inline state
 * @param skips the versions that were skipped in the fold
 * @param works the work that has not ended
 * @param onUnstorable called with the reason when the state cannot be stored
 */
export function planInlineState(
  { behavior, options }: AnyActorDefinition,
  state: unknown,
  version: Version,
  lastInline: Version,
  measureFrom: Version,
  skips: Skips | undefined,
  works: readonly PendingWork[] | undefined,
  onUnstorable: (error: unknown) => void,
): InlineStatePlan {
  const { stateBytesMax = 1024, stateEvery = 100 } = options
  const { snapshotEvery = snapshotEveryDefault } = options
  if (version < measureFrom) return { measureFrom }
  let encoded: Uint8Array | undefined
  try {
    checkData(state, 'state')
    // It is encoded with its commit. A second encoding is needed only where its size matters.
    const carried = works === undefined ? state : { state, works }
    if (!certainlyFits(carried, stateBytesMax)) encoded = encode(carried)
  } catch (error) {
    onUnstorable(error)
    return { measureFrom: version + stateEvery }
  }
  const bytes = encoded?.byteLength
  const skipped = skips?.upTo(version)
  const inline: InlineState = {
    behavior: behavior.version,
    ...(skipped !== undefined && { skipped }),
    value: state,
    ...(works !== undefined && { works }),
  }
  if (bytes === undefined) return { state: inline, measureFrom: 0 }
  if (bytes <= stateBytesMax) return { state: inline, measureFrom: 0, bytes }
  if (bytes > inlineStateBytesMax)
    return {
      // A large state is seldom measured: that takes as long as it is large.
      measureFrom: version + (snapshotEvery === 0 ? stateEvery : snapshotEvery),
      bytes,
      encoded: encoded!,
    }
  return version - lastInline >= stateEvery
    ? { state: inline, measureFrom: version + stateEvery, bytes }
    : { measureFrom: lastInline + stateEvery, bytes }
}
