// After each fault everything answers again within half a minute.

import { recoveriesOf } from './faults.js'
import type { Indexed } from './history-index.js'
import type { Violation } from './violation.js'

const recoveryMaxMs = 30_000

export function* recovery({ faults }: Indexed): Iterable<Violation> {
  for (const { healed, recovered } of recoveriesOf(faults))
    if (recovered === undefined)
      yield {
        check: 'recovery',
        text: `It is not told that everything answers again after ${healed.fault} of ${healed.target}.`,
        evidence: [healed],
      }
  for (const entry of faults) {
    const { fault, target, phase, after = Infinity } = entry
    if (phase !== 'recovered' || after <= recoveryMaxMs) continue
    yield {
      check: 'recovery',
      text:
        `Everything answers again ${Math.round(after)} ms after ${fault} of ${target}; at most ` +
        `${recoveryMaxMs} are allowed.`,
      evidence: [entry],
    }
  }
}
