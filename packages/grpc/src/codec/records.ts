// Events, commits, records and what is appended ⇄ the contract's messages.

import { create } from '@bufbuild/protobuf'
import type { ActorAddress, EventStored, RecordedEvent } from 'cairn-es'
import { CairnError } from 'cairn-es'
import type {
  AppendOptions,
  BatchedCommand,
  Causes,
  CommittedCommand,
  ExpectedVersion,
  InlineState,
  LogRecord,
  MalformedRecord,
  NewEvent,
  OutboxEntry,
  StoredCommit,
} from 'cairn-es/store'

import * as pb from '../gen/cairn/v1/data_pb.js'
import {
  type AppendExtras,
  AppendExtrasSchema,
  type EventStored as PbEventStored,
  EventStoredSchema,
  type Expected,
  ExpectedSchema,
} from '../gen/cairn/v1/store_pb.js'
import { dataField, fromData } from './data.js'

/** Leaves out what is `undefined`. */
export function defined<T extends object>(
  fields: T,
): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as { [Key in keyof T]?: Exclude<T[Key], undefined> }
}

/** A count of the contract as a number. */
export function countOf(value: bigint): number {
  return Number(value)
}

function optionalCount(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value)
}

/** A whole time as the contract has it. */
function msOf(at: number): bigint {
  return BigInt(Math.round(at))
}

// Actors

export function toActor({ type, id }: ActorAddress): pb.Actor {
  return create(pb.ActorSchema, { type, id })
}

/** Throws `invalid-actor-id`. Whether the type and the id are valid, the store says. */
export function fromActor(actor: pb.Actor | undefined): ActorAddress {
  if (actor !== undefined) return { type: actor.type, id: actor.id }
  throw new CairnError(
    'invalid-actor-id',
    'The request names no actor: pass actor with type and id.',
  )
}

// Causes

export function toCauses(causes: Causes): pb.Causes | undefined {
  const { correlationId = '', causationId = '', traceparent = '' } = causes
  if (correlationId === '' && causationId === '' && traceparent === '') return undefined
  return create(pb.CausesSchema, { correlationId, causationId, traceparent })
}

function causesField(causes: Causes): { causes?: pb.Causes } {
  return defined({ causes: toCauses(causes) })
}

export function fromCauses(causes: pb.Causes | undefined): Causes {
  if (causes === undefined) return {}
  const { correlationId, causationId, traceparent } = causes
  return defined({
    correlationId: correlationId || undefined,
    causationId: causationId || undefined,
    traceparent: traceparent || undefined,
  })
}

// Events

export function toNewEvent({ type, data, metadata = {} }: NewEvent): pb.NewEvent {
  return create(pb.NewEventSchema, {
    type,
    metadata: { ...metadata },
    ...dataField('data', data),
  })
}

export function fromNewEvent({ type, data, metadata }: pb.NewEvent): NewEvent {
  return {
    type,
    data: fromData(data),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  }
}

export function toEvent(event: RecordedEvent): pb.Event {
  const { id, actor, type, data, metadata, version, at, nodeId } = event
  const { commandId, correlationId, causationId } = event
  // What only the store knows is not there yet in an event that was just decided.
  const { position = 0, commitId = '' } = event as Partial<RecordedEvent>
  return create(pb.EventSchema, {
    id,
    actor: toActor(actor),
    type,
    metadata: { ...metadata },
    version: BigInt(version),
    position: BigInt(position),
    commitId,
    atMs: msOf(at),
    nodeId,
    ...defined({ commandId, correlationId, causationId }),
    ...dataField('data', data),
  })
}

export function fromEvent(event: pb.Event): RecordedEvent {
  const { id, type, metadata, commitId, nodeId } = event
  const { commandId, correlationId, causationId } = event
  return {
    kind: 'event',
    id,
    actor: fromActor(event.actor),
    type,
    data: fromData(event.data),
    metadata,
    version: countOf(event.version),
    position: countOf(event.position),
    commitId,
    at: Number(event.atMs),
    nodeId,
    ...defined({ commandId, correlationId, causationId }),
  }
}

