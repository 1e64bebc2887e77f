// P4: a command, an append, a transaction and a message are stored once, and one attempt is told that it was the first.

import type { Indexed, Stored } from './history-index.js'
import { evidenceOf, isOk, type Operation } from './operations.js'
import type { CommandSlice, Timeline } from './timeline.js'
import type { Violation } from './violation.js'

/** docs/commands.md: a duplicate is recognised for so many commands of the actor, and for so long. */
const window = { commands: 1_024, ms: 600_000 }

/** No id is at two places of an actor's history. */
export function* storedOnce({ timelines }: Indexed): Iterable<Violation> {
  for (const timeline of timelines.values()) {
    const last = new Map<string, { readonly at: number; readonly stored: CommandSlice }>()
    for (const [at, stored] of timeline.slices.entries()) {
      const { id } = stored.slice
      if (id === undefined) continue
      const before = last.get(id)
      if (
        before !== undefined &&
        at - before.at <= window.commands &&
        isRecent(before, stored)
      )
        yield storedTwice(timeline, id, before.stored, stored)
      last.set(id, { at, stored })
    }
  }
}

/** By the clocks of the nodes that wrote the commits. Nothing is promised if these differ by more than the window. */
function isRecent(
  before: { readonly stored: CommandSlice },
  after: CommandSlice,
): boolean {
  return Math.abs(after.commit.writtenAt - before.stored.commit.writtenAt) < window.ms
}

function storedTwice(
  { actor }: Timeline,
  id: string,
  before: CommandSlice,
  after: CommandSlice,
): Violation {
  return {
    check: 'stored-once',
    text:
      `${id} to ${actor} is stored twice: as version ${before.slice.lastVersion} and as version ` +
      `${after.slice.lastVersion}.`,
    evidence: [before.commit, after.commit],
  }
}

/** As many attempts are told that they were the first as there are copies. */
export function* toldFirstOnce({ attempts, stored }: Indexed): Iterable<Violation> {
  for (const [key, operations] of attempts) {
    if (operations.length < 2) continue
    const copies = stored.get(key) ?? []
    const first = operations.filter(operation => isToldFirst(operation, copies))
    if (first.length > copiesOf(copies))
      yield {
        check: 'told-first-once',
        text: `${first.length} attempts were told that they were the first to store ${key}.`,
        evidence: [...evidenceOf(first), ...copies.map(({ line }) => line)],
      }
  }
}

function isToldFirst(operation: Operation, copies: readonly Stored[]): boolean {
  if (!isOk(operation)) return false
  const { invoked, completed } = operation
  if (completed.duplicate === true || invoked.call === 'send') return false
  // An answer without events is given again, from a later state.
  return (
    invoked.call === 'transact' ||
    copies.some(({ line }) => line.position === completed.position)
  )
}

/** A transaction has a commit for each of its actors. */
function copiesOf(copies: readonly Stored[]): number {
  const byActor = new Map<string, number>()
  for (const { line } of copies) {
    const name = line.kind === 'commit' ? line.actor : line.topic
    byActor.set(name, (byActor.get(name) ?? 0) + 1)
  }
  return Math.max(0, ...byActor.values())
}
