// Builds the rows of one build of a projection: one loop reads the log, another folds what was read and
// writes rows and checkpoint together.
//
// Owns the rows and the checkpoint in memory while it runs.
// BUILDER-1. An event changes its rows exactly once. Rows are folded from the rows stored at the checkpoint that
//     the write expects, and are stored together with the checkpoint after the event, or not at all. When two
//     nodes build at once, one of the two writes is a conflict, and that builder starts again from what is stored.
// BUILDER-2. Rows and checkpoint in memory are dropped whenever a write fails.
// BUILDER-3. An event that cannot be folded stops the build at that event; everything before it is written. The
//     event is tried again with a growing delay and is never skipped.
// BUILDER-4. A fold has no effects: it takes a row and an event, or a state, and returns a row. Reading the log again
//     therefore sends nothing again.
//     Rows are frozen: a fold that changes the row that it gets fails, and the row in memory is the stored one.
// BUILDER-5. Memory is bounded: events read but not written, and cached rows.
// BUILDER-6. Nothing is folded on rows of another log: the checkpoint has the mark of a commit that was read, and the log
//     must hold this commit (MARKS-1). Otherwise the projection is built anew.
// BUILDER-7. Rows that were removed with their checkpoint are built again from the first event, also while none is stored.

import type { StoredCommit } from '../model/commit.js'
import { CairnError, isCairnError, messageOf } from '../model/errors.js'
import type { WriteLog } from '../model/log.js'
import type { Mark } from '../model/mark.js'
import { freeze } from '../model/read-only.js'
import type { Position } from '../model/version.js'
import { pause } from '../model/wait.js'
import {
  initialCheckpoint,
  checkRowKey,
  type Checkpoint,
  type ReadModel,
  rowsMax,
  type StoredCheckpoint,
} from '../store/read-models/read-models.js'
import { backoffDefault, delayAfter } from '../model/backoff.js'
import { trustedUpTo } from '../delivery/source/marks.js'
import type { RecordSource, UnreadableRecord } from '../delivery/source/record-source.js'
import { WakeSignal } from '../store/wake-signal.js'
import type { Projection } from './define-projection.js'
import type { Folding, Item } from './folding.js'
import { offAbort, onAbort } from '../model/on-abort.js'

export interface BuilderOptions {
  readonly projection: Projection
  readonly model: ReadModel
  readonly source: RecordSource<StoredCommit | UnreadableRecord>
  readonly folding: Folding
  readonly log: WriteLog
  /** Called after each write. */
  readonly onProgress: (position: Position) => void
}

/** The event at which a build has stopped. */
export interface StuckAt {
  /** The event's id; absent when the record could not be read. */
  readonly event?: string
  readonly position: Position
  readonly attempts: number
  readonly error: string
}

interface Failure {
  readonly item: Item
  readonly error: unknown
}

/** BUILDER-5. */
const itemsMax = 2_000
const cachedRowsMax = 10_000
/** Rows of one write; a single event may have more. */
const writeMax = 500
/** Milliseconds after which a checkpoint is written although no row has changed. */
const idleWriteAfter = 250
/** Milliseconds after which a builder that waits for events looks again. */
const waitMax = 60_000

export class Builder {
  readonly #options: BuilderOptions
  readonly #rows = new Map<string, unknown>()
  #checkpoint: StoredCheckpoint = initialCheckpoint
  #items: Item[] = []
  /** The log has been read up to here. */
  #read: Position = 0
  #wakeSignal = new WakeSignal()
  #resumeReading: (() => void) | undefined
  #isOfAnotherLog = false
  /** The last commit that was read and whose id is known. */
  #mark: Mark | undefined
  /** The rows were removed (BUILDER-7). */
  #isRemoved = false
  #attempts = 0
  #stuck: StuckAt | undefined

  constructor(options: BuilderOptions) {
    this.#options = options
  }

  /** The position up to which rows are written. */
  get position(): Position {
    return this.#checkpoint.position
  }

  /** Whether the rows are folded from another log than this one, of which an older state was restored (BUILDER-6). */
  get isOfAnotherLog(): boolean {
    return this.#isOfAnotherLog
  }

  /** When the oldest event was stored that is read and not in the rows, ms since 1970. */
  get oldestAt(): number | undefined {
    const [first] = this.#items
    return first?.event?.at ?? first?.commit?.at
  }

  get stuck(): StuckAt | undefined {
    return this.#stuck
  }

