// Repeats: whether a command was carried out before, and with what answer. One per actor.
//
// Owns the actor's window of commands. A commit counts while fewer than `commands` later ones
// stand behind it and it is younger than `ms`; a command that stored nothing leaves no trace. A
// commit of several commands counts as that many, each with its own versions.
// D1. "Not carried out" is said of a version, and rests on every commit up to it that counts:
//     an append that expects this very version cannot do what was done already.
// D2. "Carried out" is said by the commit itself, read from the log.
// D3. A new id is not looked for before its first append: nobody else can know it. A command
//     that lost an append is looked for in all that came in between, however much that is.
// D4. Without a given id, or a lost append, nothing is kept and nothing is read.
// D5. A command that says when it was sent is looked for back to that moment, however many
//     commits that is: it was kept by somebody for longer than any window.
// D6. A command that says behind which version it may have been carried out is looked for in all
//     that came since then, and within the window: who keeps commands knows, as a rule, and it
//     costs nothing while the window holds that much.
// D7. A command that a commit says is looked for in all that came behind that commit's position,
//     and nowhere else: it cannot have been carried out before it was said.
// D8. A search that has begun goes on to its end though its caller waits no longer, and what it has
//     found is kept for the next one: where reading takes longer than callers wait, no command would
//     ever be answered else. It is broken off when the actor is stopped.

import { decodeHeader, decodeList } from '../codec/headers.js'
import { type ActorAddress, formatAddress } from '../model/address.js'
import { commitSlicesOf, type LogRecord, type MalformedRecord } from '../model/commit.js'
import { CairnError } from '../model/errors.js'
import type { AcceptedOutcome, RedeliveryOptions } from '../model/command-sender.js'
import { outboxEntryIds } from '../model/outbox.js'
import { show } from '../model/show.js'
import type { Position, Version } from '../model/version.js'
import type { EventStore, Head } from '../store/event-store/event-store.js'
import {
  commandWindow,
  CommandWindow,
  type CommandWindowOptions,
  type PastCommit,
} from './command-window.js'

/** One command's search for its own traces. */
export interface DuplicateSearch {
  readonly commandId: string
  /** Only behind this version; `undefined` while the command is certainly new (D3). */
  readonly notHandledAt: Version | undefined
  /** Only in commits younger than this, in milliseconds. */
  readonly ms: number
  /** D5. */
  readonly sentAt?: number
  /** D7. */
  readonly commitPosition?: Position
  /** D3, D6: behind this version no commit is left out. */
  readonly searchAfter?: Version
}

/** What whoever has kept a command knows of it. */
export type Redelivery = Pick<
  RedeliveryOptions,
  'sentAt' | 'notHandledAt' | 'commitPosition' | 'firing'
>

/** What a search needs of the actor's host. */
export interface DuplicateDetectorHome {
  readonly store: Pick<EventStore, 'commits'>
  /** Runs a reading of the history within the host's bounds. */
  wake<T>(work: () => Promise<T>, signal: AbortSignal, doing: string): Promise<T>
}

/** What a search came to; `lagging` when what was read ends before the version in question. */
export type SearchResult = AcceptedOutcome | 'none' | 'lagging'

export class DuplicateDetector {
  readonly #actor: ActorAddress
  readonly #home: DuplicateDetectorHome
  readonly #commands: number
  readonly #ms: number
  #window: CommandWindow | undefined
  /** The window says nothing: it has not met the actor's history yet, or lost it. */
  #isBlank = false
  /** D8. */
  #stopping: AbortController | undefined
  /** D8: what became known when nobody waited for it any more. */
  #late: { readonly commandId: string; readonly found: LogRecord } | undefined

  constructor(
    actor: ActorAddress,
    home: DuplicateDetectorHome,
    options: CommandWindowOptions | undefined,
  ) {
    const { commands, ms } = commandWindow(options)
    this.#actor = actor
    this.#home = home
    this.#commands = commands
    this.#ms = ms
  }

