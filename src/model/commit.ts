// Commits: the unit of storage. One commit is one record, stored whole or not at all.

import type { ActorAddress } from './address.js'
import type { NewEvent, RecordedEvent } from './event.js'
import type { OutboxEntry } from './outbox.js'
import type { Position, Version } from './version.js'
import type { PendingWork } from './work.js'
import type { Writable } from './writable.js'

/** Maximum number of events in one commit. */
export const commitEventsMax = 1000

/** An actor's folded state after a commit, stored in the commit so that waking the actor is one read. */
export interface InlineState {
  /** Version of the behavior that folded it; a behavior of another version does not use it. */
  readonly behavior: number
  /**
   * The versions up to here that folding skipped because an operator said so, as `"3,7-9"`; absent
   * for none. The state is used only by a reader that skips the same versions.
   */
  readonly skipped?: string
  readonly value: unknown
  /** The work of the actor that has not ended; absent for none. */
  readonly works?: readonly PendingWork[]
}

/** The command of a commit, with its reply. */
export interface CommittedCommand {
  readonly id: string
  /** The command's name and a hash of its data, if a caller chose the id; absent in commits of older builds. */
  readonly digest?: string
  readonly reply?: unknown
}

/** One of several commands whose events are stored as one commit. */
export interface BatchedCommand extends CommittedCommand, Causes {
  /** Number of the commit's events that belong to this command, at least 1; they follow those of the command before it. */
  readonly events: number
}

/** Ids that link a command, commit or message to what caused it. */
export interface Causes {
  /**
   * Shared by everything that one outside request caused: 1 to 1,024 bytes of well-formed text
   * without control characters. A command or message with another text gets an id derived from it
   * instead, `corr-` and 24 hexadecimal digits, always the same; the store rejects such a text.
   */
  readonly correlationId?: string
  /** Id of the command or event that directly caused this. */
  readonly causationId?: string
  /** W3C trace context, passed on unchanged; the same characters as in a correlation id are valid. */
  readonly traceparent?: string
  /**
   * Who asked, as the door that the request came through knows it: 1 to 256 bytes of well-formed text without control
   * characters. It is passed on to all that the request causes; Cairn itself never reads it.
   */
  readonly principal?: string
}

/** The same where a caller gives them: one that is `undefined` is as one that is left out. */
export type GivenCauses = {
  readonly [Name in keyof Causes]?: Causes[Name] | undefined
}

/**
 * What a writer says of a commit beside its content: each is one header. It is copied as a whole from the options of
 * an append to the commit, from there to its headers, and back.
 */
export interface CommitExtras extends Causes {
  /**
   * The latest behavior version that has written to the actor's history, up to this commit. Default: that of the state;
   * without one, 1 or unknown.
   */
  readonly behaviorVersion?: number
  /** Shared by the commits of several actors that are stored together, all or none. */
  readonly transactionId?: string
  /** The highest position in the inbox of a command that the actor has handled; absent while none is known. */
  readonly inboxPosition?: Position
}

/** Copies those that are not `undefined`. */
export function copyExtras(
  from: CommitExtras,
  to: Writable<CommitExtras>,
  except?: 'behaviorVersion',
): void {
  const { behaviorVersion, transactionId, inboxPosition } = from
  const { correlationId, causationId, traceparent, principal } = from
  // Named one by one: a loop over names costs several times as much, in every append and read.
  if (behaviorVersion !== undefined && except !== 'behaviorVersion')
    to.behaviorVersion = behaviorVersion
  if (transactionId !== undefined) to.transactionId = transactionId
  if (inboxPosition !== undefined) to.inboxPosition = inboxPosition
  if (correlationId !== undefined) to.correlationId = correlationId
  if (causationId !== undefined) to.causationId = causationId
  if (traceparent !== undefined) to.traceparent = traceparent
  if (principal !== undefined) to.principal = principal
}

