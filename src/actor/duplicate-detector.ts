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
// DUPLICATES-5. A command with `sentAt` is searched for back to that time, however many commits that
//     is: it was stored somewhere, possibly for longer than any window. The search needs no read while the
//     window holds those commits.
// DUPLICATES-6. A command with `notHandledAt` is searched for in all commits after that version, in
//     addition to the window. Senders that store commands usually know the version, and the search
//     needs no read while the window holds those commits.
// DUPLICATES-7. A command from an outbox is searched for only after the position of the commit that
//     contains it: it cannot have been handled before.
// DUPLICATES-8. A search continues to its end after its caller has stopped waiting, and its result is
//     kept for the next search. Otherwise a command would never be answered where reading takes
//     longer than callers wait. Stopping the actor aborts the search.

import { type ActorAddress, formatAddress } from '../model/address.js'
import { commitSlicesOf, type LogRecord, type MalformedRecord } from '../model/commit.js'
import { CairnError } from '../model/errors.js'
import type { AcceptedOutcome, RedeliveryOptions } from '../model/command-sender.js'
import { outboxEntryIds } from '../model/outbox.js'
import { show } from '../model/show.js'
import type { Position, Version } from '../model/version.js'
import type { EventStore, Head } from '../store/event-store/event-store.js'
import { commandIdsOf } from './causes.js'
import {
  resolveCommandWindow,
  CommandWindow,
  type CommandWindowOptions,
} from './command-window.js'
import { type DatedEntry, type CommandEntry, commandEntriesOf } from './command-entry.js'

/** Milliseconds by which the clocks of nodes may differ. */
const clockSkewMax = 60_000

/** The search for an earlier handling of one command. */
export interface DuplicateSearch {
  readonly commandId: string
  /** Search only after this version; `undefined` while the command is certainly new (DUPLICATES-3). */
  readonly searchAfter: Version | undefined
  /** Search only in commits younger than this, in milliseconds. */
  readonly maxAgeMs: number
  /** DUPLICATES-5. */
  readonly sentAt?: number
  /** DUPLICATES-7. */
  readonly commitPosition?: Position
  /** Search all commits after this version, whatever their age or number (DUPLICATES-3, DUPLICATES-6). */
  readonly exhaustiveAfter?: Version
}

/** What the sender of a redelivered command knows about it. */
export type Redelivery = Pick<
  RedeliveryOptions,
  'sentAt' | 'notHandledAt' | 'commitPosition' | 'firing'
