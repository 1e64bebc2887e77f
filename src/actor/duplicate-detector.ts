// The duplicate detector: whether a command was handled before, and with which outcome. One per actor.
//
// Owns the actor's command window. A commit is in the window while fewer than `commands` later ones
// follow it and it is younger than `ms`. A command that stored nothing leaves no trace. A commit of
// several commands counts as that many commits, each with its own versions.
// DUPLICATES-1. "Not handled" is a statement about a version, and rests on every commit in the window
//     up to it. So an append that expects this version cannot repeat a command.
// DUPLICATES-2. "Handled" is proven by the commit itself, read from the log.
// DUPLICATES-3. A new id is not searched for before its first append, because no other node can know
//     it. After a conflict it is searched for in all commits since the expected version, however many.
// DUPLICATES-4. Without a given id or a conflict, nothing is kept and nothing is read.
// DUPLICATES-5. A command that was stored before it is delivered (model/redelivery.ts) is searched for in all commits
//     after the position of the log at which it was sent, however many. No clock decides. The search needs no read while
//     the window holds those commits, and it makes the window hold them.
// DUPLICATES-6. The commands of an actor's inbox are delivered in the order of their positions. Each commit carries the
//     highest one that the actor has handled, so the first delivery of a later one needs no search. A writer that does
//     not carry it on makes it unknown. The next one to carry is then the highest in all that was searched, at least.
// DUPLICATES-7. The search costs no more for a longer history: what was read stays in the window.
// DUPLICATES-8. A search continues to its end after its caller has stopped waiting, and its result is
//     kept for the next search. Otherwise a command would never be answered where reading takes
//     longer than callers wait. Stopping the actor aborts the search.
// DUPLICATES-9. A commit keeps the digest of a command whose id a caller chose. The same id with another digest is no
//     duplicate but a slip of the caller, and fails. A commit without a digest answers every command of its id.

import { type ActorAddress, formatAddress } from '../model/address.js'
import { commitSlicesOf, type LogRecord, type MalformedRecord } from '../model/commit.js'
import { CairnError } from '../model/errors.js'
import type { AcceptedOutcome } from '../model/command-sender.js'
import { newId } from '../model/id.js'
import { outboxEntryIds } from '../model/outbox.js'
import type { Redelivery } from '../model/redelivery.js'
import { show } from '../model/show.js'
import type { Position, Version } from '../model/version.js'
import type { EventStore, Head } from '../store/event-store/event-store.js'
import { commandIdsOf } from './causes.js'
import { checkSameCommand } from './command-digest.js'
import {
  resolveCommandWindow,
  CommandWindow,
  heldCommitsMax,
  type CommandWindowOptions,
} from './command-window.js'
import { type DatedEntry, type CommandEntry, commandEntriesOf } from './command-entry.js'
import type { FoldedState } from './fold.js'

/** The search for an earlier handling of one command; without any bound, the command is certainly new (DUPLICATES-3). */
export interface DuplicateSearch {
  readonly commandId: string
  /** DUPLICATES-9. */
  readonly digest?: string | undefined
  /** Search the command window. */
  readonly inWindow?: boolean
  /** Search all commits after this version and this position, whatever their age or number. */
  readonly since?: { readonly version: Version; readonly position: Position }
  /** DUPLICATES-6. Its position in the inbox, if the inbox has it for the first time. */
  readonly inboxPosition?: Position | undefined
}

/** What is known of the version that a command is decided on. */
type DecidedOn = Pick<FoldedState, 'version' | 'inboxPosition'>

/** What a search uses of the actor's host. */
export interface DuplicateDetectorPorts {
  readonly store: Pick<EventStore, 'commits'>
  /** Runs `work` while it holds one of the host's wake slots. */
  withWakeSlot<T>(work: () => Promise<T>, signal: AbortSignal, doing: string): Promise<T>
}

/** The result of a search; `lagging` when the records that were read end before the version in question. */
export type SearchResult = AcceptedOutcome | 'none' | 'lagging'

