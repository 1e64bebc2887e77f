// The doctor's look at the log: records that cannot be read, versions that do not continue, times that are to come, and
// histories that do not fold.

import { Directives } from '../../actor/directives.js'
import type { AnyActorDefinition } from '../../actor/definition.js'
import { verifyHistory } from '../../actor/verify.js'
import { formatAddress } from '../../model/address.js'
import { programs } from '../../model/programs.js'
import { isoTime } from '../../runtime/views/iso-time.js'
import type { EventStore } from '../../store/event-store/event-store.js'
import { Turns } from '../../store/turns.js'
import type { Finding } from './finding.js'

/** Findings of one kind, at most: a damaged log has as many as it has records. */
const listedMax = 20
/** Milliseconds: the clock of a node may be ahead by this. */
const aheadMax = 60_000

export interface LogOptions {
  /** Commits that are read, at most, the last ones. */
  readonly limit: number
  readonly now: number
  readonly signal: AbortSignal
  readonly onProgress: (read: number) => void
}

export async function* examineLog(
  store: Pick<EventStore, 'readAll' | 'lastPosition'>,
  { limit, now, signal, onProgress }: LogOptions,
): AsyncGenerator<Finding> {
  const end = await store.lastPosition({ signal })
  const after = Math.max(0, end - limit)
  /** By actor: the last version that was read. */
  const versions = new Map<string, number>()
  const listed = { malformed: 0, gap: 0, ahead: 0 }
  let read = 0
  for await (const record of store.readAll({ after, signal })) {
    if (++read % 1_000 === 0) onProgress(read)
    if (record.kind === 'malformed') {
      const name = record.actor && formatAddress(record.actor)
      if (record.versions !== undefined && name !== undefined)
        versions.set(name, record.versions.last)
      if (listed.malformed++ < listedMax)
        yield {
          severity: 'critical',
          check: 'log-record',
          place: `position ${record.position}`,
          problem: `a record under ${record.source} cannot be read: ${record.reason}`,
          means:
            record.versions === undefined
              ? 'It is not part of any history: another program has stored it.'
              : 'Its events are lost, and its actor is parked.',
          remedy:
            'See "MALFORMED" in docs/troubleshooting.md, and take the right to publish there from other programs.',
        }
      continue
    }
    const name = formatAddress(record.actor)
    const before = versions.get(name) ?? (after === 0 ? 0 : record.firstVersion - 1)
    versions.set(name, record.lastVersion)
    if (record.firstVersion !== before + 1 && listed.gap++ < listedMax)
      yield {
        severity: 'critical',
        check: 'version-gap',
        place: `${name} at position ${record.position}`,
        problem: `version ${record.firstVersion} follows version ${before}`,
        means:
          'Another program has stored it, or history was removed: the actor is parked.',
        remedy: `Remove the record of the other program, or have the versions skipped: ${programs.cairn} actor skip.`,
      }
    if (record.at > now + aheadMax && listed.ahead++ < 1)
      yield {
        severity: 'watch',
        check: 'clock-ahead',
        place: `node ${record.nodeId}`,
        problem: `a commit at position ${record.position} is of ${isoTime(record.at)}, which is to come`,
        means:
          'The clock of that node is ahead: its timers are late, and times in its events are wrong.',
        remedy: 'Let its machine set the clock by NTP.',
      }
  }
}

/** By the definitions that are given: each history that does not fold. */
export async function* examineStates(
  store: EventStore,
  definitions: readonly AnyActorDefinition[],
  { signal, onProgress }: Pick<LogOptions, 'signal' | 'onProgress'>,
): AsyncGenerator<Finding> {
  const directives = new Directives({ store, log: () => {} })
  let read = 0
  // A store of this machine answers at once: signals and progress need their turns.
  const turns = new Turns()
  try {
    for (const { type, behavior } of definitions)
      for await (const actor of store.actors({ type, signal })) {
        if (++read % 100 === 0) onProgress(read)
        await turns.next()
        const { skips } = await directives.now(actor, signal)
        const verdict = await verifyHistory({ store, actor, behavior, skips, signal })
        if (verdict.kind === 'folds') continue
        const isFailure = verdict.kind === 'fails' || verdict.kind === 'migration'
        yield {
          severity: 'critical',
          check: 'state-fold',
          place: `${formatAddress(actor)} at version ${verdict.version}`,
          problem:
            verdict.kind === 'fails'
              ? `its history does not fold: ${verdict.error.message}`
              : verdict.kind === 'migration'
                ? `the state of an earlier version is not migrated: ${verdict.error?.message ?? 'it becomes another one than the events fold to'}`
                : 'its history folds to another state than the one that is stored with it',
          means: isFailure
            ? 'The actor is parked, or will be when it is woken.'
            : 'The definition was changed without a new version: states depend on when they were folded.',
          remedy: isFailure
            ? `Repair the definition, or skip the event: ${programs.cairn} actor skip.`
            : 'Raise the version of the definition, or make its fold pure.',
        }
      }
  } finally {
    directives.close()
  }
}
