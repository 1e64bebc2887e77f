// The health of a group: its backlog as one word.

import type { Backlog } from './backlog.js'

/** `good`: no action is needed. `watch`: inspect it today. `critical`: inspect it now. */
export type Health = 'good' | 'watch' | 'critical'

/** A group has this health when any of its numbers reaches the limit. */
const thresholds = {
  watch: { waiting: 1_000, failing: 1, dead: 1 },
  critical: { waiting: 10_000, failing: 100, dead: 100 },
} as const

/** The worst health that any of the numbers implies. */
export function healthOf({
  waiting,
  failing,
  dead,
}: Pick<Backlog, 'waiting' | 'failing' | 'dead'>): Health {
  const worst = (['critical', 'watch'] as const).find(health => {
    const limits = thresholds[health]
    return (
      waiting >= limits.waiting || failing.length >= limits.failing || dead >= limits.dead
    )
  })
  return worst ?? 'good'
}
