// One build at work: one reads the log, one folds what was read and writes rows and place.
//
// P1. An event changes its rows once: rows are folded from what is stored at the place that the
//     write expects, and are stored with the place behind the event, or not at all. Whoever else
//     folds meanwhile makes one of the two writes a conflict, and its author begins anew from what
//     is stored.
// P2. What stands in memory, rows and place, is dropped whenever a write did not end well.
// P3. An event that cannot be folded stops the build there, with everything before it written; it
//     is tried again, later and later. Nothing is ever passed over.
// P4. A fold has no effects: it gets a row and an event, and returns a row. So nothing is sent or
//     said again when the log is read again.
// P5. All is bounded: events that were read and not written, and rows kept in memory.

import { checkData } from '../codec/data.js'
import type { StoredCommit } from '../model/commit.js'
import { CairnError, isCairnError, messageOf } from '../model/errors.js'
import type { RecordedEvent } from '../model/event.js'
import type { WriteLog } from '../model/log.js'
import { show } from '../model/show.js'
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
import { backoffDefault, delayAfter } from '../delivery/backoff.js'
import type { GroupSource, Unreadable } from '../delivery/group/source.js'
import { WakeSignal } from '../store/wake-signal.js'
import type { Projection } from './define-projection.js'

export interface BuilderOptions {
  readonly projection: Projection
  readonly model: ReadModel
  readonly source: GroupSource<StoredCommit | Unreadable>
  readonly log: WriteLog
  /** Called after each write. */
  readonly onProgress: (position: Position) => void
}

/** What a build cannot pass. */
export interface StuckAt {
  /** The event's id, where it is one. */
  readonly event?: string
  readonly position: Position
  readonly attempts: number
  readonly error: string
}

/** An event that was read, or what could not be. */
interface Item {
  readonly position: Position
  /** Of the event in its commit. */
  readonly index: number
  readonly event?: RecordedEvent
  readonly error?: CairnError
}

interface Failure {
  readonly item: Item
  readonly error: unknown
}

/** P5. */
const itemsMax = 2_000
const keptMax = 10_000
/** Rows of one write, as long as one event has no more. */
const writeMax = 500
/** Milliseconds after which a place is written although no row has changed. */
const quietEvery = 250
const looksAgain = 60_000

export class Builder {
  readonly #options: BuilderOptions
  readonly #rows = new Map<string, unknown>()
  #place: StoredCheckpoint = initialCheckpoint
  #items: Item[] = []
  /** The log was looked at up to here. */
  #read: Position = 0
  #bell = new WakeSignal()
  #room: (() => void) | undefined
  #isAheadOfLog = false
  #attempts = 0
  #stuck: StuckAt | undefined

  constructor(options: BuilderOptions) {
    this.#options = options
  }

  /** What is written. */
  get position(): Position {
    return this.#place.position
  }

  /** The log ends before what is built: it is another one, or an older one was restored. */
  get isAheadOfLog(): boolean {
    return this.#isAheadOfLog
  }

  get stuck(): StuckAt | undefined {
    return this.#stuck
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
        log('warn', `Projection ${projection.name} does not get on; it tries again`, {
          err: error,
          ...this.#stuck,
        })
        await pause(delayAfter(this.#attempts, backoffDefault), signal)
      }
    }
  }

  /** From what is stored on, until the signal fires or something goes wrong. */
  async #build(signal: AbortSignal): Promise<void> {
    const { model, source, onProgress } = this.#options
    // P2.
    this.#rows.clear()
    this.#items = []
    this.#bell = new WakeSignal()
    this.#place = await model.checkpoint()
    const end = await source.lastPosition(signal)
    this.#isAheadOfLog = end < this.position
    if (this.#isAheadOfLog) return pause(quietEvery, signal)
    this.#read = this.position
    onProgress(this.position)
    const over = new AbortController()
    const either = AbortSignal.any([signal, over.signal])
    let ended: { readonly error?: unknown } | undefined
    const finish = (how: { readonly error?: unknown }) => {
      ended = how
      this.#bell.wakeAll()
    }
    const reading = this.#readOn(this.#place, either).then(
      () => finish({}),
      (error: unknown) => finish({ error }),
    )
    try {
      while (!signal.aborted) {
        await this.#whenWorth(signal, () => ended !== undefined)
        await this.#write()
        if (ended === undefined || this.#items.length > 0) continue
        if ('error' in ended) throw ended.error
        // A source that ends by itself is closed, or about to be.
        return pause(quietEvery, signal)
      }
    } finally {
      over.abort()
      await reading
    }
  }