export class DuplicateDetector {
  readonly #actor: ActorAddress
  readonly #ports: DuplicateDetectorPorts
  readonly #windowSize: number
  readonly #windowMs: number
  #window: CommandWindow | undefined
  /** The window has no content yet, or its content is no longer valid. */
  #isWindowBlank = false
  /** DUPLICATES-8. */
  #stopping: AbortController | undefined
  /** DUPLICATES-8: a match that was found after its caller had stopped waiting. */
  #lateMatch: { readonly commandId: string; readonly record: LogRecord } | undefined
  /** The highest position in the inbox that a commit in the window, or one before it, carries (DUPLICATES-6). */
  #inboxPosition: Position = 0

  constructor(
    actor: ActorAddress,
    ports: DuplicateDetectorPorts,
    options: CommandWindowOptions | undefined,
  ) {
    const { commands, ms } = resolveCommandWindow(options)
    this.#actor = actor
    this.#ports = ports
    this.#windowSize = commands
    this.#windowMs = ms
  }

  /** Memory of the window. */
  get bytes(): number {
    return this.#window?.bytes ?? 0
  }

  /** DUPLICATES-8. */
  stop(): void {
    this.#stopping?.abort()
  }

  /** The search for a command before its first attempt. */
  startSearch(
    commandId: string,
    isNew: boolean,
    redelivery?: Redelivery,
    digest?: string,
  ): DuplicateSearch {
    if (isNew) return { commandId }
    if (this.#window === undefined) {
      this.#window = new CommandWindow(this.#windowSize, 0)
      this.#isWindowBlank = true
    }
    if (redelivery === undefined) return { commandId, inWindow: true, digest }
    const { sentAfter, isCallersId = false, inbox } = redelivery
    return {
      commandId,
      digest,
      inWindow: isCallersId,
      since: { version: 0, position: sentAfter },
      inboxPosition: inbox?.isFirst === true ? inbox.position : undefined,
    }
  }

  /** The search after a conflict of an append that expected `version` (DUPLICATES-3). */
  continueSearch(
    { commandId, digest }: DuplicateSearch,
    version: Version,
    actual: Version,
  ): DuplicateSearch {
    // The log was replaced: nothing that was read before counts.
    if (actual < version) return this.startSearch(commandId, false, undefined, digest)
    this.#window ??= new CommandWindow(this.#windowSize, version)
    return { commandId, digest, since: { version, position: 0 } }
  }

