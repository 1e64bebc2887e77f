// When wall clocks were wrong.

import type { Fault, Moment } from '../history.js'
import type { Indexed } from './history-index.js'

/** A process sees its right clock this much after the heal at the latest. */
const marginMs = 2_000

/** Whether a clock may have been wrong at a moment of an interval. Any clock: nodes may take up the ids of others. */
export function mayBeSkewed({ faults }: Indexed, from: Moment, to: Moment): boolean {
  return faults.some((begun, i) => {
    if (begun.phase !== 'begun' || !/clock/i.test(begun.fault)) return false
    const healed = faults.find((one, at) => at > i && isHealOf(one, begun))
    return begun.at <= to && from <= (healed?.at ?? Infinity) + marginMs
  })
}

function isHealOf({ phase, fault, target }: Fault, begun: Fault): boolean {
  return phase === 'healed' && fault === begun.fault && target === begun.target
}
