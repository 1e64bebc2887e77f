// A commit ⇄ the record that is stored: headers + body.
//
// Headers carry what tools and peers need without decoding (and all that a headers-only
// notice has); the body carries the events, and what only the actor itself needs.
//
//   Cairn-Wire      1                     version of this format; 2 with Cairn-Commands
//   Cairn-Commit    <id>                  tells one attempt to write from another
//   Cairn-Versions  4-6                   first and last version of its events
//   Cairn-Events    deposited*2,closed    their types, runs counted
//   Cairn-Node      <node id>
//   Cairn-At        1767225600000         the writer's clock, ms since 1970
//   Cairn-Says      trips.completed*2,>   topics of its messages; > is a command to an actor
//   Cairn-Transaction  <id>               shared by commits stored together, where there are several
//   Cairn-Command, Cairn-Correlation, Cairn-Causation, traceparent    where known
//   Cairn-Commands  <id>*2,<id>           the command of each event, where there are several: instead of
//   Cairn-Correlations  <id>*2,           the ones above, and of each event its correlation, or nothing
//
// Body, MessagePack: { events: [{ type, data, meta? }], reply?, state?: { behavior, skipped?, value }, says?,
// commands?: [{ reply?, causation?, traceparent? }] };
// in `says`, { topic, version, data } is a message and { to: [type, id], command, data } a command.
// A reader ignores keys that it does not know; a change it must not ignore raises Cairn-Wire.
// Cairn-Wire and Cairn-Versions mean the same in every version: see `versionsTaken`.

import type { ActorAddress } from '../model/address.js'
import type {
  InlineState,
  LogRecord,
  MalformedRecord,
  NewCommit,
  BatchedCommand,
  StoredCommit,
} from '../model/commit.js'
import { CairnError, messageOf } from '../model/errors.js'
import {
  checkNewEvent,
  eventId,
  type Metadata,
  type RecordedEvent,
} from '../model/event.js'
import { show } from '../model/show.js'
import { isCount, type Position, type Version } from '../model/version.js'
import { checkData } from './data.js'
import { decodeHeader, decodeList, encodeHeader, encodeList } from './headers.js'
import { decode, encode } from './msgpack.js'
import {
  decodeOutbox,
  decodeOutboxHeader,
  encodeOutbox,
  findOutboxProblem,
  type OutboxBody,
  outboxHeader,
} from './outbox.js'

export const wireVersion = 1
/** Of a commit of several commands: who overlooked them would carry them out again. */
const wireVersionBatched = 2
/** Events in one commit, at most. */
export const commitEventsMax = 1000
/** Bytes of all headers of one commit, at most; the server's own limit is 64 KiB. */
export const commitHeaderBytesMax = 32 * 1024

export interface EncodedRecord {
  /** Name and value of each header, in order. */
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
}

/** A record as a store found it. `header` answers `undefined` for one that is not there. */
export interface RawRecord {
  readonly position: Position
  readonly source: string
  readonly actor: ActorAddress | undefined
  readonly body: Uint8Array
  header(name: string): string | undefined
  headers(): Record<string, string>
}

/** What headers alone say about a commit. */
export interface CommitHeader {
  readonly commitId: string
  readonly firstVersion: Version
  readonly lastVersion: Version
  readonly eventTypes: readonly string[]
  readonly nodeId: string
  readonly at: number
  /** A topic for each message that it says, `>` for each command. Default: none. */
  readonly outboxTargets?: readonly string[]
  readonly commandId?: string
  /** Of each event, where there are several commands; then there is no `commandId`. */
  readonly commandIds?: readonly string[]
  /** Of each event, `''` for none, where there are several commands. */
  readonly correlationIds?: readonly string[]
  readonly transactionId?: string
  readonly correlationId?: string
  readonly causationId?: string
  readonly traceparent?: string
}

