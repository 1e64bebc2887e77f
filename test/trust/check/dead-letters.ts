// P7: the messages that a handler fails for good are dead letters, and no others are.

import type { Handling } from './handlings.js'
import { effectsOf, isTerminal } from './handlings.js'
import { isBy } from './handled.js'
import type { Indexed } from './history-index.js'
import { isReactor } from './subscriptions.js'
import type { Violation } from './violation.js'

export function* deadLetters({ readers, dead, isHealed }: Indexed): Iterable<Violation> {
  // Consumers may give a message up because nobody settles it in time.
  for (const { name, handlings } of readers.filter(isReactor)) {
    const letters = dead.filter(({ by }) => isBy(by, name))
    for (const letter of letters) {
      const ofMessage = handlings.get(letter.message) ?? []
      if (isTerminal(ofMessage)) continue
      if (letter.reason === 'crashed' && mayHaveCrashed(ofMessage)) continue
      yield {
        check: 'dead-letters',
        text: `${letter.message} is a dead letter of ${name} (${letter.reason}), and no handler failed it for good.`,
        evidence: [letter, ...effectsOf(ofMessage)],
      }
    }
    if (!isHealed) continue
    const given = new Set(letters.map(({ message }) => message))
    for (const [id, ofMessage] of handlings)
      if (isTerminal(ofMessage) && !given.has(id) && !isHandledAgain(ofMessage))
        yield {
          check: 'dead-letters',
          text: `${name} failed ${id} for good, and it is not a dead letter.`,
          evidence: effectsOf(ofMessage),
        }
  }
}

/** It has ended two nodes: docs/reactors.md. */
function mayHaveCrashed(handlings: readonly Handling[]): boolean {
  const open = handlings.filter(
    ({ done, failed }) => done === undefined && failed === undefined,
  )
  return open.length >= 2
}

/** It was a dead letter, was sent again, and was handled then. */
function isHandledAgain(handlings: readonly Handling[]): boolean {
  return handlings.some(
    ({ begun, done }) => done !== undefined && (begun.redrives ?? 0) > 0,
  )
}
