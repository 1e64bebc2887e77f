// Reading: the part that is the same for every store. Checks the options, filters records by type,
// and turns commits into events.

import { type ActorAddress, checkActorType } from '../../model/address.js'
import type { LogRecord, MalformedRecord } from '../../model/commit.js'
import { CairnError } from '../../model/errors.js'
import type { RecordedEvent } from '../../model/event.js'
import { checkCount } from '../../model/version.js'
import type { CommitsOptions, ReadAllOptions, ReadOptions } from './event-store.js'

/** Throws `invalid-option` for an invalid version, limit or range. */
export function checkReadOptions({ from, to, limit }: ReadOptions): void {
  if (from !== undefined) checkCount('from', from)
  if (to !== undefined) checkCount('to', to)
  if (limit !== undefined) checkCount('limit', limit)
  if (from !== undefined && to !== undefined && from > to)
    throw new CairnError(
      'invalid-option',
      `from is ${from} and to is ${to}: from must not be greater.`,
    )
}

/** Throws `invalid-option` for an invalid version or position. */
export function checkCommitsOptions({ from, to, hint }: CommitsOptions): void {
  if (from !== undefined) checkCount('from', from)
  if (to !== undefined) checkCount('to', to)
  if (hint !== undefined) checkCount('hint', hint)
}

/** Throws `invalid-option` or `invalid-actor-type` for invalid options of reading the log. */
export function checkLogOptions({ after, types, limit }: ReadAllOptions): void {
  if (after !== undefined) checkCount('after', after)
  if (limit !== undefined && limit !== Infinity) checkCount('limit', limit)
  types?.forEach(checkActorType)
}

/** Whether a record is of one of the wanted types; `types` undefined means all. */
export function isOfTypes(
  actor: ActorAddress | undefined,
  types: readonly string[] | undefined,
): boolean {
  return types === undefined || (actor !== undefined && types.includes(actor.type))
}

/** The events of `commits` within the options' range, in the order of the commits. */
export async function* eventsOf(
  commits: AsyncIterable<LogRecord>,
  { from = 1, to = Infinity, backwards = false, limit = Infinity }: ReadOptions,
): AsyncGenerator<RecordedEvent | MalformedRecord> {
  let left = limit
  if (left === 0) return
  for await (const commit of commits) {
    if (commit.kind === 'malformed') {
      const { versions } = commit
      const outside =
        versions !== undefined && (versions.last < from || versions.first > to)
      if (!outside) yield commit
      continue
    }
    if (backwards ? commit.lastVersion < from : commit.firstVersion > to) return
    const events = backwards ? commit.events.toReversed() : commit.events
    for (const event of events) {
      if (event.version < from || event.version > to) continue
      yield event
      if (--left === 0) return
    }
    if (backwards ? commit.firstVersion <= from : commit.lastVersion >= to) return
  }
}
