// The flags that say from which lag on the health of a group or projection is no longer good.

import { type LagLimits, lagLimitsDefault } from '../delivery/health.js'
import { defined } from '../model/defined.js'
import { countFlag } from '../program/flags.js'

export const lagFlags = {
  'lag-watch': { type: 'string' },
  'lag-critical': { type: 'string' },
} as const

export const lagHelp = `  --lag-watch S      seconds of lag from which the health is watch (default ${lagLimitsDefault.watch})
  --lag-critical S   and critical (default ${lagLimitsDefault.critical})
`

/** Throws a usage error for what is no whole number. */
export function lagLimitsIn(flags: Parameters<typeof countFlag>[0]): LagLimits {
  return defined({
    watch: countFlag(flags, 'lag-watch'),
    critical: countFlag(flags, 'lag-critical'),
  })
}

/** How late the oldest is, if it is late at all. */
export function late(seconds: number): string {
  return seconds < 1 ? '' : `, ${Math.floor(seconds)} s late`
}