export function toEventStored(notice: EventStored): PbEventStored {
  const { namespace, actor, eventId, eventType, version, position } = notice
  const { commitId, nodeId, timestamp, commandId, correlationId } = notice
  return create(EventStoredSchema, {
    namespace,
    actor: toActor(actor),
    eventId,
    eventType,
    version: BigInt(version),
    position: BigInt(position),
    commitId,
    nodeId,
    timestampMs: msOf(timestamp),
    ...defined({ commandId, correlationId }),
  })
}

// Commands of commits

function toCommand(command: CommittedCommand | BatchedCommand): pb.CommittedCommand {
  const { id, digest, reply } = command
  const events = 'events' in command ? command.events : 0
  return create(pb.CommittedCommandSchema, {
    id,
    events,
    ...defined({ digest }),
    ...dataField('reply', reply),
    ...('events' in command ? causesField(command) : {}),
  })
}

function fromCommand({ id, digest, reply }: pb.CommittedCommand): CommittedCommand {
  return {
    id,
    ...defined({ digest }),
    ...(reply !== undefined && { reply: fromData(reply) }),
  }
}

function fromBatchedCommand(command: pb.CommittedCommand): BatchedCommand {
  return {
    ...fromCommand(command),
    events: command.events,
    ...fromCauses(command.causes),
  }
}

// State and outbox

function toState({ behavior, skipped, value, works = [] }: InlineState): pb.InlineState {
  return create(pb.InlineStateSchema, {
    behavior,
    ...defined({ skipped }),
    ...dataField('value', value),
    works: works.map(({ key, ...terms }) => ({ key, terms: toPerform(terms) })),
  })
}

function fromState({ behavior, skipped, value, works }: pb.InlineState): InlineState {
  return {
    behavior,
    ...defined({ skipped }),
    value: fromData(value),
    ...(works.length > 0 && {
      works: works.map(({ key, terms }) => ({ key, ...fromPerform(terms) })),
    }),
  }
}

type WorkTerms = Omit<Extract<OutboxEntry, { kind: 'perform' }>, 'kind'>

function toPerform({ work, name, data, done, failed, retry, timeout }: WorkTerms) {
  return create(pb.OutboxPerformSchema, {
    work,
    done,
    failed,
    ...dataField('data', data),
    ...(retry !== undefined && dataField('retry', retry)),
    ...defined({ name, timeoutMs: timeout }),
  })
}

function fromPerform(terms: pb.OutboxPerform | undefined): WorkTerms {
  const { work = '', name, data, done = '', failed = '', retry, timeoutMs } = terms ?? {}
  return {
    work,
    ...defined({ name }),
    data: fromData(data),
    done,
    failed,
    ...(retry !== undefined && { retry: fromData(retry) as WorkTerms['retry'] & object }),
    ...defined({ timeout: timeoutMs }),
  }
}

export function toOutboxEntry(entry: OutboxEntry): pb.OutboxEntry {
  switch (entry.kind) {
    case 'message': {
      const { topic, version, data } = entry
      const value = create(pb.OutboxMessageSchema, {
        topic,
        version,
        ...dataField('data', data),
        headers: { ...entry.headers },
      })
      return create(pb.OutboxEntrySchema, { entry: { case: 'message', value } })
    }
    case 'command': {
      const { actor, type, data } = entry
      const value = create(pb.OutboxCommandSchema, {
        actor: toActor(actor),
        type,
        ...dataField('data', data),
      })
      return create(pb.OutboxEntrySchema, { entry: { case: 'command', value } })
    }
    case 'timer': {
      const { name, at, every, skipAfter, type, data } = entry
      const value = create(pb.OutboxTimerSchema, {
        name,
        atMs: msOf(at),
        type,
        ...defined({
          everyMs: every === undefined ? undefined : msOf(every),
          skipAfterMs: skipAfter === undefined ? undefined : msOf(skipAfter),
        }),
        ...dataField('data', data),
      })
      return create(pb.OutboxEntrySchema, { entry: { case: 'timer', value } })
    }
    case 'cancel': {
      const value = create(pb.OutboxTimerCancelSchema, { name: entry.name })
      return create(pb.OutboxEntrySchema, { entry: { case: 'cancel', value } })
    }
    case 'perform': {
      const value = toPerform(entry)
      return create(pb.OutboxEntrySchema, { entry: { case: 'perform', value } })
    }
    case 'stop': {
      const { work, name } = entry
      const value = create(pb.OutboxStopSchema, { work, ...defined({ name }) })
      return create(pb.OutboxEntrySchema, { entry: { case: 'stop', value } })
    }
  }
}