  /** The position in the inbox that the commit of a command carries (DUPLICATES-6). */
  inboxPositionAfter(
    redelivery: Redelivery | undefined,
    carried: Position | undefined,
  ): Position | undefined {
    const own = redelivery?.inbox?.position
    if (own === undefined) return carried
    return Math.max(own, carried ?? 0, this.#inboxPosition)
  }

  /** Adds every head that is read to the window, which saves reading it again. */
  onHead({ version, last }: Head, now: number): void {
    const window = this.#window
    if (window === undefined) return
    // The log was replaced: it was restored, or the actor was erased.
    if (version < window.upTo) this.#forget()
    if (version === 0) return this.#restart(window, 0, 0)
    const entries = last && commandEntriesOf(last)
    if (entries === undefined) return
    this.#noteInboxPosition(last)
    if (this.#isWindowBlank) this.#restartBefore(window, entries[0])
    for (const entry of entries)
      if (window.addIfNext(entry) && this.#isExpired(entry, now)) window.coverFromStart()
  }

  /** Adds every commit of this actor that this node has stored to the window. */
  onStored(stored: CommandEntry): void {
    if (!this.#isWindowBlank) this.#window?.addIfNext(stored)
  }

  /** Whether it is known without a read that the command was not handled at or before the version (DUPLICATES-1). */
  isKnownNew(search: DuplicateSearch, on: DecidedOn): boolean {
    const since = sinceOf(search, on)
    if (search.inWindow !== true && since === undefined) return true
    return (
      this.#holds(search, since, on.version) &&
      !this.#window!.mayContain(search.commandId)
    )
  }

  /**
   * Searches for a handling of the command at or before the version (DUPLICATES-1, DUPLICATES-2). Throws
   * the errors of reading, and `storage-failed` when the commit is found and its reply is unreadable.
   */
  async find(
    search: DuplicateSearch,
    on: DecidedOn,
    now: number,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<SearchResult> {
    if (this.isKnownNew(search, on)) return 'none'
    const { commandId } = search
    if (this.#lateMatch?.commandId === commandId)
      return this.#outcomeOf(this.#lateMatch.record, search)
    const { found, upTo } = await this.#ports.withWakeSlot(
      () => this.#readBackwards(search, sinceOf(search, on), now),
      signal,
      `looking for command ${show(commandId)} in ${formatAddress(this.#actor)}`,
    )
    if (found !== undefined) return this.#outcomeOfMatch(found, search, signal)
    return upTo >= on.version ? 'none' : 'lagging'
  }

  /** Reads the window, so that the next search need not. */
  async warm(
    on: DecidedOn,
    now: number,
    bounds: { readonly signal: AbortSignal },
  ): Promise<void> {
    await this.find(this.startSearch(newId(), false), on, now, bounds)
  }

  /** Whether the window has every commit up to `version` in which the command is searched for. */
  #holds(
    { inWindow }: DuplicateSearch,
    since: DuplicateSearch['since'],
    version: Version,
  ): boolean {
    const window = this.#window
    if (window === undefined || this.#isWindowBlank) return false
    if (inWindow === true && !window.covers(0, version)) return false
    if (since === undefined) return true
    const from = Math.max(since.version, window.versionAt(since.position) ?? 0)
    return window.holdsAll(from, version)
  }

  /**
   * Reads backwards to the end of the search, or to the versions that the window has if the command is not among
   * them. The window has all of it afterwards (DUPLICATES-7).
   */
  async #readBackwards(
    search: DuplicateSearch,
    since: DuplicateSearch['since'],
    now: number,
  ): Promise<{ found?: LogRecord; upTo: Version }> {
    const { commandId, inWindow = false } = search
    const mayContain = !this.#isWindowBlank && this.#window!.mayContain(commandId)
    const read: CommandEntry[] = [] // Newest first.
    let upTo: Version = 0
    let joinsWindow = false
    /** Older commits have left the command window. */
    let isPastWindow = false
    let isAll = false
    let count = 0
    for await (const { record, ...commit } of this.#commitsBackwards()) {
      upTo ||= commit.last
      joinsWindow ||= this.#holds(search, since, commit.last)
      if (joinsWindow && !mayContain) break
      const isSince =
        since !== undefined &&
        commit.last > since.version &&
        commit.position > since.position
      const isSearched = isSince || (inWindow && !isPastWindow)
      if (isSearched && commit.commandId === commandId)
        if (isSince || !(now - commit.at >= this.#windowMs))
          return { found: record, upTo }
      // Also the first one that is too old: it tells the version at which the search began.
      if (!joinsWindow && read.length < heldCommitsMax) read.push(commit)
      isPastWindow ||= ++count >= this.#windowSize || this.#isExpired(commit, now)
      isAll = commit.first === 1
      const isEarlierSince = isSince && commit.first - 1 > since.version
      if (!isEarlierSince && (!inWindow || isPastWindow)) break
    }
    this.#extendWindow(read, isAll || isPastWindow)
    return { upTo }
  }

  /**
   * Adds commits, newest first, to the window: it continues with them, or restarts with them if it lacks commits between.
   * @param coversFromStart no older commit is in the command window
   */
  #extendWindow(commits: readonly CommandEntry[], coversFromStart: boolean): void {
    const window = this.#window
    const oldest = commits.at(-1)
    if (window === undefined || oldest === undefined) return
    const last = Math.min(commits[0]!.last, window.upTo)
    const continues = !this.#isWindowBlank && window.holdsAll(oldest.first - 1, last)
    if (!continues) {
      this.#restartBefore(window, oldest)
      window.reserve(2 * commits.length)
    }
    if (coversFromStart) window.coverFromStart()
    for (const commit of commits.toReversed())
      if (commit.last > window.upTo) window.add(commit)
  }

  /** Newest first. */
  async *#commitsBackwards(): AsyncGenerator<
    DatedEntry & { readonly record: LogRecord }
  > {
    this.#stopping ??= new AbortController()
    const options = { backwards: true, signal: this.#stopping.signal }
    for await (const record of this.#ports.store.commits(this.#actor, options)) {
      this.#noteInboxPosition(record)
      for (const commit of commandEntriesOf(record)?.toReversed() ?? [])
        yield { ...commit, record }
    }
  }

  #noteInboxPosition(record: LogRecord | undefined): void {
    if (record?.kind === 'commit' && record.inboxPosition !== undefined)
      this.#inboxPosition = Math.max(this.#inboxPosition, record.inboxPosition)
  }

  /** Restarts the window so that this commit is the next one. */
  #restartBefore(window: CommandWindow, { first, position }: CommandEntry): void {
    this.#restart(window, first - 1, position - 1)
  }

  #restart(window: CommandWindow, version: Version, position: Position): void {
    window.restart(version, position)
    this.#isWindowBlank = false
  }

  /**
   * Whether all older commits have left the window. Clocks differ between nodes, so twice the age is
   * required: a commit by a clock that is behind by less than `ms` does not hide others.
   */
  #isExpired({ at }: { readonly at: number }, now: number): boolean {
    return now - at >= 2 * this.#windowMs
  }

  /** DUPLICATES-8. */
  #outcomeOfMatch(
    record: LogRecord,
    search: DuplicateSearch,
    signal: AbortSignal,
  ): AcceptedOutcome {
    const { commandId } = search
    this.#lateMatch = signal.aborted ? { commandId, record } : undefined
    return this.#outcomeOf(record, search)
  }

  /** The log was replaced. */
  #forget(): void {
    this.#isWindowBlank = true
    this.#lateMatch = undefined
    this.#inboxPosition = 0
  }

