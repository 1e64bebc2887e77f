// A machine is in the state of a plain XState machine that was given the same events.

import type { Indexed } from './history-index.js'
import { isSame } from './same.js'
import type { Violation } from './violation.js'

export function* machines({ history }: Indexed): Iterable<Violation> {
  for (const line of history.states)
    if (line.plain !== undefined && !isSame(line.state, line.plain))
      yield {
        check: 'machines',
        text: `${line.actor} is in another state than a plain machine with its events.`,
        evidence: [line],
      }
}
