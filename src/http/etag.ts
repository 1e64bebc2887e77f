// The entity tag of an actor.

import type { Version } from '../model/version.js'

/** A strong entity tag: the version of an actor. */
export function etagOf(version: Version): string {
  return `"${version}"`
}