  #outcomeOf(record: LogRecord, search: DuplicateSearch): AcceptedOutcome {
    const { commandId } = search
    if (record.kind === 'malformed') throw this.#outcomeUnreadable(record, commandId)
    const { position, outbox } = record
    const match = commitSlicesOf(record).find(({ command }) => command?.id === commandId)
    const slice = match ?? record
    const { firstVersion, lastVersion: version, command } = slice
    // DUPLICATES-9
    checkSameCommand(this.#actor, commandId, command?.digest, search.digest, position)
    const reply = command?.reply
    const outcome: AcceptedOutcome = {
      ok: true,
      version,
      position,
      reply,
      duplicate: true,
      ...commandIdsOf(commandId, slice),
    }
    if (outbox === undefined) return outcome
    return { ...outcome, outboxIds: outboxEntryIds(this.#actor, firstVersion, outbox) }
  }

  #outcomeUnreadable(
    { position, reason }: MalformedRecord,
    commandId: string,
  ): CairnError {
    const actor = formatAddress(this.#actor)
    return new CairnError(
      'storage-failed',
      `Command ${show(commandId)} to ${actor} was handled before, but its outcome cannot be read: the ` +
        `record at position ${position} is malformed (${reason}). The command was not handled again; ` +
        'restore the record from a backup.',
      { details: { actor, commandId, position } },
    )
  }
}

/** The commits after which the command is searched for; `undefined` where its position in the inbox shows that it is new. */
function sinceOf(
  { since, inboxPosition }: DuplicateSearch,
  { inboxPosition: handled }: DecidedOn,
): DuplicateSearch['since'] {
  const isLater =
    inboxPosition !== undefined && handled !== undefined && handled < inboxPosition
  return isLater ? undefined : since
}
