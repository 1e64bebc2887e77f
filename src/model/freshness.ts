// Freshness: how recent a state that is read must be.

import { CairnError } from './errors.js'
import { show } from './show.js'
import { isCount, type Version } from './version.js'

/**
 * - `'latest'`: confirmed by a read of the store that began after the call
 * - `'local'`: the state in this node's memory, without a read; it may be old. If the actor is not
 *   in this node's memory: one read
 * - `{ after: version }`: at least that version, so that a client reads its own writes. From memory
 *   if the version there is high enough, else by a read, else by waiting for the version
 */
export type Freshness = 'local' | 'latest' | { readonly after: Version }

/** The lowest version that may be answered from memory; `undefined` if none may. */
export function sufficientVersion(freshness: Freshness): Version | undefined {
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

/** Returns `value`, or throws `invalid-option`. */
export function checkFreshness(value: Freshness): Freshness {
  if (isFreshness(value)) return value
  throw new CairnError(
    'invalid-option',
    `${show(value)} is not a freshness: use 'latest', 'local' or { after: version }.`,
    { details: { freshness: value } },
  )
}