interface Body {
  events: { type: string; data?: unknown; meta?: Metadata }[]
  reply?: unknown
  state?: InlineState
  says?: OutboxBody[]
  commands?: BatchedBody[]
}

interface BatchedBody {
  reply?: unknown
  causation?: string
  traceparent?: string
}

/**
 * Encodes a commit. Throws `invalid-event`, `invalid-data`, `invalid-option` (an id that is
 * no text) or `commit-too-large`; nothing has been written then.
 */
export function encodeCommit(commit: NewCommit): EncodedRecord {
  const { events, state, command, commands, outbox } = commit
  checkEventCount(commit)
  if (commands !== undefined) checkBatched(commit, commands)
  const types: string[] = []
  const body: Body = { events: [] }
  for (const event of events) {
    const { type, data, metadata } = checkNewEvent(event)
    checkData(data, () => `data of event ${show(type)}`)
    types.push(type)
    body.events.push(
      metadata === undefined ? { type, data } : { type, data, meta: metadata },
    )
  }
  if (command?.reply !== undefined) {
    checkData(command.reply, 'reply')
    body.reply = command.reply
  }
  if (state !== undefined) {
    checkData(state.value, 'state')
    body.state = state
  }
  if (outbox !== undefined) body.says = encodeOutbox(outbox)
  if (commands !== undefined) body.commands = commands.map(batchedBody)
  const wire = commands === undefined ? wireVersion : wireVersionBatched
  const headers: [string, string][] = [
    ['Cairn-Wire', String(wire)],
    ['Cairn-Commit', headerText('commit id', commit.id)],
    ['Cairn-Versions', versionsHeader(commit.firstVersion, events.length)],
    ['Cairn-Events', encodeList(types)],
    ['Cairn-Node', headerText('node id', commit.nodeId)],
    ['Cairn-At', String(commit.at)],
  ]
  if (outbox !== undefined) headers.push(['Cairn-Says', outboxHeader(outbox)])
  const { transactionId, correlationId, causationId, traceparent } = commit
  if (transactionId !== undefined)
    headers.push(['Cairn-Transaction', headerText('transaction id', transactionId)])
  if (command !== undefined)
    headers.push(['Cairn-Command', headerText('command id', command.id)])
  if (commands !== undefined) {
    headers.push(['Cairn-Commands', listOf(commands, ({ id }) => id)])
    if (commands.some(one => one.correlationId !== undefined))
      headers.push([
        'Cairn-Correlations',
        listOf(commands, one => one.correlationId ?? ''),
      ])
  }
  if (correlationId !== undefined)
    headers.push(['Cairn-Correlation', headerText('correlation id', correlationId)])
  if (causationId !== undefined)
    headers.push(['Cairn-Causation', headerText('causation id', causationId)])
  if (traceparent !== undefined)
    headers.push(['traceparent', headerText('traceparent', traceparent)])
  checkHeaderBytes(commit, headers)
  return { headers, body: encode(body) }
}

/** One text for each event: that of its command. */
function listOf(
  commands: readonly BatchedCommand[],
  text: (command: BatchedCommand) => string,
): string {
  return encodeList(
    commands.flatMap(command =>
      Array.from({ length: command.events }, () => text(command)),
    ),
  )
}

function batchedBody({ reply, causationId, traceparent }: BatchedCommand): BatchedBody {
  const body: BatchedBody = {}
  if (reply !== undefined) {
    checkData(reply, 'reply')
    body.reply = reply
  }
  if (causationId !== undefined) body.causation = causationId
  if (traceparent !== undefined) body.traceparent = traceparent
  return body
}

