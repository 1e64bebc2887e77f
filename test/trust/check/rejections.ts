// A command is rejected only in a state that rejects it.

import { decide } from './decisions.js'
import type { Indexed } from './history-index.js'
import { evidenceOf, isRejected, nameOf, type Operation } from './operations.js'
import { foldOf } from './folds.js'
import { typeOf } from './timeline.js'
import type { Violation } from './violation.js'

export function* rejections(history: Indexed): Iterable<Violation> {
  for (const operation of history.operations) {
    if (operation.invoked.call !== 'ask' || !isRejected(operation)) continue
    if (mayBeRejected(history, operation)) continue
    yield {
      check: 'rejections',
      text: `${nameOf(operation)} was rejected, and no state of the actor at that time rejects it.`,
      evidence: evidenceOf([operation]),
    }
  }
}

function mayBeRejected({ timelines, askedAt }: Indexed, operation: Operation): boolean {
  const { invoked, completed } = operation
  const { actor = '', command, data } = invoked
  const type = typeOf(actor)
  const timeline = timelines.get(actor)
  // What cannot be folded is another check's.
  if (timeline !== undefined && !timeline.isWhole) return true
  const rejects = (version: number) => {
    const decided = decide(type, command, data, () =>
      timeline === undefined ? foldOf(type)?.initial : timeline.stateAt(version),
    )
    return decided === undefined || decided === 'rejected'
  }
  const last = timeline?.last ?? 0
  if (completed?.version !== undefined)
    return completed.version <= last && rejects(completed.version)
  for (let version = 0; version <= last; version++) {
    if (version > 0 && askedAt(actor, version) > completed!.at) break
    if (rejects(version)) return true
  }
  return false
}
