// A commit ⇄ its record: headers + body.
//
// Headers hold what tools and other nodes need without decoding, and everything that a headers-only notice
// contains. The body holds the events, and what only the actor itself needs.
//
//   Cairn-Wire      1                     version of this format; 2 with Cairn-Commands
//   Cairn-Commit    <id>                  identifies one attempt to append
//   Cairn-Versions  4-6                   first and last version of its events
//   Cairn-Events    deposited*2,closed    their types, with run lengths
//   Cairn-Node      <node id>
//   Cairn-Behavior  2                     latest behavior version that has written to the history; absent for 1, and
//                                         for that of the state in the body
//   Cairn-At        1767225600000         the writer's clock, ms since 1970
//   Cairn-Says      trips.completed*2,>   targets of its outbox: a topic for a message, > for a command, @ and @-
//                                         for a timer that is set or cancelled
//   Cairn-Transaction  <id>               shared by the commits of one transaction
//   Cairn-Inbox     118                   the highest position in the inbox of a command that the actor has handled;
//                                         absent while none is known
//   Cairn-Command, Cairn-Correlation, Cairn-Causation, traceparent    where known
//   Cairn-Commands  <id>*2,<id>           the command of each event, in a commit of several commands; replaces
//   Cairn-Correlations  <id>*2,           Cairn-Command and Cairn-Correlation: the correlation of each event, or
//                                         nothing
//
// Body, MessagePack: { events: [{ type, data, meta? }], reply?, state?: { behavior, skipped?, value }, says?,
// commands?: [{ reply?, causation?, traceparent? }] };
// `says` is the outbox: { topic, version, data } is a message, { to: [type, id], command, data } a command; timers: see
// `OutboxBody`.
// A reader ignores keys that it does not know; a change that it must not ignore raises Cairn-Wire.
// Cairn-Wire and Cairn-Versions mean the same in every version: see `versionsOf`.

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
import {
  decodeHeader,
  decodeList,
  decodePosition,
  encodeHeader,
  encodeList,
} from './headers.js'
import { decode, encode } from './msgpack.js'
import {
  decodeOutbox,
  decodeOutboxHeader,
  encodeOutbox,
  findOutboxProblem,
  type OutboxBody,
  outboxHeader,
} from './outbox.js'
import { wireVersion, wireVersionBatched } from './wire-version.js'

/** Maximum number of events in one commit. */
export const commitEventsMax = 1000
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
}

/** The part of a commit that its headers hold. */
export interface CommitHeader {
  readonly commitId: string
  readonly firstVersion: Version
  readonly lastVersion: Version
  readonly eventTypes: readonly string[]
  readonly nodeId: string
  /** The latest behavior version that has written to the history. Absent: that of the state, else 1, or unknown. */
  readonly behaviorVersion?: number
  readonly at: number
  /** The targets of its outbox: see `outboxTargetOf`. Default: none. */
  readonly outboxTargets?: readonly string[]
  readonly commandId?: string
  /** The command id of each event, in a commit of several commands; then `commandId` is absent. */
  readonly commandIds?: readonly string[]
  /** The correlation id of each event, `''` for none, in a commit of several commands. */
  readonly correlationIds?: readonly string[]
  readonly transactionId?: string
  readonly inboxPosition?: Position
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
 * not text) or `commit-too-large`.
 */
