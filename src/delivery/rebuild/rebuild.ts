// Finds again from the log what is lost beside it: timers that are pending, and the publishers of topics.

import type { DamageReports } from '../../model/damage.js'
import type { WriteLog } from '../../model/log.js'
import type { Documents } from '../../store/documents/documents.js'
import type { EventStore } from '../../store/event-store/event-store.js'
import type { Timers } from '../../store/timers/timers.js'
import {
  decodePublishers,
  publishersKey,
  storePublishers,
} from '../messages/topic-registry.js'
import { missingTimers } from './missing-timers.js'
import { publishersInLog } from './rebuild-publishers.js'

export interface RebuildPorts {
  readonly store: Pick<EventStore, 'readAll' | 'lastPosition'>
  readonly timers: Timers
  readonly documents: Documents
  readonly partitions: number
  readonly damage: DamageReports
  readonly now: () => number
  readonly log: WriteLog
  readonly signal: AbortSignal
}

/** In a stream of an older build, timers that were due in the last hour may be missing: see {@link Timers.completeness}. */
const overdueOfOlderBuilds = 60 * 60 * 1_000

/** Sets the pending timers of the log again if they may be missing. May be repeated, and run on several nodes. */
export async function restoreTimers(ports: RebuildPorts): Promise<void> {
  const { timers, damage, log, now, signal } = ports
  const completeness = await timers.completeness({ signal })
  if (completeness === 'complete') return
  const { place } = timers
  const isKnown = completeness === 'incomplete'
  if (isKnown)
    damage.report({
      place,
      problem: 'emptied',
      state: 'healing',
      text: `Timers are missing in ${place}: it was emptied, or deleted and made again. They are set again from the log.`,
    })
  const overdueSince = isKnown ? 0 : now() - overdueOfOlderBuilds
  let count = 0
  for await (const timer of missingTimers({ ...ports, overdueSince }))
    if (await timers.set(timer, { signal })) count++
  await timers.setComplete({ signal })
  damage.heal(place)
  if (count > 0) log('info', `${count} timers were set again from the log`, { count })
}

/** Finds the publishers of topics in the log if they are lost (TOPIC-REGISTRY-1). */
export async function rebuildPublishers({
  store,
  documents,
  damage,
  log,
  signal,
}: Omit<RebuildPorts, 'timers' | 'now' | 'partitions'>): Promise<void> {
  const found = await documents.get(publishersKey)
  if (decodePublishers(found) !== undefined) return
  if (found !== undefined)
    damage.report({
      place: `document ${publishersKey.join('.')}`,
      problem: 'unreadable',
      state: 'healed',
      text: 'The document of the publishers of topics is damaged. It is made again from the log.',
    })
  const publishers = await publishersInLog(store, signal)
  await storePublishers(documents, publishers)
  const topics = Object.keys(publishers).length
  if (topics > 0)
    log('info', 'The publishers of topics were found in the log', { topics })
}