/** Throws `invalid-data` for an entry without content. */
export function fromOutboxEntry({ entry }: pb.OutboxEntry): OutboxEntry {
  switch (entry.case) {
    case 'message': {
      const { topic, version, data, headers } = entry.value
      return {
        kind: 'message',
        topic,
        version: version || 1,
        data: fromData(data),
        ...(Object.keys(headers).length > 0 && { headers: { ...headers } }),
      }
    }
    case 'command': {
      const { actor, type, data } = entry.value
      return { kind: 'command', actor: fromActor(actor), type, data: fromData(data) }
    }
    case 'timer': {
      const { name, atMs, everyMs, skipAfterMs, type, data } = entry.value
      return {
        kind: 'timer',
        name,
        at: Number(atMs),
        type,
        data: fromData(data),
        ...defined({
          every: optionalCount(everyMs),
          skipAfter: optionalCount(skipAfterMs),
        }),
      }
    }
    case 'cancel':
      return { kind: 'cancel', name: entry.value.name }
    case 'perform':
      return { kind: 'perform', ...fromPerform(entry.value) }
    case 'stop': {
      const { work, name } = entry.value
      return { kind: 'stop', work, ...defined({ name }) }
    }
    case undefined:
      throw new CairnError(
        'invalid-data',
        'An outbox entry is empty: set message, command, timer, cancel, perform or stop.',
      )
  }
}

// Records

export function toRecord(record: LogRecord): pb.Record {
  return create(pb.RecordSchema, {
    record:
      record.kind === 'commit'
        ? { case: 'commit', value: toCommit(record) }
        : { case: 'malformed', value: toMalformed(record) },
  })
}

/** Throws `remote-failure` for a record of a later contract. */
export function fromRecord(record: pb.Record | undefined): LogRecord {
  switch (record?.record.case) {
    case 'commit':
      return fromCommit(record.record.value)
    case 'malformed':
      return fromMalformed(record.record.value)
    default:
      throw new CairnError(
        'remote-failure',
        'The door sent a record of a kind that this client does not know: upgrade the client.',
      )
  }
}

function toCommit(commit: StoredCommit): pb.Commit {
  const { id, actor, position, firstVersion, lastVersion, at, nodeId } = commit
  const { command, commands = [], state, outbox = [] } = commit
  const { behaviorVersion, transactionId, inboxPosition } = commit
  return create(pb.CommitSchema, {
    id,
    actor: toActor(actor),
    position: BigInt(position),
    firstVersion: BigInt(firstVersion),
    lastVersion: BigInt(lastVersion),
    atMs: msOf(at),
    nodeId,
    events: commit.events.map(toEvent),
    commands: commands.map(toCommand),
    outbox: outbox.map(toOutboxEntry),
    ...causesField(commit),
    ...defined({
      command: command && toCommand(command),
      state: state && toState(state),
      behaviorVersion,
      transactionId,
      inboxPosition: inboxPosition === undefined ? undefined : BigInt(inboxPosition),
    }),
  })
}

