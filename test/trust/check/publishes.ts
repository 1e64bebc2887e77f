// P3 for messages: what was acknowledged is among the messages of its topic.

import type { Indexed } from './history-index.js'
import { evidenceOf, isOk, nameOf } from './operations.js'
import { isSame } from './same.js'
import type { Violation } from './violation.js'

export function* publishes({ operations, messages }: Indexed): Iterable<Violation> {
  for (const operation of operations) {
    if (operation.invoked.call !== 'publish' || !isOk(operation)) continue
    const { id, data } = operation.invoked
    if (id === undefined) continue
    const { position, duplicate } = operation.completed
    const copies = messages.withId(id).filter(({ source }) => source === 'topics')
    const isThere = copies.some(
      copy =>
        isSame(copy.data, data) &&
        (duplicate === true || position === undefined || copy.position === position),
    )
    if (!isThere)
      yield {
        check: 'publishes',
        text: `${nameOf(operation)} was told position ${position}, where the message is not.`,
        evidence: [...evidenceOf([operation]), ...copies.map(({ line }) => line)],
      }
  }
}