  /** Why the rows do not include the log up to a position yet, in words; `undefined` if they do. */
  unsettled(end: Position): string | undefined {
    if (this.#stuck !== undefined) {
      const { event = 'a record', position, error } = this.#stuck
      return `is stopped at ${event}, position ${position}: ${error}`
    }
    if (this.isOfAnotherLog) return 'is built from another log'
    const isBuilt = this.#read >= end && this.#items.length === 0 && !this.#isRemoved
    return isBuilt ? undefined : `has not folded the log up to ${end}`
  }

  /** Looks whether the rows are still there; if not, the build starts again (BUILDER-7). */
  async checkRows(): Promise<void> {
    const { revision } = this.#checkpoint
    if (revision === 0) return
    const stored = await this.#options.model.checkpoint()
    if (stored.revision > 0 || this.#checkpoint.revision !== revision) return
    this.#isRemoved = true
    this.#wakeSignal.wakeAll()
  }

  /** Builds until the signal fires. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { projection, log } = this.#options
    while (!signal.aborted) {
      try {
        await this.#build(signal)
      } catch (error) {
        if (signal.aborted || isCairnError(error, 'store-closed')) return
        this.#attempts++
        log('warn', `Projection ${projection.name} cannot continue; it tries again`, {
          err: error,
          ...this.#stuck,
        })
        await pause(delayAfter(this.#attempts, backoffDefault), signal)
      }
    }
  }

  /** Builds from the stored checkpoint until the signal fires or an error occurs. */
  async #build(signal: AbortSignal): Promise<void> {
    const { model, source, projection, log, onProgress } = this.#options
    const hadRows = this.#checkpoint.revision > 0
    // BUILDER-2
    this.#rows.clear()
    this.#items = []
    this.#wakeSignal = new WakeSignal()
    this.#checkpoint = await model.checkpoint()
    this.#isRemoved = false
    if (hadRows && this.#checkpoint.revision === 0)
      log(
        'warn',
        `The rows of projection ${projection.name} were removed: they are built again`,
        {},
      )
    const end = await source.lastPosition(signal)
    const { mark } = this.#checkpoint
    const marks = mark === undefined ? [] : [mark]
    const trusted = await trustedUpTo(this.position, marks, source, end, signal)
    this.#isOfAnotherLog = trusted < this.position
    if (this.#isOfAnotherLog) return pause(idleWriteAfter, signal)
    this.#read = this.position
    this.#mark = mark
    onProgress(this.position)
    const stopReading = new AbortController()
    const either = AbortSignal.any([signal, stopReading.signal])
    let ended: { readonly error?: unknown } | undefined
    const finish = (how: { readonly error?: unknown }) => {
      ended = how
      this.#wakeSignal.wakeAll()
    }
    const reading = this.#readLog(this.#checkpoint, either).then(
      () => finish({}),
      (error: unknown) => finish({ error }),
    )
    try {
      while (!signal.aborted) {
        await this.#waitForWork(signal, () => ended !== undefined)
        if (this.#isRemoved) return
        await this.#write(signal)
        if (ended === undefined || this.#items.length > 0) continue
        if ('error' in ended) throw ended.error
        // A source ends by itself when the store is closed or about to close.
        return pause(idleWriteAfter, signal)
      }
    } finally {
      stopReading.abort()
      await reading
    }
  }

  /** Reads events until the signal fires, at most `itemsMax` ahead of the writes (BUILDER-5). */
  async #readLog({ position, ahead }: Checkpoint, signal: AbortSignal): Promise<void> {
    const { projection, folding } = this.#options
    for await (const record of this.#options.source.follow(position, signal)) {
      while (this.#items.length >= itemsMax && !signal.aborted)
        await new Promise<void>(resolve => {
          const resume = () => {
            offAbort(signal, resume)
            resolve()
          }
          this.#resumeReading = resume
          onAbort(signal, resume)
        })
      if (signal.aborted) return
      const { value } = record
      if (value?.kind === 'unreadable')
        this.#items.push({ position: value.position, index: 0, error: tooNew(value) })
      else if (value !== undefined && projection.types.includes(value.actor.type)) {
        const skip = record.position === position + 1 ? ahead : 0
        this.#items.push(...folding.itemsOf(value, skip))
      }
      this.#read = record.position
      if (record.id !== undefined)
        this.#mark = { position: record.position, id: record.id }
      this.#wakeSignal.raise(this.#read)
    }
  }

  /** Resolves when there are events to fold, or when the checkpoint has moved for a while. */
  async #waitForWork(signal: AbortSignal, hasEnded: () => boolean): Promise<void> {
    let until: number | undefined
    const mayWait = () => !hasEnded() && !signal.aborted && !this.#isRemoved
    while (this.#items.length === 0 && mayWait()) {
      const isAtEnd = this.#read === this.position
      until = isAtEnd ? undefined : (until ?? performance.now() + idleWriteAfter)
      const left = until === undefined ? waitMax : until - performance.now()
      if (left <= 0) return
      await this.#wakeSignal.wait(this.#read, left, signal)
    }
  }

  /** Folds as many events as fit in one write, and writes their rows with the checkpoint (BUILDER-1). */
  async #write(signal: AbortSignal): Promise<void> {
    const { model, folding, onProgress } = this.#options
    const rowOf = (key: string) => (rows.has(key) ? rows.get(key) : this.#rows.get(key))
    const read = this.#read
    const { items, keys, failure: badKey } = this.#nextItems()
    await this.#load(keys.flat())
    const rows = new Map<string, unknown>()
    let done = 0
    let failure = badKey
    for (const [i, item] of items.entries()) {
      try {
        const changed = await folding.change(item, keys[i]!, rowOf, signal)
        for (const [key, next] of changed) rows.set(key, next)
      } catch (error) {
        failure = { item, error }
        break
      }
      done++
    }
    const next = this.#items[done]
    const mark = this.#mark
    const checkpoint: Checkpoint = {
      ...(next === undefined
        ? { position: read, ahead: 0 }
        : { position: next.position - 1, ahead: next.index }),
      ...(mark !== undefined && { mark }),
    }
    const { position, ahead } = this.#checkpoint
    if (checkpoint.position !== position || checkpoint.ahead !== ahead) {
      const revision = await model.write(
        { rows, ...checkpoint },
        this.#checkpoint.revision,
      )
      if (revision === 'conflict') throw writtenElsewhere(this.#options.projection.name)
      this.#checkpoint = { ...checkpoint, revision }
      this.#attempts = 0
      this.#stuck = undefined
      this.#cache(rows)
      this.#items.splice(0, done)
      this.#resumeReading?.()
      onProgress(this.position)
    }
    if (failure !== undefined) throw this.#stuckAt(failure)
  }

  /** The next events that fit in one write, with their keys. */
  #nextItems(): { items: Item[]; keys: (readonly string[])[]; failure?: Failure } {
    const { projection, folding } = this.#options
    const items: Item[] = []
    const keys: (readonly string[])[] = []
    const distinct = new Set<string>()
    for (const item of this.#items) {
      if (item.error !== undefined)
        return { items, keys, failure: { item, error: item.error } }
      let own: readonly string[]
      try {
        own = folding.keysOf(item)
        for (const key of own) checkRowKey(key, projection.name)
        if (own.length > rowsMax) throw tooManyRows(projection.name, own.length)
      } catch (error) {
        return { items, keys, failure: { item, error } }
      }
      const added = own.filter(key => !distinct.has(key)).length
      if (items.length > 0 && distinct.size + added > writeMax) break
      for (const key of own) distinct.add(key)
      items.push(item)
      keys.push(own)
    }
    return { items, keys }
  }

  async #load(keys: readonly string[]): Promise<void> {
    const missing = [...new Set(keys)].filter(key => !this.#rows.has(key))
    if (missing.length === 0) return
    const rows = await this.#options.model.get(missing)
    for (const [i, key] of missing.entries()) this.#rows.set(key, freeze(rows[i] ?? null))
  }

  /** BUILDER-5 */
  #cache(rows: ReadonlyMap<string, unknown>): void {
    for (const [key, row] of rows) this.#rows.set(key, row)
    if (this.#rows.size > cachedRowsMax) this.#rows.clear()
  }

  /** BUILDER-3 */
  #stuckAt({ item, error }: Failure): unknown {
    const { position, event } = item
    this.#stuck = {
      ...(event !== undefined && { event: event.id }),
      position,
      attempts: this.#attempts + 1,
      error: messageOf(error),
    }
    return error
  }
}

function writtenElsewhere(name: string): CairnError {
  return new CairnError(
    'contention',
    `Projection ${name} was written by another node at the same time: it is read again.`,
  )
}

function tooNew({ position, reason }: UnreadableRecord): CairnError {
  return new CairnError(
    'storage-failed',
    `The record at position ${position} cannot be read by this version of Cairn: ${reason}. The projection waits; upgrade this node.`,
    { details: { position } },
  )
}

function tooManyRows(name: string, count: number): CairnError {
  return new CairnError(
    'invalid-definition',
    `key of projection ${name} returned ${count} rows for one event, and the limit is ${rowsMax}: ` +
      'return fewer keys, or keep what the rows share in one row.',
  )
}