  /** P5. */
  async #readOn({ position, ahead }: Checkpoint, signal: AbortSignal): Promise<void> {
    const { types, events } = this.#options.projection
    for await (const record of this.#options.source.follow(position, signal)) {
      while (this.#items.length >= itemsMax && !signal.aborted)
        await new Promise<void>(resolve => {
          this.#room = resolve
          signal.addEventListener('abort', () => resolve(), { once: true })
        })
      if (signal.aborted) return
      const { value } = record
      if (value?.kind === 'unreadable')
        this.#items.push({ position: value.position, index: 0, error: tooNew(value) })
      else if (value !== undefined && types.includes(value.actor.type)) {
        const skip = record.position === position + 1 ? ahead : 0
        for (const [index, event] of value.events.entries())
          if (index >= skip && events.includes(event.type))
            this.#items.push({ position: record.position, index, event })
      }
      this.#read = record.position
      this.#bell.raise(this.#read)
    }
  }

  /** Resolves when there is something to fold, or a place that has moved for a while. */
  async #whenWorth(signal: AbortSignal, isOver: () => boolean): Promise<void> {
    let until: number | undefined
    while (this.#items.length === 0 && !isOver() && !signal.aborted) {
      const isAtEnd = this.#read === this.position
      until = isAtEnd ? undefined : (until ?? performance.now() + quietEvery)
      const left = until === undefined ? looksAgain : until - performance.now()
      if (left <= 0) return
      await this.#bell.wait(this.#read, left, signal)
    }
  }

  /** P1: folds what was read, as much as fits in a write, and writes it. */
  async #write(): Promise<void> {
    const { model, onProgress } = this.#options
    const read = this.#read
    const { items, keys, failure: badKey } = this.#nextItems()
    await this.#load(keys.flat())
    const rows = new Map<string, unknown>()
    let done = 0
    let failure = badKey
    for (const [i, item] of items.entries()) {
      try {
        this.#fold(item.event!, keys[i]!, rows)
      } catch (error) {
        failure = { item, error }
        break
      }
      done++
    }
    const next = this.#items[done]
    const place: Checkpoint =
      next === undefined
        ? { position: read, ahead: 0 }
        : { position: next.position - 1, ahead: next.index }
    const { position, ahead } = this.#place
    if (place.position !== position || place.ahead !== ahead) {
      const revision = await model.write({ rows, ...place }, this.#place.revision)
      if (revision === 'conflict') throw overtaken(this.#options.projection.name)
      this.#place = { ...place, revision }
      this.#attempts = 0
      this.#stuck = undefined
      this.#keep(rows)
      this.#items.splice(0, done)
      this.#room?.()
      onProgress(this.position)
    }
    if (failure !== undefined) throw this.#stuckAt(failure)
  }

  /** The next events, with their keys, that fit in one write. */
  #nextItems(): { items: Item[]; keys: (readonly string[])[]; failure?: Failure } {
    const { projection } = this.#options
    const items: Item[] = []
    const keys: (readonly string[])[] = []
    const distinct = new Set<string>()
    for (const item of this.#items) {
      if (item.error !== undefined)
        return { items, keys, failure: { item, error: item.error } }
      let own: readonly string[]
      try {
        own = projection.keysOf(item.event!)
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
    for (const [i, key] of missing.entries()) this.#rows.set(key, rows[i] ?? null)
  }

  #fold(event: RecordedEvent, keys: readonly string[], rows: Map<string, unknown>): void {
    const { projection } = this.#options
    const changed = keys.map(key => {
      const known = rows.has(key) ? rows.get(key) : this.#rows.get(key)
      const row = known ?? projection.initial(key)
      const next = projection.fold(row, event, key)
      if (next === undefined)
        throw new CairnError(
          'invalid-definition',
          `when.${event.type} of projection ${projection.name} returned nothing for ${show(key)}: ` +
            'return the next row, or null to remove it.',
        )
      checkData(next, `row ${show(key)} of projection ${projection.name}`)
      return [key, next] as const
    })
    for (const [key, next] of changed) rows.set(key, next)
  }

  /** P5. */
  #keep(rows: ReadonlyMap<string, unknown>): void {
    for (const [key, row] of rows) this.#rows.set(key, row)
    if (this.#rows.size > keptMax) this.#rows.clear()
  }

  /** P3. */
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

function overtaken(name: string): CairnError {
  return new CairnError(
    'contention',
    `Projection ${name} was written by another node meanwhile: it is read again.`,
  )
}

function tooNew({ position, reason }: Unreadable): CairnError {
  return new CairnError(
    'storage-failed',
    `The record at position ${position} cannot be read by this build, and waits: ${reason}.`,
    { details: { position } },
  )
}

function tooManyRows(name: string, count: number): CairnError {
  return new CairnError(
    'invalid-definition',
    `key of projection ${name} gives an event ${count} rows, and ${rowsMax} is the limit: ` +
      'give it fewer, or keep what they share in one row.',
  )
}