function checkBatched(
  { actor, events, command, outbox, ...causes }: NewCommit,
  commands: readonly BatchedCommand[],
): void {
  const refuse = (why: string): never => {
    throw new CairnError(
      'invalid-option',
      `A commit of ${actor.type}/${actor.id} was given commands ${why}.`,
      { details: { commands: commands.length, events: events.length } },
    )
  }
  let count = 0
  for (const [i, { id, events: own, correlationId, ...rest }] of commands.entries()) {
    for (const text of [id, correlationId, rest.causationId, rest.traceparent])
      if (text !== undefined) headerText('id of a command or of its causes', text)
    if (id === '' || id === commands[i - 1]?.id)
      refuse(`with id ${show(id)}, which is empty, or that of the one before it`)
    if (!isCount(own) || own < 1) refuse(`with ${show(own)} events: each has 1 or more`)
    count += own
  }
  if (count !== events.length)
    refuse(`with ${count} events, and has ${events.length}: they are the same`)
  const others = [command, outbox, causes.correlationId, causes.causationId]
  if ([...others, causes.traceparent].some(other => other !== undefined))
    refuse('beside a command, causes or things said: each of the commands has its own')
}

/** Bytes of an envelope as it is stored, about. */
export function encodedBytes({ headers, body }: EncodedRecord): number {
  let bytes = body.length
  for (const [name, value] of headers) bytes += name.length + value.length + 4
  return bytes
}

function headerText(what: string, value: unknown): string {
  if (typeof value === 'string' && value.isWellFormed()) return encodeHeader(value)
  throw new CairnError(
    'invalid-option',
    `The ${what} is ${show(value)}: pass well-formed text.`,
    { details: { value } },
  )
}

/** The same commit at other versions; the rest of it is as it was encoded. */
export function renumber(
  { headers, body }: EncodedRecord,
  firstVersion: Version,
  events: number,
): EncodedRecord {
  const versions = versionsHeader(firstVersion, events)
  return {
    headers: headers.map(([name, value]) => [
      name,
      name === 'Cairn-Versions' ? versions : value,
    ]),
    body,
  }
}

function versionsHeader(firstVersion: Version, events: number): string {
  return `${firstVersion}-${firstVersion + events - 1}`
}

