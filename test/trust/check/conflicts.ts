// A conflict names a version other than the expected one, and one that the actor had.

import type { Indexed } from './history-index.js'
import { evidenceOf, nameOf } from './operations.js'
import { actualOf } from './real-time.js'
import type { Violation } from './violation.js'

export function* conflicts({ operations, timelines }: Indexed): Iterable<Violation> {
  for (const operation of operations) {
    const { invoked, completed } = operation
    if (completed?.outcome !== 'conflict') continue
    const actual = actualOf(completed.value)
    if (actual === undefined) continue
    const last = timelines.get(invoked.actor ?? '')?.last ?? 0
    if (actual === invoked.expected || actual > last)
      yield {
        check: 'conflicts',
        text:
          `${nameOf(operation)} expected version ${invoked.expected} and was told that the actor is at version ` +
          `${actual}; the log ends at version ${last}.`,
        evidence: evidenceOf([operation]),
      }
  }
}