export function encodeCommit(commit: NewCommit): EncodedRecord {
  const { events, state, command, commands, outbox } = commit
  checkEventCount(commit)
  if (commands !== undefined) checkBatchedCommands(commit, commands)
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
  if (commands !== undefined) body.commands = commands.map(toBatchedBody)
  const wire = commands === undefined ? wireVersion : wireVersionBatched
  const headers: [string, string][] = [
    ['Cairn-Wire', String(wire)],
    ['Cairn-Commit', headerText('commit id', commit.id)],
    ['Cairn-Versions', versionsHeader(commit.firstVersion, events.length)],
    ['Cairn-Events', encodeList(types)],
    ['Cairn-Node', headerText('node id', commit.nodeId)],
    ['Cairn-At', String(commit.at)],
  ]
  const behaviorVersion = behaviorVersionToWrite(commit)
  if (behaviorVersion !== undefined)
    headers.push(['Cairn-Behavior', String(behaviorVersion)])
  if (outbox !== undefined) headers.push(['Cairn-Says', outboxHeader(outbox)])
  const { transactionId, correlationId, causationId, traceparent } = commit
  if (transactionId !== undefined)
    headers.push(['Cairn-Transaction', headerText('transaction id', transactionId)])
  if (commit.inboxPosition !== undefined)
    headers.push(['Cairn-Inbox', String(commit.inboxPosition)])
  if (command !== undefined)
    headers.push(['Cairn-Command', headerText('command id', command.id)])
  if (commands !== undefined) {
    headers.push(['Cairn-Commands', listPerEvent(commands, ({ id }) => id)])
    if (commands.some(one => one.correlationId !== undefined))
      headers.push([
        'Cairn-Correlations',
        listPerEvent(commands, one => one.correlationId ?? ''),
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

/** The behavior version that the headers of a commit have. */
export function behaviorVersionToWrite({
  behaviorVersion = 1,
  state,
}: Pick<NewCommit, 'behaviorVersion' | 'state'>): number | undefined {
  return behaviorVersion > (state?.behavior ?? 1) ? behaviorVersion : undefined
}

/** Encodes a list with one text per event: the text of its command. */
function listPerEvent(
  commands: readonly BatchedCommand[],
  text: (command: BatchedCommand) => string,
): string {
  return encodeList(
    commands.flatMap(command =>
      Array.from({ length: command.events }, () => text(command)),
    ),
  )
}

function toBatchedBody({ reply, causationId, traceparent }: BatchedCommand): BatchedBody {
  const body: BatchedBody = {}
  if (reply !== undefined) {
    checkData(reply, 'reply')
    body.reply = reply
  }
  if (causationId !== undefined) body.causation = causationId
  if (traceparent !== undefined) body.traceparent = traceparent
  return body
}

function checkBatchedCommands(
  { actor, events, command, outbox, ...causes }: NewCommit,
  commands: readonly BatchedCommand[],
): void {
  const refuse = (why: string): never => {
    throw new CairnError(
      'invalid-option',
      `The commands of a commit of ${actor.type}/${actor.id} are invalid: ${why}.`,
      { details: { commands: commands.length, events: events.length } },
    )
  }
  let count = 0
  for (const [i, { id, events: own, correlationId, ...rest }] of commands.entries()) {
    for (const text of [id, correlationId, rest.causationId, rest.traceparent])
      if (text !== undefined) headerText('id of a command or of its causes', text)
    if (id === '' || id === commands[i - 1]?.id)
      refuse(`command id ${show(id)} is empty, or equal to the one before it`)
    if (!isCount(own) || own < 1)
      refuse(`a command has ${show(own)} events, and needs 1 or more`)
    count += own
  }
  if (count !== events.length)
    refuse(`they have ${count} events, and the commit has ${events.length}`)
  const others = [command, outbox, causes.correlationId, causes.causationId]
  if ([...others, causes.traceparent].some(other => other !== undefined))
    refuse('the commit must not have a command, causes or an outbox of its own')
}

/** Approximate size of a record as it is stored, in bytes. */
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

/** Changes the versions of an encoded commit; the rest stays as encoded. */
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
      `A commit of ${actor.type}/${actor.id} has no event: it needs at least one.`,
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

/** Reads the headers of a record. Returns the reason as a string if they are not the headers of a commit. */
export function decodeHeaders(
  header: (name: string) => string | undefined,
): CommitHeader | string {
  const wire = header('Cairn-Wire')
  if (wire === undefined) return 'it has no Cairn-Wire header, so Cairn did not write it'
  const isBatched = wire === String(wireVersionBatched)
  if (!isBatched && wire !== String(wireVersion))
    return (
      `its wire version is ${show(wire)}, and this build reads ${wireVersion} and ` +
      `${wireVersionBatched}: upgrade this node`
    )
  try {
    return readHeaders(header, isBatched)
  } catch (error) {
    return `a header is not decodable (${messageOf(error)})`
  }
}

/**
 * The versions that a record occupies, by its headers; `undefined` for a record that is not a
 * commit. This part of the format is the same in every wire version, so a node that cannot
 * read the commits of a newer one does not use their versions a second time.
 */
export function versionsOf(
  header: (name: string) => string | undefined,
): { first: Version; last: Version } | undefined {
  const decoded = decodeHeaders(header)
  if (typeof decoded === 'object')
    return { first: decoded.firstVersion, last: decoded.lastVersion }
  const wire = Number(header('Cairn-Wire'))
  const isNewer = isCount(wire) && wire > wireVersionBatched
  return isNewer ? readVersions(header('Cairn-Versions') ?? '') : undefined
}

function readHeaders(
  header: (name: string) => string | undefined,
  isBatched: boolean,
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
  const outboxTargets = decodeOutboxHeader(header('Cairn-Says'))
  if (outboxTargets === null)
    return `its Cairn-Says header is ${show(header('Cairn-Says') ?? '')}`
  const commandIds = isBatched
    ? decodeList(header('Cairn-Commands') ?? '', eventTypes.length)
    : undefined
  if (isBatched && commandIds?.every(id => id !== '') !== true)
    return 'its Cairn-Commands header does not list one command per version'
  const correlations = isBatched ? header('Cairn-Correlations') : undefined
  const correlationIds =
    correlations === undefined ? undefined : decodeList(correlations, eventTypes.length)
  if (correlations !== undefined && correlationIds === undefined)
    return 'its Cairn-Correlations header does not list one id per version'
  // A value that is not a position is ignored: it only saves searches.
  const inboxPosition = decodePosition(header('Cairn-Inbox')) || undefined
  const commandId = isBatched ? undefined : text('Cairn-Command')
  const transactionId = text('Cairn-Transaction')
  const correlationId = text('Cairn-Correlation')
  const causationId = text('Cairn-Causation')
  const traceparent = text('traceparent')
  const behaviorVersion = Number(header('Cairn-Behavior') ?? 1)
  return {
    commitId,
    firstVersion: first,
    lastVersion: last,
    eventTypes,
    nodeId: text('Cairn-Node') ?? '',
    at,
    ...(isCount(behaviorVersion) && behaviorVersion > 1 && { behaviorVersion }),
    ...(outboxTargets !== undefined && { outboxTargets }),
    ...(commandId !== undefined && { commandId }),
    ...(commandIds !== undefined && { commandIds }),
    ...(correlationIds !== undefined && { correlationIds }),
    ...(transactionId !== undefined && { transactionId }),
    ...(inboxPosition !== undefined && { inboxPosition }),
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

/** Decodes a record. Never throws: returns a {@link MalformedRecord} for a record that is not a readable commit. */
export function decodeRecord(record: RawRecord): LogRecord {
  const header = decodeHeaders(name => record.header(name))
  if (typeof header === 'string')
    return malformed(
      record,
      header,
      versionsOf(name => record.header(name)),
    )
  if (record.actor === undefined)
    return malformed(record, 'its subject or key does not name an actor')
  const versions = { first: header.firstVersion, last: header.lastVersion }
  let body: Body
  try {
    body = decode(record.body) as Body
  } catch (error) {
    return malformed(record, `its body is not decodable (${messageOf(error)})`, versions)
  }
  const problem = findBodyProblem(body, header)
  if (problem !== undefined) return malformed(record, problem, versions)
  return toStoredCommit(record.position, record.actor, header, body)
}

function findBodyProblem(body: Body, header: CommitHeader): string | undefined {
  if (typeof body !== 'object' || body === null || !Array.isArray(body.events))
    return 'its body has no list of events'
  if (body.events.length !== header.eventTypes.length)
    return `its body has ${body.events.length} events, and its headers list ${header.eventTypes.length}`
  for (const [i, event] of body.events.entries()) {
    if (event?.type !== header.eventTypes[i])
      return `event ${i + 1} of its body has another type than its headers list`
    if (event.meta !== undefined && !isObject(event.meta))
      return `the metadata of event ${i + 1} of its body is not an object`
  }
  if (body.state !== undefined && !isObject(body.state))
    return 'the state in its body is not an object'
  const problem = findOutboxProblem(body.says, header.outboxTargets)
  if (problem !== undefined || header.commandIds === undefined) return problem
  const commands = runsOf(header.commandIds).length
  if (!Array.isArray(body.commands) || body.commands.length !== commands)
    return `its body does not have an entry for each of the ${commands} commands that its headers list`
  return body.commands.every(isObject)
    ? undefined
    : 'a command in its body is not an object'
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function toStoredCommit(
  position: Position,
  actor: ActorAddress,
  header: CommitHeader,
  body: Body,
): StoredCommit {
  const { commitId, firstVersion, lastVersion, nodeId, at, behaviorVersion } = header
  const { commandId, transactionId, correlationId, causationId, traceparent } = header
  const { inboxPosition } = header
  const commands = header.commandIds && toBatchedCommands(header, header.commandIds, body)
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
    ...(behaviorVersion !== undefined && { behaviorVersion }),
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
    ...(inboxPosition !== undefined && { inboxPosition }),
    ...(correlationId !== undefined && { correlationId }),
    ...(causationId !== undefined && { causationId }),
    ...(traceparent !== undefined && { traceparent }),
  }
}

/** The commands of a commit of several commands, in order. */
function toBatchedCommands(
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

/** The start and length of each run of equal texts. */
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
