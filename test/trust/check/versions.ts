// P1: an actor's versions are 1, 2, 3 … in the order of the log.

import type { Indexed } from './history-index.js'
import type { CommitLine } from './timeline.js'
import type { Violation } from './violation.js'

export function* versions({ timelines }: Indexed): Iterable<Violation> {
  for (const { actor, commits } of timelines.values()) {
    let before: CommitLine | undefined
    for (const commit of commits) {
      const last = before?.lastVersion ?? 0
      const { position, firstVersion, lastVersion } = commit
      if (firstVersion !== last + 1)
        yield {
          check: 'versions',
          text: `${actor} goes from version ${last} to ${firstVersion} at position ${position}.`,
          evidence: before === undefined ? [commit] : [before, commit],
        }
      const held = commit.events.map(({ version }) => version)
      const sliced = commit.slices.flatMap(rangeOf)
      const expected = rangeOf(commit)
      if (!areSame(held, expected) || !areSame(sliced, expected))
        yield {
          check: 'versions',
          text:
            `The commit of ${actor} at position ${position} names versions ${firstVersion} to ${lastVersion}; its ` +
            `events have ${held.join(', ')}, and its commands ${sliced.join(', ')}.`,
          evidence: [commit],
        }
      before = commit
    }
  }
}

interface Range {
  readonly firstVersion: number
  readonly lastVersion: number
}

function rangeOf({ firstVersion, lastVersion }: Range): number[] {
  const count = Math.max(0, lastVersion - firstVersion + 1)
  return Array.from({ length: count }, (_, i) => firstVersion + i)
}

function areSame(some: readonly number[], others: readonly number[]): boolean {
  return some.length === others.length && some.every((one, i) => one === others[i])
}
