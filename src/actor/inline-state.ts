// Whether a state rides in the commit that leads to it, so that waking is one read.
//
// A small one always does. A larger one does every `stateEvery` events, and is not even
// measured in between. One that cannot be stored as it is (a Map, a class) never does.

import { checkData } from '../codec/data.js'
import { encode } from '../codec/msgpack.js'
import { certainlyFits } from '../codec/size.js'
import type { InlineState } from '../model/commit.js'
import type { Version } from '../model/version.js'
import type { AnyActorDefinition } from './definition.js'
import type { Skips } from './skips.js'

/** Bytes beyond which a state never rides in a commit, unless `stateBytesMax` is greater. */
export const inlineStateBytesMax = 256 * 1024

export interface InlineStatePlan {
  readonly state?: InlineState
  /** The version from which on measuring makes sense again. */
  readonly measureFrom: Version
  /** The state's encoded size, where it was measured; absent for one that is certainly small. */
  readonly bytes?: number
}

/**
 * @param version the version of the state
 * @param carried the last version that carried one
 * @param skips what was passed over in folding it
 * @param onUnstorable hears why the state cannot be stored
 */
export function planInlineState(
  { behavior, options }: AnyActorDefinition,
  state: unknown,
  version: Version,
  carried: Version,
  measureFrom: Version,
  skips: Skips | undefined,
  onUnstorable: (error: unknown) => void,
): InlineStatePlan {
  const { stateBytesMax = 1024, stateEvery = 100 } = options
  if (version < measureFrom) return { measureFrom }
  let bytes: number | undefined
  try {
    checkData(state, 'state')
    // It is encoded with its commit: twice only where its size decides something.
    if (!certainlyFits(state, stateBytesMax)) bytes = encode(state).byteLength
  } catch (error) {
    onUnstorable(error)
    return { measureFrom: version + stateEvery }
  }
  const skipped = skips?.upTo(version)
  const folded: InlineState = {
    behavior: behavior.version,
    ...(skipped !== undefined && { skipped }),
    value: state,
  }
  if (bytes === undefined) return { state: folded, measureFrom: 0 }
  if (bytes <= stateBytesMax) return { state: folded, measureFrom: 0, bytes }
  if (bytes > inlineStateBytesMax) return { measureFrom: version + stateEvery, bytes }
  return version - carried >= stateEvery
    ? { state: folded, measureFrom: version + stateEvery, bytes }
    : { measureFrom: carried + stateEvery, bytes }
}
