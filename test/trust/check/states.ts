// Every state is the fold of the log: in commits, at the end, and as it was read.

import { foldOf } from './folds.js'
import { type Indexed, isOwn } from './history-index.js'
import { type Answered, evidenceOf, isOk, nameOf } from './operations.js'
import { isObject, isSame } from './same.js'
import { typeOf } from './timeline.js'
import type { Violation } from './violation.js'

/** The states that commits carry. */
export function* inlineStates({ timelines }: Indexed): Iterable<Violation> {
  for (const timeline of timelines.values())
    for (const commit of timeline.commits) {
      const { state, lastVersion, position, nodeId } = commit
      if (state === undefined || !timeline.hasState(lastVersion)) continue
      if (!isSame(state, timeline.stateAt(lastVersion)))
        yield {
          check: 'inline-states',
          text:
            `The commit of ${timeline.actor} at position ${position}, written by ${nodeId}, carries a state that is ` +
            'not what its events lead to.',
          evidence: [commit],
        }
    }
}

/** The states that the public API answers at the end. */
export function* finalStates({
  history,
  timelines,
  namespace,
}: Indexed): Iterable<Violation> {
  for (const line of history.states) {
    const { actor, version, state } = line
    const timeline = timelines.get(actor)
    if (!isOwn(actor, namespace) || timeline?.isWhole === false) continue
    const last = timeline?.last ?? 0
    if (version !== last)
      yield {
        check: 'final-states',
        text: `${actor} is answered at version ${version}, and the log ends at ${last}.`,
        evidence: [line, ...(timeline?.commits.slice(-1) ?? [])],
      }
    else if (foldOf(typeOf(actor)) !== undefined && !isSame(state, expected(actor)))
      yield {
        check: 'final-states',
        text: `${actor} is answered in a state that is not what its events lead to.`,
        evidence: [line],
      }
  }

  function expected(actor: string): unknown {
    const timeline = timelines.get(actor)
    return timeline === undefined
      ? foldOf(typeOf(actor))?.initial
      : timeline.stateAt(timeline.last)
  }
}

/** The states that clients read, whatever freshness they asked for. */
export function* reads({ operations, timelines }: Indexed): Iterable<Violation> {
  const answered = operations
    .filter(isOk)
    .filter(({ invoked }) => invoked.call === 'state')
    .toSorted((a, b) => versionOf(a) - versionOf(b))
  for (const operation of answered) {
    const { actor = '', freshness } = operation.invoked
    const timeline = timelines.get(actor)
    const fold = foldOf(typeOf(actor))
    if (timeline?.isWhole === false) continue
    const version = versionOf(operation)
    const after = isObject(freshness) ? Number(freshness['after']) : 0
    const problem =
      version > (timeline?.last ?? 0)
        ? `the log ends at version ${timeline?.last ?? 0}`
        : version < after
          ? `version ${after} was asked for`
          : fold !== undefined &&
              !isSame(
                operation.completed.value,
                timeline?.stateAt(version) ?? fold.initial,
              )
            ? 'the state is not what the events up to it lead to'
            : undefined
    if (problem !== undefined)
      yield {
        check: 'reads',
        text: `${nameOf(operation)} was told version ${version}: ${problem}.`,
        evidence: evidenceOf([operation]),
      }
  }
}

function versionOf({ completed }: Answered): number {
  return completed.version ?? 0
}