  /** The memory of the window. */
  get bytes(): number {
    return this.#window?.bytes ?? 0
  }

  /** D8. */
  stop(): void {
    this.#stopping?.abort()
  }

  /** The search for a command, before it is tried for the first time. */
  begin(commandId: string, isNew: boolean, kept: Redelivery = {}): DuplicateSearch {
    const { sentAt, notHandledAt, commitPosition } = kept
    if (isNew) return { commandId, notHandledAt: undefined, ms: Infinity }
    if (commitPosition === undefined && sentAt !== undefined)
      return { commandId, notHandledAt: 0, ms: Infinity, sentAt }
    if (this.#window === undefined) {
      this.#window = new CommandWindow(this.#commands, 0)
      this.#isBlank = true
    }
    if (commitPosition !== undefined)
      return { commandId, notHandledAt: 0, ms: Infinity, commitPosition }
    const within = { commandId, notHandledAt: 0, ms: this.#ms }
    return notHandledAt === undefined ? within : { ...within, searchAfter: notHandledAt }
  }

  /** The search after an append that expected `version` was refused (D3). */
  continueSearch(
    { commandId }: DuplicateSearch,
    version: Version,
    actual: Version,
  ): DuplicateSearch {
    // The log is another one than before: nothing that was read of it counts.
    if (actual < version) return this.begin(commandId, false)
    this.#window ??= new CommandWindow(this.#commands, version)
    return { commandId, notHandledAt: version, ms: Infinity, searchAfter: version }
  }

  /** Hears of every head that is read, which saves reading it again. */
  onHead({ version, last }: Head, now: number): void {
    const window = this.#window
    if (window === undefined) return
    // The log is another one than before: it was restored, or the actor erased.
    if (version < window.upTo) this.#forget()
    if (version === 0) return this.#restart(window, 0, 0)
    const passed = last && passedBy(last)
    if (passed === undefined) return
    if (this.#isBlank) this.#restartBefore(window, passed[0])
    for (const one of passed)
      if (window.follow(one) && this.#isPast(one, now)) window.reachesBack()
  }

  /** Hears of every commit of this actor that this node has stored. */
  onStored(stored: PastCommit): void {
    if (!this.#isBlank) this.#window?.follow(stored)
  }

  /** Whether it is known without reading that the command was not carried out at or before `version` (D1). */
  isNew(
    { commandId, notHandledAt, sentAt, commitPosition, searchAfter }: DuplicateSearch,
    version: Version,
  ): boolean {
    if (sentAt !== undefined) return false
    const window = this.#window
    if (commitPosition !== undefined) {
      const said = window?.versionAt(commitPosition)
      const holds = said !== undefined && !this.#isBlank && window!.holds(said, version)
      return holds && !window!.mayHold(commandId)
    }
    if (notHandledAt === undefined || window === undefined) return true
    const covers =
      !this.#isBlank &&
      window.covers(notHandledAt, version) &&
      (searchAfter === undefined || window.holds(searchAfter, version))
    return covers && !window.mayHold(commandId)
  }

  /**
   * Whether the command was carried out at or before `version` (D1, D2). Throws what reading
   * the history does, and `storage-failed` when the answer of then cannot be read.
   */
  async find(
    search: DuplicateSearch,
    version: Version,
    now: number,
    call: { readonly signal: AbortSignal },
  ): Promise<SearchResult> {
    if (this.isNew(search, version)) return 'none'
    const { commandId, notHandledAt = 0, sentAt, commitPosition } = search
    if (this.#late?.commandId === commandId)
      return this.#answerOf(this.#late.found, commandId)
    if (sentAt !== undefined) {
      const oldest = sentAt - Math.min(this.#ms, clocksDiffer)
      return this.#findFrom(commandId, version, call, ({ at }) => at < oldest)
    }
    if (commitPosition !== undefined)
      return this.#findFrom(
        commandId,
        version,
        call,
        ({ position }) => position <= commitPosition,
      )
    const window = this.#window!
    const { signal } = call
    const { found, upTo } = await this.#home.wake(
      () => this.#readBack(window, { ...search, notHandledAt }, now),
      signal,
      `looking for command ${show(commandId)} in ${formatAddress(this.#actor)}`,
    )
    if (found !== undefined) return this.#found(found, commandId, signal)
    return upTo >= version && window.covers(notHandledAt, version) ? 'none' : 'lagging'
  }

  /** D5, D7: back to the first commit that is too old. A blank window begins with what was read. */
  async #findFrom(
    commandId: string,
    version: Version,
    { signal }: { readonly signal: AbortSignal },
    isTooOld: (passed: Dated) => boolean,
  ): Promise<SearchResult> {
    return this.#home.wake(
      async () => {
        const read: PastCommit[] = [] // Newest first.
        let upTo: Version = 0
        for await (const passed of this.#passedBackwards()) {
          upTo ||= passed.last
          if (passed.commandId === commandId)
            return this.#found(passed.record, commandId, signal)
          if (read.length < this.#commands) read.push(passed)
          if (isTooOld(passed)) break
        }
        const window = this.#window
        const oldest = read.at(-1)
        if (this.#isBlank && window !== undefined && oldest !== undefined) {
          this.#restartBefore(window, oldest)
          for (const passed of read.toReversed()) window.add(passed)
        }
        return upTo >= version ? 'none' : 'lagging'
      },
      signal,
      `looking for command ${show(commandId)} in ${formatAddress(this.#actor)}`,
    )
  }

  /**
   * Reads from the end back to where the search ends, or to what the window covers already
   * when the command is not in there; the window then covers all of it.
   */
  async #readBack(
    window: CommandWindow,
    {
      commandId,
      notHandledAt,
      ms,
      searchAfter = Infinity,
    }: DuplicateSearch & { readonly notHandledAt: Version },
    now: number,
  ): Promise<{ found?: LogRecord; upTo: Version }> {
    const isKnown = ({ last }: PastCommit) =>
      !this.#isBlank &&
      window.covers(notHandledAt, last) &&
      (searchAfter === Infinity || window.holds(searchAfter, last))
    const mayHold = !this.#isBlank && window.mayHold(commandId)
    const unknown: PastCommit[] = [] // Newest first.
    let upTo: Version = 0
    let joins = false
    /** The window does not hold all that was read. */
    let isTooMuch = false
    let count = 0
    // Where the read ended; nothing before 0 is left to look for.
    let end: Version = 0
    let from: Version = 0
    for await (const passed of this.#passedBackwards()) {
      end = passed.last
      upTo ||= end
      from = notHandledAt
      if (end <= notHandledAt) break
      joins ||= isKnown(passed)
      if (joins && !mayHold) break
      if (
        passed.commandId === commandId &&
        (end > searchAfter || !(now - passed.at >= ms))
      )
        return { found: passed.record, upTo }
      if (!joins)
        if (unknown.length < this.#commands) unknown.push(passed)
        else isTooMuch = true
      end = passed.first - 1
      if (end <= notHandledAt) break
      from = 0
      count++
      if (end > searchAfter) continue
      if (count >= this.#commands) break
      if (ms !== Infinity && this.#isPast(passed, now)) break
    }
    if (!joins) {
      const oldest = unknown.at(-1)
      if (oldest !== undefined && (isTooMuch || end === oldest.first - 1))
        this.#restartBefore(window, oldest)
      else this.#restart(window, end)
      if (from === 0) window.reachesBack()
    }
    for (const passed of unknown.toReversed()) window.add(passed)
    return { upTo }
  }

  /** Newest first. */
  async *#passedBackwards(): AsyncGenerator<Dated & { readonly record: LogRecord }> {
    this.#stopping ??= new AbortController()
    const options = { backwards: true, signal: this.#stopping.signal }
    for await (const record of this.#home.store.commits(this.#actor, options))
      for (const passed of passedBy(record)?.toReversed() ?? [])
        yield { ...passed, record }
  }

  /** To continue with this commit: the actor had the version below it just before. */
  #restartBefore(window: CommandWindow, { first, position }: PastCommit): void {
    this.#restart(window, first - 1, position - 1)
  }

  #restart(window: CommandWindow, version: Version, position?: Position): void {
    window.restart(version, position)
    this.#isBlank = false
  }

  /**
   * Whether nothing older can count. Clocks differ between nodes: twice the age is waited for,
   * so that a commit by a clock that is late by less than `ms` does not hide others.
   */
  #isPast({ at }: { readonly at: number }, now: number): boolean {
    return now - at >= 2 * this.#ms
  }

  /** D8. */
  #found(found: LogRecord, commandId: string, signal: AbortSignal): AcceptedOutcome {
    this.#late = signal.aborted ? { commandId, found } : undefined
    return this.#answerOf(found, commandId)
  }

  /** The log is another one than before. */
  #forget(): void {
    this.#isBlank = true
    this.#late = undefined
  }

  #answerOf(record: LogRecord, commandId: string): AcceptedOutcome {
    if (record.kind === 'malformed') throw this.#unreadable(record, commandId)
    const { position, outbox } = record
    const act = commitSlicesOf(record).find(({ command }) => command?.id === commandId)
    const { firstVersion, lastVersion: version, command } = act ?? record
    const reply = command?.reply
    const answer: AcceptedOutcome = {
      ok: true,
      version,
      position,
      reply,
      duplicate: true,
    }
    if (outbox === undefined) return answer
    return { ...answer, outboxIds: outboxEntryIds(this.#actor, firstVersion, outbox) }
  }

  #unreadable({ position, reason }: MalformedRecord, commandId: string): CairnError {
    const actor = formatAddress(this.#actor)
    return new CairnError(
      'storage-failed',
      `Command ${show(commandId)} to ${actor} was carried out before, and its answer cannot be ` +
        `read: the record at position ${position} is malformed (${reason}). Nothing was done again; ` +
        'restore the record from a backup.',
      { details: { actor, commandId, position } },
    )
  }
}

/** A commit with its writer's clock. */
type Dated = PastCommit & { readonly at: number }

/** What a record says of itself, by commands, in order; `undefined` for one that takes no versions. */
function passedBy(record: LogRecord): readonly [Dated, ...Dated[]] | undefined {
  const { position } = record
  if (record.kind === 'commit') {
    const { at } = record
    const passed = commitSlicesOf(record).map(
      ({ firstVersion, lastVersion, command }) => ({
        first: firstVersion,
        last: lastVersion,
        position,
        commandId: command?.id,
        at,
      }),
    )
    return passed as [Dated, ...Dated[]]
  }
  if (record.versions === undefined) return undefined
  const { headers, versions } = record
  // Without a readable time it never counts as old (NaN).
  const at = Number(headers['Cairn-At'])
  const { first, last } = versions
  const several = decodedList(headers['Cairn-Commands'], last - first + 1)
  if (several === undefined)
    return [{ first, last, position, commandId: decoded(headers['Cairn-Command']), at }]
  // By events: that a command has several of them makes no difference to who looks for it.
  return several.map((commandId, i) => ({
    first: first + i,
    last: first + i,
    position,
    commandId,
    at,
  })) as [Dated, ...Dated[]]
}

/** Milliseconds by which the clocks of nodes may differ, at most. */
const clocksDiffer = 60_000

function decodedList(value: string | undefined, count: number): string[] | undefined {
  try {
    return value === undefined ? undefined : decodeList(value, count)
  } catch {
    return undefined // As below.
  }
}

function decoded(value: string | undefined): string | undefined {
  try {
    return value === undefined ? undefined : decodeHeader(value)
  } catch {
    return undefined // The headers of a malformed record need not make sense.
  }
}