function checkEventCount({ actor, events }: NewCommit): void {
  if (!Array.isArray(events) || events.length === 0)
    throw new CairnError(
      'invalid-event',
      `A commit of ${actor.type}/${actor.id} needs at least one event; it has none.`,
    )
  if (events.length > commitEventsMax)
    throw new CairnError(
      'commit-too-large',
      `A commit of ${actor.type}/${actor.id} has ${events.length} events, and the limit is ` +
        `${commitEventsMax}: split it into several commits.`,
      { details: { limit: commitEventsMax, actual: events.length } },
    )
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

/**
 * Reads the headers of a record. Returns the reason as a string when they are not a
 * commit's.
 */
export function decodeHeaders(
  header: (name: string) => string | undefined,
): CommitHeader | string {
  const wire = header('Cairn-Wire')
  if (wire === undefined) return 'it has no Cairn-Wire header, so Cairn did not write it'
  const isPacked = wire === String(wireVersionBatched)
  if (!isPacked && wire !== String(wireVersion))
    return (
      `its wire version is ${show(wire)}, and this build reads ${wireVersion} and ` +
      `${wireVersionBatched}: upgrade this node`
    )
  try {
    return readHeaders(header, isPacked)
  } catch (error) {
    return `a header is not decodable (${messageOf(error)})`
  }
}

/**
 * The versions that a record takes, by its headers; `undefined` for a record that is no
 * commit. This much of the format stays as it is in every wire version, so that a node which
 * cannot read a newer one's commits still does not take their versions a second time.
 */
export function versionsOf(
  header: (name: string) => string | undefined,
): { first: Version; last: Version } | undefined {
  const head = decodeHeaders(header)
  if (typeof head === 'object')
    return { first: head.firstVersion, last: head.lastVersion }
  const wire = Number(header('Cairn-Wire'))
  const isNewer = isCount(wire) && wire > wireVersionBatched
  return isNewer ? readVersions(header('Cairn-Versions') ?? '') : undefined
}

function readHeaders(
  header: (name: string) => string | undefined,
  isPacked: boolean,
): CommitHeader | string {
  const text = (name: string) => {
    const value = header(name)
    return value === undefined ? undefined : decodeHeader(value)
  }
  const commitId = text('Cairn-Commit')
  if (commitId === undefined || commitId === '') return 'it has no Cairn-Commit header'
  const versions = readVersions(header('Cairn-Versions') ?? '')
  if (versions === undefined)
    return `its Cairn-Versions header is ${show(header('Cairn-Versions') ?? '')}`
  const { first, last } = versions
  const eventTypes = decodeList(header('Cairn-Events') ?? '', last - first + 1)
  if (eventTypes === undefined)
    return 'its Cairn-Events header does not list one type per version'
  const at = Number(header('Cairn-At') || NaN)
  if (!Number.isFinite(at))
    return `its Cairn-At header is ${show(header('Cairn-At') ?? '')}`
  const says = decodeOutboxHeader(header('Cairn-Says'))
  if (says === null) return `its Cairn-Says header is ${show(header('Cairn-Says') ?? '')}`
  const commandIds = isPacked
    ? decodeList(header('Cairn-Commands') ?? '', eventTypes.length)
    : undefined
  if (isPacked && commandIds?.every(id => id !== '') !== true)
    return 'its Cairn-Commands header does not list one command per version'
  const correlations = isPacked ? header('Cairn-Correlations') : undefined
  const correlationIds =
    correlations === undefined ? undefined : decodeList(correlations, eventTypes.length)
  if (correlations !== undefined && correlationIds === undefined)
    return 'its Cairn-Correlations header does not list one id per version'
  const commandId = isPacked ? undefined : text('Cairn-Command')
  const transactionId = text('Cairn-Transaction')
  const correlationId = text('Cairn-Correlation')
  const causationId = text('Cairn-Causation')
  const traceparent = text('traceparent')
  return {
    commitId,
    firstVersion: first,
    lastVersion: last,
    eventTypes,
    nodeId: text('Cairn-Node') ?? '',
    at,
    ...(says !== undefined && { outboxTargets: says }),
    ...(commandId !== undefined && { commandId }),
    ...(commandIds !== undefined && { commandIds }),
    ...(correlationIds !== undefined && { correlationIds }),
    ...(transactionId !== undefined && { transactionId }),
    ...(correlationId !== undefined && { correlationId }),
    ...(causationId !== undefined && { causationId }),
    ...(traceparent !== undefined && { traceparent }),
  }
}

function readVersions(value: string): { first: Version; last: Version } | undefined {
  const match = /^(\d+)-(\d+)$/.exec(value)
  const [first, last] = [Number(match?.[1]), Number(match?.[2])]
  const fits = isCount(first) && isCount(last) && first >= 1 && last >= first
  return fits && last - first < commitEventsMax ? { first, last } : undefined
}

/** Decodes a record; never throws: what is not a readable commit is a {@link MalformedRecord}. */
export function decodeRecord(record: RawRecord): LogRecord {
  const head = decodeHeaders(name => record.header(name))
  if (typeof head === 'string')
    return malformed(
      record,
      head,
      versionsOf(name => record.header(name)),
    )
  if (record.actor === undefined) return malformed(record, 'its place names no actor')
  const versions = { first: head.firstVersion, last: head.lastVersion }
  let body: Body
  try {
    body = decode(record.body) as Body
  } catch (error) {
    return malformed(record, `its body is not decodable (${messageOf(error)})`, versions)
  }
  const problem = findBodyProblem(body, head)
  if (problem !== undefined) return malformed(record, problem, versions)
  return toStoredCommit(record.position, record.actor, head, body)
}

function findBodyProblem(body: Body, head: CommitHeader): string | undefined {
  if (typeof body !== 'object' || body === null || !Array.isArray(body.events))
    return 'its body holds no list of events'
  if (body.events.length !== head.eventTypes.length)
    return `its body holds ${body.events.length} events, and its headers say ${head.eventTypes.length}`
  for (const [i, event] of body.events.entries()) {
    if (event?.type !== head.eventTypes[i])
      return `event ${i + 1} of its body is of another type than its headers say`
    if (event.meta !== undefined && !isObject(event.meta))
      return `the metadata of event ${i + 1} of its body is no object`
  }
  if (body.state !== undefined && !isObject(body.state))
    return 'the state in its body is no object'
  const problem = findOutboxProblem(body.says, head.outboxTargets)
  if (problem !== undefined || head.commandIds === undefined) return problem
  const commands = runsOf(head.commandIds).length
  if (!Array.isArray(body.commands) || body.commands.length !== commands)
    return `its body does not hold the answers to the ${commands} commands that its headers list`
  return body.commands.every(isObject) ? undefined : 'a command in its body is no object'
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function toStoredCommit(
  position: Position,
  actor: ActorAddress,
  head: CommitHeader,
  body: Body,
): StoredCommit {
  const { commitId, firstVersion, lastVersion, nodeId, at } = head
  const { commandId, transactionId, correlationId, causationId, traceparent } = head
  const commands = head.commandIds && batchedCommands(head, head.commandIds, body)
  let command = 0
  let left = commands?.[0]!.events ?? 0
  const events = body.events.map((event, i): RecordedEvent => {
    const recorded: RecordedEvent = {
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
    if (commands !== undefined) {
      if (left-- === 0) left = commands[++command]!.events - 1
      const { id, correlationId: correlation, causationId: cause } = commands[command]!
      return Object.assign(
        recorded,
        { commandId: id },
        correlation !== undefined && { correlationId: correlation },
        cause !== undefined && { causationId: cause },
      )
    }
    return commandId === undefined &&
      correlationId === undefined &&
      causationId === undefined
      ? recorded
      : Object.assign(
          recorded,
          commandId !== undefined && { commandId },
          correlationId !== undefined && { correlationId },
          causationId !== undefined && { causationId },
        )
  })
  return {
    kind: 'commit',
    id: commitId,
    position,
    actor,
    firstVersion,
    lastVersion,
    events,
    at,
    nodeId,
    ...(commandId !== undefined && {
      command:
        body.reply === undefined
          ? { id: commandId }
          : { id: commandId, reply: body.reply },
    }),
    ...(commands !== undefined && { commands }),
    ...(body.state !== undefined && { state: body.state }),
    ...(body.says !== undefined && { outbox: decodeOutbox(body.says) }),
    ...(transactionId !== undefined && { transactionId }),
    ...(correlationId !== undefined && { correlationId }),
    ...(causationId !== undefined && { causationId }),
    ...(traceparent !== undefined && { traceparent }),
  }
}

/** The commands of a commit of several, in order. */
function batchedCommands(
  { correlationIds }: CommitHeader,
  commandIds: readonly string[],
  body: Body,
): readonly BatchedCommand[] {
  return runsOf(commandIds).map(({ start, count }, i) => {
    const { reply, causation, traceparent } = body.commands![i]!
    const correlationId = correlationIds?.[start]
    return {
      id: commandIds[start]!,
      events: count,
      ...(reply !== undefined && { reply }),
      ...(correlationId && { correlationId }),
      ...(causation !== undefined && { causationId: causation }),
      ...(traceparent !== undefined && { traceparent }),
    }
  })
}

/** Where each run of equal texts begins, and how long it is. */
function runsOf(texts: readonly string[]): { start: number; count: number }[] {
  const runs: { start: number; count: number }[] = []
  for (const [i, text] of texts.entries()) {
    const run = runs.at(-1)
    if (run !== undefined && texts[run.start] === text) run.count++
    else runs.push({ start: i, count: 1 })
  }
  return runs
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
