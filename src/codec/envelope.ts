// A commit ⇄ its record: headers (src/codec/header-table.ts) and a body (src/codec/commit-body.ts).

import type { ActorAddress } from '../model/address.js'
import {
  type Causes,
  type CommitHeader,
  type CommittedCommand,
  copyExtras,
  type LogRecord,
  type MalformedRecord,
  type NewCommit,
  type StoredCommit,
} from '../model/commit.js'
import { CairnError, messageOf } from '../model/errors.js'
import { eventId, type Metadata, type RecordedEvent } from '../model/event.js'
import type { Position, Version } from '../model/version.js'
import type { Writable } from '../model/writable.js'
import { toBatchedCommands } from './batched-commands.js'
import { type CommitBody, findBodyProblem, toBody } from './commit-body.js'
import { decodeHeaders, headerOf, versionsHeader, versionsOf } from './commit-headers.js'
import { encodeVersions } from './commit-rows.js'
import { encodeHeaders } from './header-row.js'
import { commitHeaders } from './header-table.js'
import { decode, encode } from './msgpack.js'
import { decodeOutbox } from './outbox.js'

/** Maximum size of all headers of one commit, in bytes. The server's own limit is 64 KiB. */
export const commitHeaderBytesMax = 32 * 1024

export interface EncodedRecord {
  /** Name and value of each header, in order. */
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
}

/** A record as a store read it. `header` returns `undefined` for a missing header. */
export interface RawRecord {
  readonly position: Position
  readonly source: string
  readonly actor: ActorAddress | undefined
  readonly body: Uint8Array
  header(name: string): string | undefined
  headers(): Record<string, string>
  /** The headers as name, value, name, value …, if they are at hand so: reading them is faster. */
  readonly headerLines?: readonly string[]
}

/**
 * Encodes a commit. Throws `invalid-event`, `invalid-data`, `invalid-option` (an id that is
 * not text) or `commit-too-large`.
 */
export function encodeCommit(commit: NewCommit): EncodedRecord {
  const body = toBody(commit)
  const headers = encodeHeaders(commitHeaders, headerOf(commit))
  checkHeaderBytes(commit, headers)
  return { headers, body: encode(body) }
}

/** A commit that this process has stored, as a read of its record would return it. */
export function storedCommit(commit: NewCommit, position: Position): StoredCommit {
  return toStoredCommit(position, commit.actor, headerOf(commit), toBody(commit))
}

/** Approximate size of a record as it is stored, in bytes. */
export function encodedBytes({ headers, body }: EncodedRecord): number {
  let bytes = body.length
  for (const [name, value] of headers) bytes += name.length + value.length + 4
  return bytes
}

/** Changes the versions of an encoded commit; the rest stays as encoded. */
export function renumber(
  { headers, body }: EncodedRecord,
  firstVersion: Version,
  events: number,
): EncodedRecord {
  const versions = encodeVersions(firstVersion, firstVersion + events - 1)
  return {
    headers: headers.map(([name, value]) => [
      name,
      name === versionsHeader ? versions : value,
    ]),
    body,
  }
}

function checkHeaderBytes(
  { actor, events }: NewCommit,
  headers: readonly (readonly [string, string])[],
): void {
  const bytes = encodedBytes({ headers, body: noBody })
  if (bytes > commitHeaderBytesMax)
    throw new CairnError(
      'commit-too-large',
      `The headers of a commit of ${actor.type}/${actor.id} with ${events.length} events take ` +
        `${bytes} bytes, and the limit is ${commitHeaderBytesMax}: split it, or shorten ids and event types.`,
      { details: { limit: commitHeaderBytesMax, actual: bytes } },
    )
}

/** Decodes a record. Never throws: returns a {@link MalformedRecord} for a record that is not a readable commit. */
export function decodeRecord(record: RawRecord): LogRecord {
  const header = decodeHeaders(name => record.header(name), record.headerLines)
  if (typeof header === 'string')
    return malformed(
      record,
      header,
      versionsOf(name => record.header(name)),
    )
  if (record.actor === undefined)
    return malformed(record, 'its subject or key does not name an actor')
  const versions = { first: header.firstVersion, last: header.lastVersion }
  let body: CommitBody
  try {
    body = decode(record.body) as CommitBody
  } catch (error) {
    return malformed(record, `its body is not decodable (${messageOf(error)})`, versions)
  }
  const problem = findBodyProblem(body, header)
  if (problem !== undefined) return malformed(record, problem, versions)
  return toStoredCommit(record.position, record.actor, header, body)
}

function toStoredCommit(
  position: Position,
  actor: ActorAddress,
  header: CommitHeader,
  body: CommitBody,
): StoredCommit {
  const { commitId, firstVersion, lastVersion, nodeId, at, commandId } = header
  const commands =
    header.commandIds && toBatchedCommands(header, header.commandIds, body.commands!)
  let current = 0
  let left = commands?.[0]!.events ?? 0
  // Filled property by property: spreads cost more than the rest of a read.
  const events = body.events.map((event, i): RecordedEvent => {
    const recorded: Writable<RecordedEvent> = {
      kind: 'event',
      id: eventId(actor, firstVersion + i),
      actor,
      type: event.type,
      data: event.data,
      metadata: event.meta ?? noMetadata,
      version: firstVersion + i,
      position,
      commitId,
      at,
      nodeId,
    }
    if (event.v !== undefined && event.v > 1) recorded.schemaVersion = event.v
    let cause: Causes = header
    let id = commandId
    if (commands !== undefined) {
      if (left-- === 0) left = commands[++current]!.events - 1
      cause = commands[current]!
      id = commands[current]!.id
    }
    const { correlationId, causationId, principal } = cause
    if (id !== undefined) recorded.commandId = id
    if (correlationId !== undefined) recorded.correlationId = correlationId
    if (causationId !== undefined) recorded.causationId = causationId
    if (principal !== undefined) recorded.principal = principal
    return recorded
  })
  const commit: Writable<StoredCommit> = {
    kind: 'commit',
    id: commitId,
    position,
    actor,
    firstVersion,
    lastVersion,
    events,
    at,
    nodeId,
  }
  copyExtras(header, commit)
  if (commandId !== undefined) {
    const command: Writable<CommittedCommand> = { id: commandId }
    if (body.digest !== undefined) command.digest = body.digest
    if (body.reply !== undefined) command.reply = body.reply
    commit.command = command
  }
  if (commands !== undefined) commit.commands = commands
  if (body.state !== undefined) commit.state = body.state
  if (body.says !== undefined) commit.outbox = decodeOutbox(body.says)
  return commit
}

const noBody = new Uint8Array()
const noMetadata: Metadata = Object.freeze({})

function malformed(
  record: RawRecord,
  reason: string,
  versions?: { first: Version; last: Version },
): MalformedRecord {
  return {
    kind: 'malformed',
    position: record.position,
    source: record.source,
    ...(record.actor !== undefined && { actor: record.actor }),
    ...(versions !== undefined && { versions }),
    reason,
    raw: record.body,
    headers: record.headers(),
  }
}
