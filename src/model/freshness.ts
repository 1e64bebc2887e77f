// How fresh a read of an actor's state must be.

import { CairnError } from './errors.js'
import { show } from './show.js'
import { isCount, type Version } from './version.js'

/**
 * - `'latest'`: proven by a read of the store that began after the call
 * - `'local'`: what this node has in memory, without a read; it may be old. Where the actor is
 *   not in this node's memory: one read
 * - `{ after: version }`: at least that version, so that a reader sees what was acknowledged to
 *   it. From memory at once where that is far enough, else read, else waited for
 */
export type Freshness = 'local' | 'latest' | { readonly after: Version }

/** The version that is fresh enough to be answered from memory; `undefined`: none is. */
export function enoughFor(freshness: Freshness): Version | undefined {
  if (freshness === 'latest') return undefined
  return freshness === 'local' ? 0 : freshness.after
}

export function isFreshness(value: unknown): value is Freshness {
  if (value === 'local' || value === 'latest') return true
  return (
    typeof value === 'object' &&
    value !== null &&
    'after' in value &&
    isCount(value.after)
  )
}

/** Returns it, or throws `invalid-option`. */
export function checkFreshness(value: Freshness): Freshness {
  if (isFreshness(value)) return value
  throw new CairnError(
    'invalid-option',
    `${show(value)} is no freshness: use 'latest', 'local' or { after: version }.`,
    { details: { freshness: value } },
  )
}