>

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
    redelivery: Redelivery = {},
  ): DuplicateSearch {
    const { sentAt, notHandledAt, commitPosition } = redelivery
    if (isNew) return { commandId, searchAfter: undefined, maxAgeMs: Infinity }
    if (this.#window === undefined) {
      this.#window = new CommandWindow(this.#windowSize, 0)
      this.#isWindowBlank = true
    }
    if (commitPosition !== undefined)
      return { commandId, searchAfter: 0, maxAgeMs: Infinity, commitPosition }
    if (sentAt !== undefined)
      return { commandId, searchAfter: 0, maxAgeMs: Infinity, sentAt }
    const inWindow = { commandId, searchAfter: 0, maxAgeMs: this.#windowMs }
    return notHandledAt === undefined
      ? inWindow
      : { ...inWindow, exhaustiveAfter: notHandledAt }
  }

  /** The search after a conflict of an append that expected `version` (DUPLICATES-3). */
  continueSearch(
    { commandId }: DuplicateSearch,
    version: Version,
    actual: Version,
  ): DuplicateSearch {
    // The log was replaced: nothing that was read before counts.
    if (actual < version) return this.startSearch(commandId, false)
    this.#window ??= new CommandWindow(this.#windowSize, version)
    return {
      commandId,
      searchAfter: version,
      maxAgeMs: Infinity,
      exhaustiveAfter: version,
    }
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
    if (this.#isWindowBlank) this.#restartBefore(window, entries[0])
    for (const entry of entries)
      if (window.addIfNext(entry) && this.#isExpired(entry, now)) window.coverFromStart()
  }

  /** Adds every commit of this actor that this node has stored to the window. */
  onStored(stored: DatedEntry): void {
    if (!this.#isWindowBlank) this.#window?.addIfNext(stored)
  }

  /** Whether it is known without a read that the command was not handled at or before `version` (DUPLICATES-1). */
  isKnownNew(
    { commandId, searchAfter, sentAt, commitPosition, exhaustiveAfter }: DuplicateSearch,
    version: Version,
  ): boolean {
    const window = this.#window
    if (sentAt !== undefined || commitPosition !== undefined) {
      const versionThen =
        commitPosition === undefined
          ? window?.versionBefore(this.#oldestSince(sentAt!))
          : window?.versionAt(commitPosition)
      const holdsAll =
        versionThen !== undefined &&
        !this.#isWindowBlank &&
        window!.holdsAll(versionThen, version)
      return holdsAll && !window!.mayContain(commandId)
    }
    if (searchAfter === undefined || window === undefined) return true
    const covers =
      !this.#isWindowBlank &&
      window.covers(searchAfter, version) &&
      (exhaustiveAfter === undefined || window.holdsAll(exhaustiveAfter, version))
    return covers && !window.mayContain(commandId)
  }

  /**
   * Searches for a handling of the command at or before `version` (DUPLICATES-1, DUPLICATES-2). Throws
   * the errors of reading, and `storage-failed` when the commit is found and its reply is unreadable.
   */
  async find(
    search: DuplicateSearch,
    version: Version,
    now: number,
    call: { readonly signal: AbortSignal },
  ): Promise<SearchResult> {
    if (this.isKnownNew(search, version)) return 'none'
    const { commandId, searchAfter = 0, sentAt, commitPosition } = search
    if (this.#lateMatch?.commandId === commandId)
      return this.#outcomeOf(this.#lateMatch.record, commandId)
    if (sentAt !== undefined) {
      const oldest = this.#oldestSince(sentAt)
      return this.#findSince(commandId, version, call, ({ at }) => at < oldest)
    }
    if (commitPosition !== undefined)
      return this.#findSince(
        commandId,
        version,
        call,
        ({ position }) => position <= commitPosition,
      )
    const window = this.#window!
    const { signal } = call
    const { found, upTo } = await this.#ports.withWakeSlot(
      () => this.#readBackwards(window, { ...search, searchAfter }, now),
      signal,
      `looking for command ${show(commandId)} in ${formatAddress(this.#actor)}`,
    )
    if (found !== undefined) return this.#outcomeOfMatch(found, commandId, signal)
    return upTo >= version && window.covers(searchAfter, version) ? 'none' : 'lagging'
  }

  /** DUPLICATES-5. Older commits, by their writers' clocks, were written before the time. */
  #oldestSince(time: number): number {
    return time - Math.min(this.#windowMs, clockSkewMax)
  }

  /** DUPLICATES-5, DUPLICATES-7: searches back to the first commit that is too old. The window is filled on the way. */
  async #findSince(
    commandId: string,
    version: Version,
    { signal }: { readonly signal: AbortSignal },
    isTooOld: (commit: DatedEntry) => boolean,
  ): Promise<SearchResult> {
    return this.#ports.withWakeSlot(
      async () => {
        const read: DatedEntry[] = [] // Newest first.
        let upTo: Version = 0
        for await (const commit of this.#commitsBackwards()) {
          upTo ||= commit.last
          if (commit.commandId === commandId)
            return this.#outcomeOfMatch(commit.record, commandId, signal)
          if (read.length < this.#windowSize) read.push(commit)
          if (isTooOld(commit)) break
        }
        this.#refill(read)
        return upTo >= version ? 'none' : 'lagging'
      },
      signal,
      `looking for command ${show(commandId)} in ${formatAddress(this.#actor)}`,
    )
  }

  /** Fills the window with the last commits, newest first, unless it holds them already, or later ones. */
  #refill(commits: readonly DatedEntry[]): void {
    const window = this.#window
    const newest = commits[0]
    const oldest = commits.at(-1)
    if (window === undefined || newest === undefined || oldest === undefined) return
    const isBlank = this.#isWindowBlank
    if (!isBlank && newest.last < window.upTo) return
    if (!isBlank && window.holdsAll(oldest.first - 1, newest.last)) return
    const coversFromStart = !isBlank && window.coversFromStart
    this.#restartBefore(window, oldest)
    for (const commit of commits.toReversed()) window.add(commit)
    if (coversFromStart) window.coverFromStart()
  }

  /**
   * Reads backwards to the end of the search, or to the versions that the window covers if the
   * command is not among them. The window covers all of it afterwards.
   */
  async #readBackwards(
    window: CommandWindow,
    {
      commandId,
      searchAfter,
      maxAgeMs,
      exhaustiveAfter = Infinity,
    }: DuplicateSearch & { readonly searchAfter: Version },
    now: number,
  ): Promise<{ found?: LogRecord; upTo: Version }> {
    const isKnown = ({ last }: CommandEntry) =>
      !this.#isWindowBlank &&
      window.covers(searchAfter, last) &&
      (exhaustiveAfter === Infinity || window.holdsAll(exhaustiveAfter, last))
    const mayContain = !this.#isWindowBlank && window.mayContain(commandId)
    const unseen: DatedEntry[] = [] // Newest first.
    let upTo: Version = 0
    let joinsWindow = false
    /** More was read than the window can hold. */
    let exceedsWindow = false
    let count = 0
    // The version at which the read ended; at 0, nothing is left to search.
    let end: Version = 0
    let from: Version = 0
    for await (const commit of this.#commitsBackwards()) {
      end = commit.last
      upTo ||= end
      from = searchAfter
      if (end <= searchAfter) break
      joinsWindow ||= isKnown(commit)
      if (joinsWindow && !mayContain) break
      if (
        commit.commandId === commandId &&
        (end > exhaustiveAfter || !(now - commit.at >= maxAgeMs))
      )
        return { found: commit.record, upTo }
      if (!joinsWindow)
        if (unseen.length < this.#windowSize) unseen.push(commit)
        else exceedsWindow = true
      end = commit.first - 1
      if (end <= searchAfter) break
      from = 0
      count++
      if (end > exhaustiveAfter) continue
      if (count >= this.#windowSize) break
      if (maxAgeMs !== Infinity && this.#isExpired(commit, now)) break
    }
    if (!joinsWindow) {
      const oldest = unseen.at(-1)
      if (oldest !== undefined && (exceedsWindow || end === oldest.first - 1))
        this.#restartBefore(window, oldest)
      else this.#restart(window, end)
      if (from === 0) window.coverFromStart()
    }
    for (const commit of unseen.toReversed()) window.add(commit)
    return { upTo }
  }

  /** Newest first. */
  async *#commitsBackwards(): AsyncGenerator<
    DatedEntry & { readonly record: LogRecord }
  > {
    this.#stopping ??= new AbortController()
    const options = { backwards: true, signal: this.#stopping.signal }
    for await (const record of this.#ports.store.commits(this.#actor, options))
      for (const commit of commandEntriesOf(record)?.toReversed() ?? [])
        yield { ...commit, record }
  }

  /** Restarts the window so that this commit is the next one. */
  #restartBefore(window: CommandWindow, { first, position, at }: DatedEntry): void {
    this.#restart(window, first - 1, position - 1, at)
  }

  #restart(
    window: CommandWindow,
    version: Version,
    position?: Position,
    at?: number,
  ): void {
    window.restart(version, position, at)
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
    commandId: string,
    signal: AbortSignal,
  ): AcceptedOutcome {
    this.#lateMatch = signal.aborted ? { commandId, record } : undefined
    return this.#outcomeOf(record, commandId)
  }

  /** The log was replaced. */
  #forget(): void {
    this.#isWindowBlank = true
    this.#lateMatch = undefined
  }

  #outcomeOf(record: LogRecord, commandId: string): AcceptedOutcome {
    if (record.kind === 'malformed') throw this.#outcomeUnreadable(record, commandId)
    const { position, outbox } = record
    const match = commitSlicesOf(record).find(({ command }) => command?.id === commandId)
    const slice = match ?? record
    const { firstVersion, lastVersion: version, command } = slice
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
