// A pending timer as tools show it: with --json, and over HTTP.

import { formatAddress } from '../../model/address.js'
import { defined } from '../../model/defined.js'
import type { Timer } from '../../model/timer.js'
import { isoTime } from './iso-time.js'

export function timerView(timer: Timer) {
  const { actor, name, at, every, skipAfter, type, data, occurrence } = timer
  return {
    actor: formatAddress(actor),
    name,
    due: isoTime(at),
    ...(every !== undefined && { every, occurrence }),
    ...defined({ skipAfter }),
    command: type,
    data: data ?? null,
  }
}
