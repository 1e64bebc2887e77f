// A commit ⇄ its headers. They hold what tools and other nodes need without decoding, and everything that a
// headers-only notice contains.

import { type CommitHeader, copyExtras, type NewCommit } from '../model/commit.js'
import type { Version } from '../model/version.js'
import type { Writable } from '../model/writable.js'
import { commandIdsOf, correlationIdsOf } from './batched-commands.js'
import { decodeVersions } from './commit-rows.js'
import {
  byName,
  decodeLines,
  decodeWith,
  type HeaderReader,
  nameOf,
  peekField,
} from './header-row.js'
import { commitHeaders } from './header-table.js'
import { decodeList } from './headers.js'
import { outboxTargetOf, saysWork } from './outbox.js'
import { isNewerThan } from './wire-row.js'
import { wireVersionNewest } from './wire-version.js'

export const commitIdHeader = nameOf(commitHeaders, 'commitId')
export const versionsHeader = nameOf(commitHeaders, 'firstVersion')
const commitRows = byName(commitHeaders)
const commandIdsHeader = nameOf(commitHeaders, 'commandIds')

/** What the headers of a commit hold, before and after it is stored. */
export function headerOf(commit: NewCommit): CommitHeader {
  const { firstVersion, events, nodeId, at, command, commands, outbox } = commit
  const header: Writable<CommitHeader> = {
    commitId: commit.id,
    firstVersion,
    lastVersion: firstVersion + events.length - 1,
    eventTypes: events.map(({ type }) => type),
    nodeId,
    at,
  }
  // The behavior version of the state is in the body.
  const { behaviorVersion = 1, state } = commit
  const isImplied = behaviorVersion <= (state?.behavior ?? 1)
  copyExtras(commit, header, isImplied ? 'behaviorVersion' : undefined)
  if (outbox !== undefined) header.outboxTargets = outbox.map(outboxTargetOf)
  if (state?.works !== undefined || saysWork(header.outboxTargets)) header.hasWork = true
  if (command !== undefined) header.commandId = command.id
  if (commands !== undefined) {
    header.commandIds = commandIdsOf(commands)
    const correlationIds = correlationIdsOf(commands)
    if (correlationIds !== undefined) header.correlationIds = correlationIds
  }
  return header
}

/**
 * Reads the headers of a record. Returns the reason as a string if they are not the headers of a commit.
 * @param lines the same headers as name, value, name, value …, if they are at hand: reading them is faster
 */
export function decodeHeaders(
  header: HeaderReader,
  lines?: readonly string[],
): CommitHeader | string {
  const inOrder = lines && decodeLines(commitRows, lines, header)
  return inOrder ?? decodeWith(commitHeaders, header)
}

/**
 * The versions that a record occupies, by its headers; `undefined` for a record that is not a
 * commit. This part of the format is the same in every wire version, so a node that cannot
 * read the commits of a newer one does not use their versions a second time.
 */
export function versionsOf(
  header: HeaderReader,
): { readonly first: Version; readonly last: Version } | undefined {
  const decoded = decodeHeaders(header)
  if (typeof decoded === 'object')
    return { first: decoded.firstVersion, last: decoded.lastVersion }
  return isNewerThan(wireVersionNewest, header)
    ? decodeVersions(header(versionsHeader) ?? '')
    : undefined
}

/** What the headers of a record say about its commands, as far as they can be read. */
export function peekCommands(
  header: HeaderReader,
  events: number,
): {
  readonly at: number | undefined
  readonly commandId: string | undefined
  readonly commandIds: readonly string[] | undefined
} {
  return {
    at: peekField(commitHeaders, 'at', header),
    commandId: peekField(commitHeaders, 'commandId', header),
    commandIds: peekList(header(commandIdsHeader), events),
  }
}

function peekList(value: string | undefined, count: number): string[] | undefined {
  try {
    return value === undefined ? undefined : decodeList(value, count)
  } catch {
    return undefined
  }
}
