// Health: how much waits and fails of a group, in one word.

import type { Backlog } from './backlog.js'

/** `good`: nothing to do. `watch`: look at it today. `critical`: look at it now. */
export type Health = 'good' | 'watch' | 'critical'

/** From any of these numbers on, a group is that. */
const thresholds = {
  watch: { waiting: 1_000, failing: 1, dead: 1 },
  critical: { waiting: 10_000, failing: 100, dead: 100 },
} as const

/** The worst that one of its numbers says. */
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
