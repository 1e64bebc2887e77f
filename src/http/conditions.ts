// The conditional headers of a request (RFC 9110): the versions that they name. One that a route does not obey is refused:
// ignored, it would let a client overwrite what it has not seen.

import { show } from '../model/show.js'
import { isCount, type Version } from '../model/version.js'
import type { ReadRequest } from './headers.js'
import { Problem } from './problem.js'

/** A conditional header that a route may obey. */
export type Condition = 'if-match' | 'if-none-match'

/** The version that a request's condition names; absent without one. */
export interface Conditions {
  readonly ifMatch?: Version
  readonly ifNoneMatch?: Version
}

const conditionalHeaders = [
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
] as const

/**
 * The conditions of a request to a route that obeys one header, or none. Throws a problem for another conditional header, and
 * for a value that is no version.
 */
export function conditionsOf(
  { headers }: ReadRequest,
  obeyed: Condition | undefined,
): Conditions {
  for (const name of conditionalHeaders)
    if (headers.has(name) && name !== obeyed) throw notObeyed(name, obeyed)
  const given = obeyed === undefined ? null : headers.get(obeyed)
  if (given === null) return {}
  const version = versionIn(obeyed!, given)
  return obeyed === 'if-match' ? { ifMatch: version } : { ifNoneMatch: version }
}

function versionIn(name: Condition, given: string): Version {
  const [, digits] = /^"(0|[1-9]\d{0,15})"$/.exec(given.trim()) ?? []
  const version = Number(digits)
  if (digits !== undefined && isCount(version)) return version
  const rest =
    given.trim() === '*' && name === 'if-match'
      ? ' An actor at any version cannot be expected: read the state, and send its ETag.'
      : ''
  throw new Problem(
    'invalid-request',
    `The header ${name} is ${show(given)}: use one strong entity tag with the actor's version, "7", as ETag has it; ` +
      `no list, no weak tag and no *.${rest}`,
  )
}

function notObeyed(name: string, obeyed: Condition | undefined): Problem {
  return new Problem(
    'invalid-request',
    `The header ${name} has no meaning here: ` +
      (obeyed === undefined
        ? 'this route has no conditions. Leave it out.'
        : `this route obeys only ${obeyed}, with the actor's version as "7".`),
  )
}
