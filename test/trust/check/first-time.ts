// A handler that is told that a message cannot be repeated is the first one that is given it.

import { effectsOf } from './handlings.js'
import type { Indexed } from './history-index.js'
import type { Evidence, Violation } from './violation.js'

export function* firstTime({ readers, faults, messages }: Indexed): Iterable<Violation> {
  for (const { name, handlings } of readers)
    for (const [id, ofMessage] of handlings) {
      // Two copies of one message cannot be told apart.
      if (messages.withId(id).length > 1) continue
      const [first, ...later] = ofMessage
      for (const handling of later) {
        const { begun } = handling
        if (begun.mayBeRepeat !== false || begun.at <= first!.begun.at) continue
        const evidence: Evidence[] = effectsOf([first!, handling])
        // A process that was stopped just before it wrote this may be blameless.
        evidence.push(
          ...faults.filter(
            ({ target, at }) =>
              target.split(' ').includes(begun.process) &&
              at >= first!.begun.at &&
              at <= begun.at,
          ),
        )
        yield {
          check: 'first-time',
          text: `${name} was told that ${id} could not be a repetition, and it had been handled before.`,
          evidence,
        }
      }
    }
}
