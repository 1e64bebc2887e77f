// Commits: the unit that is stored. One commit is one record, whole or not at all.

import type { ActorAddress } from './address.js'
import type { NewEvent, RecordedEvent } from './event.js'
import type { OutboxEntry } from './outbox.js'
import type { Position, Version } from './version.js'

/** An actor's state after a commit, carried inside it so that waking is one read. */
export interface InlineState {
  /** Version of the behavior that folded it; another version's state is not used. */
  readonly behavior: number
  /**
   * The versions up to here that were passed over on an operator's word, as `"3,7-9"`; absent
   * for none. A state is used only by who passes over the same.
   */
  readonly skipped?: string
  readonly value: unknown
}

/** The command that led to a commit, with the answer it got. */
export interface CommittedCommand {
  readonly id: string
  readonly reply?: unknown
}

/**
 * One of several commands that an actor carried out one after another, and whose events are
 * stored as one commit.
 */
export interface BatchedCommand extends CommittedCommand, Causes {
  /** How many of the commit's events are its own, at least 1; they follow the ones of the command before it. */
  readonly events: number
}

/** Ids that tie a commit to what caused it. */
export interface Causes {
  /**
   * Shared by everything that one outside request set off: 1 to 1,024 bytes of well-formed text
   * without control characters. A command or a message given with another text has one made of
   * it instead, `corr-` and 24 hexadecimal digits, always the same; the store refuses it.
   */
  readonly correlationId?: string
  /** Id of the command or event that directly caused this. */
  readonly causationId?: string
  /** W3C trace context, passed on as it came; the same text as a correlation id. */
  readonly traceparent?: string
}

/** A commit before it is stored. */
export interface NewCommit extends Causes {
  /** Unique per attempt to write: it tells "mine" from "another's" after an unclear outcome. */
  readonly id: string
  readonly actor: ActorAddress
  readonly firstVersion: Version
  /** At least one. */
  readonly events: readonly NewEvent[]
  readonly at: number
  readonly nodeId: string
  readonly command?: CommittedCommand
  /** Instead of `command` and of causes: one or more commands, whose events together are all of the commit's. */
  readonly commands?: readonly BatchedCommand[]
  readonly state?: InlineState
  /** What the actor says with it: stored together with the events or not at all. */
  readonly outbox?: readonly OutboxEntry[]
  /** Shared by the commits of several actors that are stored together. */
  readonly transactionId?: string
}

/** A commit as it stands in the log. */
export interface StoredCommit extends Causes {
  readonly kind: 'commit'
  readonly id: string
  readonly position: Position
  readonly actor: ActorAddress
  readonly firstVersion: Version
  readonly lastVersion: Version
  readonly events: readonly RecordedEvent[]
  readonly at: number
  readonly nodeId: string
  readonly command?: CommittedCommand
  /** Where several commands were stored as one commit: all of them, in order, and no `command`. */
  readonly commands?: readonly BatchedCommand[]
  readonly state?: InlineState
  readonly outbox?: readonly OutboxEntry[]
  /** Shared by the commits of several actors that were stored together, all of them or none. */
  readonly transactionId?: string
}

/**
 * A record in the log that is not a readable commit. It is reported and skipped; the
 * records around it are unaffected.
 */
export interface MalformedRecord {
  readonly kind: 'malformed'
  readonly position: Position
  /** Where it was found: a subject, or a key of the embedded store. */
  readonly source: string
  /** The actor whose place it takes, where the place names one. */
  readonly actor?: ActorAddress
  /**
   * Present when its headers are whole and only its body is not: these versions are taken,
   * and their events cannot be read. Absent for a foreign message, which is no history.
   */
  readonly versions?: { readonly first: Version; readonly last: Version }
  readonly reason: string
  /** The body's bytes as they were stored. */
  readonly raw: Uint8Array
  readonly headers: Readonly<Record<string, string>>
}

/** What reading the log yields. Branch on `kind`. */
export type LogRecord = StoredCommit | MalformedRecord

/** What one command came to, within its commit. */
export interface CommandCommit {
  readonly firstVersion: Version
  readonly lastVersion: Version
  /** Absent where no command led to the commit. */
  readonly command?: CommittedCommand
}

/** What a commit consists of, in order: one act for each command, or one alone. */
export function commandCommitsOf(commit: StoredCommit): readonly CommandCommit[] {
  if (commit.commands === undefined) return [commit]
  let firstVersion = commit.firstVersion
  return commit.commands.map(command => {
    const lastVersion = firstVersion + command.events - 1
    const act = { firstVersion, lastVersion, command }
    firstVersion = lastVersion + 1
    return act
  })
}
