// P7: the messages of one key are handled in the order in which they were stored, each when the one before has ended.

import type { Moment } from '../history.js'
import { effectsOf, type Handling, isTerminal, type Reader } from './handlings.js'
import { isBy } from './handled.js'
import type { Indexed } from './history-index.js'
import { put, type StoredMessage } from './messages.js'
import { isReactor } from './subscriptions.js'
import type { Violation } from './violation.js'

interface Handled {
  readonly message: StoredMessage
  /** Those of the message itself, not of its dead letter. */
  readonly handlings: readonly Handling[]
  readonly begunAt: Moment
  readonly doneAt: Moment
  /** Whether it may have ended as a dead letter. */
  readonly isGivenUp: boolean
}

export function* handlingOrder(history: Indexed): Iterable<Violation> {
  for (const reader of history.readers.filter(isReactor))
    for (const handled of handledByKey(history, reader).values())
      yield* checkKey(reader, handled.toSorted(byOrder))
}

function* checkKey({ name }: Reader, ordered: readonly Handled[]): Iterable<Violation> {
  for (const [i, later] of ordered.entries()) {
    const earlier = ordered[i - 1]
    if (earlier === undefined || earlier.isGivenUp) continue
    if (later.begunAt >= earlier.doneAt) continue
    yield {
      check: 'handling-order',
      text:
        `${name} was given ${later.message.id} before ${earlier.message.id} was handled, which comes first ` +
        `among the messages of ${later.handlings[0]?.begun.key}.`,
      evidence: effectsOf([...earlier.handlings, ...later.handlings]),
    }
  }
}

function handledByKey(
  { messages, dead }: Indexed,
  { name, handlings }: Reader,
): Map<string, Handled[]> {
  const given = new Set(
    dead.filter(({ by }) => isBy(by, name)).map(({ message }) => message),
  )
  const byKey = new Map<string, Handled[]>()
  for (const [id, all] of handlings) {
    const [message, another] = messages.withId(id)
    // Two copies of one message cannot be told apart.
    if (message === undefined || another !== undefined) continue
    const own = all.filter(({ begun }) => (begun.redrives ?? 0) === 0)
    const begun = own[0]?.begun
    if (begun === undefined) continue
    const isGivenUp = given.has(id) || isTerminal(own) || own.length < all.length
    const doneAt = Math.min(...own.map(({ done }) => done?.at ?? Infinity))
    put(byKey, `${message.source} ${begun.key}`, {
      message,
      handlings: own,
      begunAt: begun.at,
      doneAt,
      isGivenUp,
    })
  }
  return byKey
}

function byOrder(a: Handled, b: Handled): number {
  return a.message.position - b.message.position || a.message.index - b.message.index
}
