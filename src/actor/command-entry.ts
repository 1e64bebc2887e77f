// Command entries: the part of an actor's history that the search for duplicates needs.

import { peekCommands } from '../codec/commit-headers.js'
import { commitSlicesOf, type LogRecord } from '../model/commit.js'
import type { Position, Version } from '../model/version.js'

/** One command, or one commit without a command: its versions, position and command id. */
export interface CommandEntry {
  readonly first: Version
  readonly last: Version
  readonly position: Position
  /** Absent without a command. */
  readonly commandId?: string | undefined
}

/** An entry with the time at which it was written, by the writer's clock. */
export type DatedEntry = CommandEntry & { readonly at: number }

/** The entries of a record, in order; `undefined` for a malformed record whose versions are unknown. */
export function commandEntriesOf(
  record: LogRecord,
): readonly [DatedEntry, ...DatedEntry[]] | undefined {
  const { position } = record
  if (record.kind === 'commit') {
    const { at } = record
    const entries = commitSlicesOf(record).map(
      ({ firstVersion, lastVersion, command }) => ({
        first: firstVersion,
        last: lastVersion,
        position,
        commandId: command?.id,
        at,
      }),
    )
    return entries as [DatedEntry, ...DatedEntry[]]
  }
  if (record.versions === undefined) return undefined
  const { headers, versions } = record
  const { first, last } = versions
  // Without a readable time the commit never counts as old (NaN).
  const {
    at = NaN,
    commandId,
    commandIds,
  } = peekCommands(name => headers[name], last - first + 1)
  if (commandIds === undefined) return [{ first, last, position, commandId, at }]
  // One entry for each event: a search does not care that several belong to the same command.
  return commandIds.map((one, i) => ({
    first: first + i,
    last: first + i,
    position,
    commandId: one,
    at,
  })) as [DatedEntry, ...DatedEntry[]]
}