/** What a commit has before and after it is stored. */
export interface CommitFields extends CommitExtras {
  /** Unique per attempt to write: after an unclear outcome it tells whether the stored commit is the writer's own. */
  readonly id: string
  readonly actor: ActorAddress
  readonly firstVersion: Version
  /** The time of the decision by the writer's clock, in milliseconds since 1970. */
  readonly at: number
  readonly nodeId: string
  readonly command?: CommittedCommand
  /** One or more commands, in order, instead of `command` and of causes; together, their events are those of the commit. */
  readonly commands?: readonly BatchedCommand[]
  readonly state?: InlineState
  /** Messages, commands, timers and work of the actor: stored together with the events or not at all. */
  readonly outbox?: readonly OutboxEntry[]
}

/** The part of a commit that its headers hold. */
export interface CommitHeader extends CommitExtras {
  readonly commitId: string
  readonly firstVersion: Version
  readonly lastVersion: Version
  readonly eventTypes: readonly string[]
  readonly nodeId: string
  readonly at: number
  /** The targets of its outbox: see `outboxTargetOf`. Default: none. */
  readonly outboxTargets?: readonly string[]
  readonly commandId?: string
  /** The command id of each event, in a commit of several commands; then `commandId` is absent. */
  readonly commandIds?: readonly string[]
  /** The correlation id of each event, `''` for none, in a commit of several commands. */
  readonly correlationIds?: readonly string[]
  /** Whether the actor has work that has not ended, or this commit says something of work. Default: neither. */
  readonly hasWork?: true
}

/** A commit before it is stored. */
export interface NewCommit extends CommitFields {
  /** At least one. */
  readonly events: readonly NewEvent[]
}

/** A commit as stored in the log. */
export interface StoredCommit extends CommitFields {
  readonly kind: 'commit'
  readonly position: Position
  readonly lastVersion: Version
  readonly events: readonly RecordedEvent[]
}

/**
 * A record in the log that is not a readable commit. It is reported and skipped; other records
 * are not affected.
 */
export interface MalformedRecord {
  readonly kind: 'malformed'
  readonly position: Position
  /** The subject, or the key of the embedded store, that it was found under. */
  readonly source: string
  /** The actor that it is stored under, if its subject or key names one. */
  readonly actor?: ActorAddress
  /**
   * Present if its headers are valid and only its body is not: it takes these versions, whose events
   * cannot be read. Absent for a foreign message, which is not part of a history.
   */
  readonly versions?: { readonly first: Version; readonly last: Version }
  readonly reason: string
  /** The stored bytes of the body. */
  readonly raw: Uint8Array
  readonly headers: Readonly<Record<string, string>>
}

/** A record of the log. Branch on `kind`. */
export type LogRecord = StoredCommit | MalformedRecord

/** The versions of a commit that belong to one command. */
export interface CommitSlice {
  readonly firstVersion: Version
  readonly lastVersion: Version
  /** Absent if the commit has no command. */
  readonly command?: CommittedCommand
  /** The correlation id of its events. */
  readonly correlationId?: string | undefined
}

/** What a version of a commit comes from: its causes, and the id of its command. */
export function originAt(
  commit: StoredCommit,
  version: Version,
): { readonly causes: Causes; readonly commandId: string | undefined } {
  const { command, commands } = commit
  if (commands === undefined) return { causes: commit, commandId: command?.id }
  let last = commit.firstVersion - 1
  const own = commands.find(({ events }) => version <= (last += events))
  return { causes: own ?? commit, commandId: own?.id }
}

/** Returns the slices of a commit in order: one per command, or one for the whole commit. */
export function commitSlicesOf(commit: StoredCommit): readonly CommitSlice[] {
  if (commit.commands === undefined) return [commit]
  let firstVersion = commit.firstVersion
  return commit.commands.map(command => {
    const lastVersion = firstVersion + command.events - 1
    const { correlationId } = command
    const slice = { firstVersion, lastVersion, command, correlationId }
    firstVersion = lastVersion + 1
    return slice
  })
}
