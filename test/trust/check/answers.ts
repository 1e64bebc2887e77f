// P3 and P4: what was acknowledged is in the log, where the caller was told, with the reply that the caller was told. A
// duplicate is told the same.

import { mayStoreNothing, decide } from './decisions.js'
import type { Indexed, Stored } from './history-index.js'
import {
  type Answered,
  evidenceOf,
  intent,
  intentOf,
  isOk,
  nameOf,
} from './operations.js'
import { isSame } from './same.js'
import { typeOf } from './timeline.js'
import type { Violation } from './violation.js'

export function* answers(history: Indexed): Iterable<Violation> {
  for (const operation of history.operations) {
    if (!isOk(operation)) continue
    const { call } = operation.invoked
    const problem =
      call === 'ask'
        ? problemOfAsk(history, operation)
        : call === 'append'
          ? problemOfAppend(history, operation)
          : call === 'transact'
            ? problemOfTransaction(history, operation)
            : undefined
    if (problem !== undefined)
      yield {
        check: 'answers',
        text: `${nameOf(operation)} ${problem.text}`,
        evidence: [
          ...evidenceOf([operation]),
          ...(problem.stored ?? []).map(({ line }) => line),
        ],
      }
  }
}

interface Problem {
  readonly text: string
  readonly stored?: readonly Stored[]
}

function problemOfAsk(history: Indexed, operation: Answered): Problem | undefined {
  const { invoked, completed } = operation
  const { version, position, reply, duplicate } = completed
  if (invoked.id === undefined) return problemWithoutId(history, operation)
  const stored = history.stored.get(intentOf(invoked)!) ?? []
  const own = stored.find(
    ({ line, slice }) => line.position === position && slice?.lastVersion === version,
  )
  const told = `was told version ${version} at position ${position}`
  if (own === undefined) {
    if (duplicate !== true && isWithoutEvents(history, operation)) return undefined
    return stored.length === 0
      ? { text: `${told}, and the log does not have it.` }
      : { text: `${told}; it is stored elsewhere.`, stored }
  }
  return isSame(own.slice?.reply, reply)
    ? undefined
    : { text: 'was told another reply than the one that is stored.', stored: [own] }
}

/** Which commit is its own is not known: one at that place must be. */
function problemWithoutId(
  { commitAt }: Indexed,
  { invoked, completed }: Answered,
): Problem | undefined {
  const { version, position } = completed
  if (
    position === undefined ||
    mayStoreNothing(typeOf(invoked.actor ?? ''), invoked.command)
  )
    return undefined
  const commit = commitAt.get(position)
  const isThere =
    commit?.actor === invoked.actor &&
    commit?.slices.some(({ lastVersion }) => lastVersion === version)
  return isThere
    ? undefined
    : { text: `was told version ${version} at position ${position}, which is not there.` }
}

/** Whether the command is accepted without an event in the state of the version that was told. */
function isWithoutEvents(
  { timelines }: Indexed,
  { invoked, completed }: Answered,
): boolean {
  const { actor = '', command, data } = invoked
  const type = typeOf(actor)
  if (!mayStoreNothing(type, command)) return false
  const { version = 0 } = completed
  const timeline = timelines.get(actor)
  // What cannot be folded is another check's.
  if (timeline?.isWhole === false) return true
  if (timeline === undefined)
    return version === 0 && type === 'door' && command === 'shut'
  if (!timeline.hasState(version)) return false
  const decided = decide(type, command, data, () => timeline.stateAt(version))
  return decided !== undefined && decided !== 'rejected' && decided.length === 0
}

function problemOfAppend(
  { stored, commitAt }: Indexed,
  { invoked, completed }: Answered,
): Problem | undefined {
  const { version, position = 0 } = completed
  const all = stored.get(intentOf(invoked)!) ?? []
  const own = all.find(
    ({ line }) =>
      line.kind === 'commit' &&
      line.position === position &&
      line.lastVersion === version &&
      (invoked.expected === undefined || line.firstVersion === invoked.expected + 1),
  )
  if (own !== undefined) return undefined
  const there = commitAt.get(position)
  return {
    text: `was told version ${version} at position ${position}, where the log does not have it.`,
    stored: [...all, ...(there === undefined ? [] : [{ line: there }])],
  }
}

function problemOfTransaction(
  { stored }: Indexed,
  { invoked, completed }: Answered,
): Problem | undefined {
  if (invoked.id === undefined) return undefined
  const commits = stored.get(intent.transaction(invoked.id)) ?? []
  if (commits.length === 0) return { text: 'was told that it is stored, and it is not.' }
  // The first actor's commit has the value, if there is one.
  const value = commits
    .flatMap(({ line }) => (line.kind === 'commit' ? line.slices : []))
    .find(({ id }) => id === `${invoked.id}/1`)?.reply
  if (value === undefined || completed.reply === undefined) return undefined
  return isSame(value, completed.reply)
    ? undefined
    : { text: 'was told another value than the one that is stored.', stored: commits }
}
