// Which entries about faults belong together.

import type { Fault } from '../history.js'

/** A heal, and the entry that tells how long the recovery took. */
export interface Recovery {
  readonly healed: Fault
  readonly recovered: Fault | undefined
}

/** Each heal with the first recovery after it: its own, or that of a round of faults, which has all as its target. */
export function recoveriesOf(faults: readonly Fault[]): Recovery[] {
  const used = new Set<Fault>()
  return faults.flatMap((healed, i): Recovery[] => {
    if (healed.phase !== 'healed') return []
    const recovered = faults.find(
      (one, at) =>
        at > i && one.phase === 'recovered' && isOf(one, healed) && !used.has(one),
    )
    // Several heals of one fault have a recovery each.
    if (recovered !== undefined && recovered.target !== 'all') used.add(recovered)
    return [{ healed, recovered }]
  })
}

/** Whether the entry tells the end of a fault. */
export function isOf(end: Fault, { fault, target }: Fault): boolean {
  return end.target === 'all' || (end.fault === fault && end.target === target)
}

/** Before the probes of a round, all of its faults are healed, whatever became of them. */
export function areHealed(faults: readonly Fault[]): boolean {
  return faults.every(
    (begun, i) =>
      begun.phase !== 'begun' ||
      faults.some((end, at) => at > i && end.phase !== 'begun' && isOf(end, begun)),
  )
}
