// No process ends by itself, and one that is told to stop ends in good order.

import { processErrors } from '../processes/process.js'
import type { Indexed } from './history-index.js'
import type { Violation } from './violation.js'

export function* processes({ faults }: Indexed): Iterable<Violation> {
  const errors: readonly string[] = processErrors
  for (const entry of faults)
    if (errors.includes(entry.fault))
      yield {
        check: 'processes',
        text: `${entry.target}: ${entry.fault}; the end of its output says more.`,
        evidence: [entry],
      }
}
