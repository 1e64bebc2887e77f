// Continuity: whether the records of a history follow one another.
//
// A store stores a commit only after the last one of its actor (STORE-1). A program that writes to the log without an
// expected version can store any versions, and whoever reads only the last record cannot see it. A notice that does not
// continue the last known commit, and a head before the known version, show it.
// CONTINUITY-1. An actor whose history may be broken is suspected. The next read of a suspected actor on this node is one
//     of its whole history; it ends the suspicion, or parks the actor with the position.
// CONTINUITY-2. A record whose versions overlap those before it breaks the history, whatever state it or a later one
//     carries. So does a gap after the version that was known; gaps before it may have been accepted.

import type { ActorAddress } from '../model/address.js'
import type { LogRecord } from '../model/commit.js'
import type { Version } from '../model/version.js'
import { type VersionRange, versionsBroken } from './parked.js'
import type { Skips } from './skips.js'

/** Suspected actors, at most: beyond it the oldest are forgotten. */
const suspectsMax = 10_000

/** The actors that are suspected (CONTINUITY-1), each with the last version that was known to be good. */
export class Suspects {
  readonly #known = new Map<string, Version>()

  add(name: string, known: Version): void {
    const before = this.#known.get(name)
    this.#known.delete(name)
    this.#known.set(name, Math.min(known, before ?? known))
    if (this.#known.size <= suspectsMax) return
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest)
      return
    }
  }

  has(name: string): boolean {
    return this.#known.size > 0 && this.#known.has(name)
  }

  knownVersionOf(name: string): Version | undefined {
    return this.#known.get(name)
  }

  clear(name: string): void {
    this.#known.delete(name)
  }
}

/** The versions of a record; `undefined` when it is not part of a history. */
export function versionRangeOf(record: LogRecord): VersionRange | undefined {
  return record.kind === 'commit'
    ? { first: record.firstVersion, last: record.lastVersion }
    : record.versions
}

/** An actor's records from the first on, as they are. Throws `actor-parked` where they break (CONTINUITY-2). */
export async function* continuous(
  actor: ActorAddress,
  records: AsyncIterable<LogRecord>,
  known: Version,
  skips: Skips | undefined,
): AsyncGenerator<LogRecord> {
  let version = 0
  for await (const record of records) {
    const range = versionRangeOf(record)
    if (range !== undefined) {
      const isOverlap = range.first <= version
      const isGap = range.first > version + 1 && version >= known
      const isSkipped = isGap && skips?.covers(version + 1, range.first - 1) === true
      if (isOverlap || (isGap && !isSkipped))
        throw versionsBroken(actor, version + 1, range, record.position)
      version = range.last
    }
    yield record
  }
}
