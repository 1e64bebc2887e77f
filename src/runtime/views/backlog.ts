// The backlog of a group as tools show it: with --json, and over HTTP.

import type { Backlog } from '../../delivery/backlog.js'
import { isoTime } from './iso-time.js'

export function backlogView(backlog: Backlog) {
  const { failing, isCounted, oldestAt, lagSeconds, health, ...rest } = backlog
  const now = Date.now()
  return {
    ...rest,
    counted: isCounted,
    health,
    oldestAt: oldestAt === undefined ? null : isoTime(oldestAt),
    lagSeconds,
    due: failing.filter(({ nextAt }) => nextAt <= now).length,
    failing: failing.map(({ key, position, attempts, firstAt, nextAt, error }) => ({
      key,
      position,
      attempts,
      firstAt: isoTime(firstAt),
      nextAt: isoTime(nextAt),
      error,
    })),
  }
}