function fromCommit(commit: pb.Commit): StoredCommit {
  const { id, nodeId, command, commands, state, outbox } = commit
  const { behaviorVersion, transactionId, inboxPosition } = commit
  return {
    kind: 'commit',
    id,
    actor: fromActor(commit.actor),
    position: countOf(commit.position),
    firstVersion: countOf(commit.firstVersion),
    lastVersion: countOf(commit.lastVersion),
    at: Number(commit.atMs),
    nodeId,
    events: commit.events.map(fromEvent),
    ...fromCauses(commit.causes),
    ...defined({
      command: command && fromCommand(command),
      commands: commands.length > 0 ? commands.map(fromBatchedCommand) : undefined,
      state: state && fromState(state),
      outbox: outbox.length > 0 ? outbox.map(fromOutboxEntry) : undefined,
      behaviorVersion,
      transactionId,
      inboxPosition: optionalCount(inboxPosition),
    }),
  }
}

export function toMalformed(record: MalformedRecord): pb.Malformed {
  const { position, source, actor, versions, reason, raw, headers } = record
  return create(pb.MalformedSchema, {
    position: BigInt(position),
    source,
    reason,
    raw: new Uint8Array(raw),
    headers: { ...headers },
    ...defined({
      actor: actor && toActor(actor),
      firstVersion: versions && BigInt(versions.first),
      lastVersion: versions && BigInt(versions.last),
    }),
  })
}

export function fromMalformed(record: pb.Malformed): MalformedRecord {
  const { source, actor, firstVersion, lastVersion, reason, raw, headers } = record
  return {
    kind: 'malformed',
    position: countOf(record.position),
    source,
    reason,
    raw,
    headers,
    ...defined({
      actor: actor && fromActor(actor),
      versions:
        firstVersion === undefined || lastVersion === undefined
          ? undefined
          : { first: Number(firstVersion), last: Number(lastVersion) },
    }),
  }
}

// What is appended

export function toExpected(expected: ExpectedVersion): Expected {
  return create(ExpectedSchema, {
    version:
      typeof expected === 'number'
        ? { case: 'exactly', value: BigInt(expected) }
        : { case: expected, value: true },
  })
}

/** Absent: any. */
export function fromExpected(expected: Expected | undefined): ExpectedVersion {
  switch (expected?.version.case) {
    case 'exactly':
      return countOf(expected.version.value)
    case 'none':
    case 'exists':
      return expected.version.case
    default:
      return 'any'
  }
}

type Extras = Omit<AppendOptions, 'expected' | 'signal' | 'timeout' | keyof Causes>

export function toExtras(options: Extras): AppendExtras | undefined {
  const { command, commands, state, outbox, at, behaviorVersion, inboxPosition } = options
  const hasNone =
    [command, commands, state, outbox, at, behaviorVersion, inboxPosition].filter(
      value => value !== undefined,
    ).length === 0
  if (hasNone) return undefined
  return create(AppendExtrasSchema, {
    commands: (commands ?? []).map(toCommand),
    outbox: (outbox ?? []).map(toOutboxEntry),
    ...defined({
      command: command && toCommand(command),
      state: state && toState(state),
      atMs: at === undefined ? undefined : msOf(at),
      behaviorVersion,
      inboxPosition: inboxPosition === undefined ? undefined : BigInt(inboxPosition),
    }),
  })
}

export function fromExtras(extras: AppendExtras | undefined): Extras {
  if (extras === undefined) return {}
  const { command, commands, state, outbox, atMs } = extras
  const { behaviorVersion, inboxPosition } = extras
  return defined({
    command: command && fromCommand(command),
    commands: commands.length > 0 ? commands.map(fromBatchedCommand) : undefined,
    state: state && fromState(state),
    outbox: outbox.length > 0 ? outbox.map(fromOutboxEntry) : undefined,
    at: optionalCount(atMs),
    behaviorVersion,
    inboxPosition: optionalCount(inboxPosition),
  })
}
