// The health of a group or a projection: its backlog as one word.

import { checkOptions } from '../model/check-options.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'

/** `good`: no action is needed. `watch`: inspect it today. `critical`: inspect it now. */
export type Health = 'good' | 'watch' | 'critical'

/** Seconds of lag from which the health is `watch`, and `critical`. */
export interface LagLimits {
  /** Default 60. */
  readonly watch?: number
  /** Default 600. */
  readonly critical?: number
}

export const lagLimitsDefault: Required<LagLimits> = { watch: 60, critical: 600 }

/** The limits with their defaults. Throws `invalid-option`. */
export function lagLimitsOf(limits: LagLimits = {}): Required<LagLimits> {
  checkOptions('lagLimits', limits, { watch: true, critical: true })
  const all = { ...lagLimitsDefault, ...limits }
  const { watch, critical } = all
  for (const [name, value] of Object.entries(all))
    if (typeof value !== 'number' || !(value > 0))
      throw new CairnError(
        'invalid-option',
        `${name} of lagLimits is ${show(value)}: use a number of seconds greater than 0.`,
      )
  if (watch <= critical) return all
  throw new CairnError(
    'invalid-option',
    `watch of lagLimits is ${watch}, and critical ${critical}: watch comes first. Give both.`,
  )
}

/** A group has this health when any of its numbers reaches the limit. */
const thresholds = {
  watch: { waiting: 1_000, failing: 1, dead: 1 },
  critical: { waiting: 10_000, failing: 100, dead: 100 },
} as const

const levels = ['critical', 'watch'] as const

/** The worst health that any of the numbers implies. */
export function healthOf(
  {
    waiting,
    failing,
    dead,
    lagSeconds = 0,
  }: {
    readonly waiting: number
    readonly failing: readonly unknown[]
    readonly dead: number
    readonly lagSeconds?: number
  },
  lag: Required<LagLimits> = lagLimitsDefault,
): Health {
  const worst = levels.find(health => {
    const limits = thresholds[health]
    return (
      waiting >= limits.waiting ||
      failing.length >= limits.failing ||
      dead >= limits.dead ||
      lagSeconds >= lag[health]
    )
  })
  return worst ?? 'good'
}

/** The health that a lag implies. */
export function healthOfLag(lagSeconds: number, lag: Required<LagLimits>): Health {
  return levels.find(health => lagSeconds >= lag[health]) ?? 'good'
}

/** Seconds from `at` to `now`, in milliseconds' precision; 0 where `at` is unknown, or in the future of another clock. */
export function lagSince(at: number | undefined, now: number): number {
  if (at === undefined || !Number.isFinite(at)) return 0
  return Math.max(0, Math.round(now - at) / 1_000)
}
