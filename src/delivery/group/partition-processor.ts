// One lane of a group, while this node reads it: what is open, what failed, what is done.
//
// Owns the lane's document from the moment it was taken. Nothing is handled after it is lost.
// L1. Records of one key are handled one at a time and in order; different keys side by side.
// L2. A key that failed is handled no further until its record has succeeded. What comes for
//     it meanwhile is left in the source, and read from there when its turn has come.
// L3. `floor` in the document never passes a record that is neither handled nor of a key that
//     the same document names, as failing or as standing further back: whoever takes over begins behind
//     it, and each of these keys where it stands, and misses nothing. A key is named where it would hold
//     the floor for longer than from one write to the next, and when the lane is left: what others have done
//     meanwhile is not done again.
// L4. Each write of the document expects the revision of the one before. Who is refused has
//     lost the lane to another owner, and stops.
// L5. Attempts and the time of the next one are written down at once, so that they survive this
//     node; where many keys fail, within a second.
// L6. All is bounded. A key takes at most `lineMax` records of what may be open: what comes
//     behind them is left in the source, as that of a failed key. Where `heldMax` keys are held, a
//     record that fails stays open, and holds the floor. What is read again for a key takes one of the places of
//     what may be open.
// L7. No record behind `reach` in the document is begun: whoever takes over knows by it which ones may
//     have been handled, also by an owner that does not know yet that it is none.
// L8. Where owner after owner has died with the floor where it is, a record may be what they died of. Those
//     up to the reach of the last one are suspects: each is handled alone on its node, and written
//     down before as begun, so that a death counts as an attempt of the one that it was. So is the record
//     that a key has stood at while owner after owner died, wherever the floor is.

import { setMaxListeners } from 'node:events'

import type { Document, DocumentKey, Documents } from '../../store/documents/documents.js'
import type { Clock } from '../../model/clock.js'
import type { SerialExecutor } from './serial-executor.js'
import { isCairnError, messageOf } from '../../model/errors.js'
import type { WriteLog } from '../../model/log.js'
import type { Position } from '../../model/version.js'
import { deferred, pause } from '../../model/wait.js'
import { type Backoff, delayAfter } from '../backoff.js'
import {
  decodePartitionState,
  encodePartitionState,
  type FailingKey,
  type PartitionOwner,
} from './partition-state.js'
import type { GroupSource, SourceRecord } from './source.js'

/** What a handler knows of the record beside its value. */
export interface DeliveryAttempt {
  readonly position: Position
  /** From 1; counted on by whoever takes over. */
  readonly attempt: number
  /** When it was first tried, ms since 1970. */
  readonly firstAt: number
  /** The attempt before this one ended with its node (L8). */
  readonly isAfterDeath: boolean
  /** Another owner may have handled it before, wholly or in part. */
  readonly mayBeRepeat: boolean
  /** Fires when the lane is lost, or the node's time to finish is over. */
  readonly signal: AbortSignal
}

/**
 * How handling ended: `again` after so many milliseconds, by default as the group's backoff says.
 * A void attempt does not count: it was broken off because the lane is left.
 */
export type HandlingResult =
  | { readonly kind: 'done' }
  | {
      readonly kind: 'again'
      readonly error: unknown
      readonly after?: number
      readonly isVoid?: boolean
    }

/** Handles a record. What it throws means: again. */
export type Handle<T> = (value: T, attempt: DeliveryAttempt) => Promise<HandlingResult>

export interface PartitionCounters {
  handled: number
  failures: number
}

export interface PartitionProcessorOptions<T> {
  readonly document: DocumentKey
  readonly taken: {
    readonly revision: number
    readonly epoch: number
    readonly reach: Position
    readonly deaths: number
  }
  readonly owner: PartitionOwner
  readonly floor: Position
  readonly failing: readonly FailingKey[]
  /** Records up to here may have been handled by the owner before. */
  readonly repeatsUpTo: Position
  /** L8. Records up to here may be what owners have died of; 0 for none. */
  readonly suspectsUpTo: Position
  readonly serialExecutor: SerialExecutor
  readonly source: GroupSource<T>
  readonly handle: Handle<T>
  readonly documents: Documents
  readonly clock: Clock
  readonly backoff: Backoff
  readonly counters: PartitionCounters
  /** L6. Default 256. */
  readonly keyQueueMax?: number
  readonly log: WriteLog
  /** Called once when another owner has taken the lane (L4). */
  readonly onLost: () => void
  /** Called whenever a record is not open any more. */
  readonly onSettled: () => void
  /** L6. Waits until one more may be open, and counts it until it is over; `undefined` when the signal fires first. */
  readonly enter: (signal: AbortSignal) => Promise<(() => void) | undefined>
}

/** A key in memory whose records are left in the source; without attempts, none has failed. */
interface DeferredKey extends FailingKey {
  /** The last of its records that was offered: up to there it has to catch up. */
  readonly upTo: Position
}

/** Milliseconds within which progress is written down; failures are at once. */
const saveEvery = 200
/** Positions that a quiet lane moves on before that is worth a write. */
const quietStride = 1_000
/** L7. Positions that may be begun without another write. */
export const reachStride = 10_000
const saveRetryPause = 250
const catchUpRetryPause = 1_000
/** L6. */
const keyQueueMaxDefault = 256
/** L6: their document, with long names and errors, stays below half of the usual 1 MiB. */
const deferredKeysMax = 400
/** L3: keys that are named only because they stand further back. */
const namedMax = 64
/** L8. So many owners in a row are no accident. */
export const suspiciousDeaths = 2

export class PartitionProcessor<T> {
  readonly #options: PartitionProcessorOptions<T>
  readonly #waiting = new Map<string, SourceRecord<T>[]>()
  /** In the order of positions, since they are offered in it. */
  readonly #open = new Set<Position>()
  readonly #deferred = new Map<string, DeferredKey>()
  /** What ends the wait of each key whose turn comes later. */
  readonly #waits = new Map<string, () => void>()
  /** Fires when the lane takes nothing more, and when nothing of it counts any more. */
  readonly #leaving = new AbortController()
  readonly #ending = new AbortController()
  #position: Position
  /** Where it stood when it was written down last: what was open then and is now is slow (L3). */
  #savedPosition: Position
  #savedFloor: Position
  /** L7. */
  #savedReach: Position
  #revision: number
  #busy = 0
  #idle: (() => void) | undefined
  #phase: 'reading' | 'finishing' | 'over' = 'reading'
  #isDirty = false
  #saving: Promise<void> | undefined
  #saveTimer: NodeJS.Timeout | undefined

  constructor(options: PartitionProcessorOptions<T>) {
    this.#options = options
    // Every record that is open may listen to it, as many as there may be.
    setMaxListeners(0, this.#ending.signal, this.#leaving.signal)
    this.#position = options.floor
    this.#savedPosition = options.floor
    this.#savedFloor = options.floor
    this.#savedReach = options.taken.reach
    this.#revision = options.taken.revision
    const now = options.clock.now()
    for (const one of options.failing) {
      this.#deferred.set(one.key, { ...one, upTo: Math.max(options.floor, one.position) })
      // Clocks differ: nobody waits longer than the one before has meant to.
      const longest = Math.max(options.backoff.max, one.nextAt - one.firstAt)
      this.#schedule(one.key, Math.min(longest, Math.max(0, one.nextAt - now)))
    }
  }

  /** The last record that was offered or passed by. */
  get position(): Position {
    return this.#position
  }

  get open(): number {
    return this.#open.size
  }

  get failing(): number {
    let count = 0
    for (const { attempts } of this.#deferred.values()) if (attempts > 0) count++
    return count
  }

  /** Every record up to here is handled, or its key is held. */
  get floor(): Position {
    for (const position of this.#open) return position - 1
    return this.#position
  }

  /** Takes the next record of this lane; the same one again, or an older one, does nothing. */
  offer(record: SourceRecord<T>): void {
    const { key, position, value } = record
    if (position <= this.#position || this.#phase !== 'reading') return
    this.#position = position
    const held = this.#deferred.get(key)
    if (held !== undefined) {
      const upTo = Math.max(held.upTo, position)
      if (value !== undefined) this.#deferred.set(key, { ...held, upTo }) // L2
      return this.#progressed()
    }
    if (value === undefined) return this.#progressed()
    const waiting = this.#waiting.get(key)
    const { keyQueueMax = keyQueueMaxDefault } = this.#options
    const isLong = waiting !== undefined && waiting.length >= keyQueueMax
    const isSuspect = waiting === undefined && position <= this.#options.suspectsUpTo
    if ((isLong || isSuspect) && this.#deferred.size < deferredKeysMax) {
      // L6, L8.
      const at = this.#options.clock.now()
      const begin = { key, position, attempts: 0, firstAt: at, nextAt: at, error: '' }
      this.#deferred.set(key, { ...begin, upTo: position })
      if (isSuspect) this.#schedule(key, 0)
      return this.#progressed()
    }
    this.#open.add(position)
    if (waiting !== undefined) waiting.push(record)
    else {
      const line = [record]
      this.#waiting.set(key, line)
      void this.#work(key, line)
    }
  }

  /** The source holds nothing more for this lane up to a position. */
  passed(position: Position): void {
    if (position <= this.#position || this.#phase !== 'reading') return
    this.#position = position
    if (this.floor - this.#savedFloor >= quietStride) this.#progressed()
  }

  /**
   * Takes nothing more, finishes what is being handled for at most `timeout` ms, and leaves the
   * lane to the next owner. Writing that down may take longer: see {@link abandon}.
   */
  async release(timeout: number): Promise<void> {
    if (this.#phase !== 'reading') return
    this.#phase = 'finishing'
    this.#leaving.abort()
    this.#endWaits()
    if (this.#busy > 0) {
      const idle = deferred<void>()
      this.#idle = idle.resolve
      const inTime = new AbortController()
      void idle.promise.then(() => inTime.abort())
      await Promise.race([idle.promise, pause(timeout, inTime.signal)])
    }
    this.#ending.abort()
    await this.#saving
    if (this.#phase !== 'finishing') return
    this.#phase = 'over'
    try {
      // One attempt: who does not hear it finds out that this node is gone.
      await this.#put(this.#busy === 0)
    } catch (error) {
      this.#options.log('warn', `Lane ${this.#name} was not handed over`, { err: error })
    }
  }

  /** From now on nothing of this lane counts, whatever is still under way. */
  abandon(): void {
    if (this.#phase === 'over') return
    this.#phase = 'over'
    this.#endWaits()
    this.#leaving.abort()
    this.#ending.abort()
  }

  get #isOver(): boolean {
    return this.#phase === 'over'
  }

  get #name(): string {
    return this.#options.document.join('.')
  }

  /** L1. Never rejects. */
  async #work(key: string, line: SourceRecord<T>[]): Promise<void> {
    const { counters, clock, backoff } = this.#options
    this.#busy++
    let attempt = 1
    let firstAt = 0
    for (let record = line[0]; record !== undefined; record = line[0]) {
      if (this.#phase !== 'reading') break
      if (attempt === 1) firstAt = clock.now()
      if (record.position > this.#savedReach && !(await this.#mayBegin())) break
      const settled = await this.#handle(record, attempt, firstAt)
      if (this.#isOver || isVoid(settled)) break
      if (
        settled.kind === 'again' &&
        !this.#deferred.has(key) &&
        this.#deferred.size >= deferredKeysMax
      ) {
        // L6.
        counters.failures++
        const { after = delayAfter(attempt++, backoff) } = settled
        const { signal } = this.#leaving
        await (clock.wait?.(after, signal) ?? pause(after, signal))
        continue
      }
      if (settled.kind === 'again') {
        const last = this.#deferred.get(key)?.upTo ?? line.at(-1)!.position
        this.#fail(record, attempt, firstAt, last, settled)
        for (const { position } of line) this.#open.delete(position)
        break
      }
      attempt = 1
      line.shift()
      this.#open.delete(record.position)
      this.#options.counters.handled++
      this.#progressed()
      this.#options.onSettled()
    }
    // L3: of a lane that is left, the line is the next owner's.
    if (this.#phase === 'reading') {
      this.#waiting.delete(key)
      // L6: it goes on with what was left in the source.
      if (line[0] === undefined && this.#deferred.has(key)) this.#schedule(key, 0)
    }
    this.#options.onSettled()
    this.#released()
  }

  /** L2: from the record that failed up to all that was left in the source since. Never rejects. */
  async #catchUp(key: string): Promise<void> {
    this.#waits.delete(key)
    const leave = await this.#options.enter(this.#leaving.signal)
    if (this.#phase !== 'reading') return leave?.()
    this.#busy++
    try {
      await this.#handleHeld(key)
    } catch (error) {
      if (!this.#ending.signal.aborted) {
        this.#options.log('warn', `What is held back for ${key} could not be read`, {
          err: error,
        })
        this.#schedule(key, catchUpRetryPause)
      }
    }
    leave?.()
    this.#released()
  }

  async #handleHeld(key: string): Promise<void> {
    const { source, counters, clock } = this.#options
    for (;;) {
      const { position: from, upTo } = this.#deferred.get(key)!
      for await (const record of source.ofKey(key, from, upTo, this.#ending.signal)) {
        if (this.#phase !== 'reading') return
        const held = this.#deferred.get(key)!
        if (record.value !== undefined) {
          const isSame = record.position === held.position && held.attempts > 0
          const attempt = isSame ? held.attempts + 1 : 1
          const firstAt = isSame ? held.firstAt : clock.now()
          const begin = { key, attempts: attempt, firstAt, upTo }
          const settled = await this.#handleOne(record, begin)
          if (settled === undefined || this.#isOver || isVoid(settled)) return
          if (settled.kind === 'again')
            return this.#fail(record, attempt, firstAt, upTo, settled)
          counters.handled++
        }
        const { upTo: newest } = this.#deferred.get(key)!
        const { isBegun: _, deaths: __, ...rest } = held
        const next = { position: record.position + 1, attempts: 0, upTo: newest }
        this.#deferred.set(key, { ...rest, ...next })
        this.#progressed()
      }
      // Nothing came in between the end of that reading and here: all is handled.
      if (this.#deferred.get(key)!.upTo === upTo) break
    }
    this.#deferred.delete(key)
    this.#save()
    this.#options.onSettled()
  }

  /** One that was held; `undefined` when nothing may be begun any more. */
  async #handleOne(
    record: SourceRecord<T>,
    begin: Pick<DeferredKey, 'key' | 'attempts' | 'firstAt' | 'upTo'>,
  ): Promise<HandlingResult | undefined> {
    const { position } = record
    const { suspectsUpTo, serialExecutor, clock, backoff } = this.#options
    const { key, attempts, firstAt } = begin
    const { isBegun: isAfterDeath = false, deaths = 0 } = this.#deferred.get(key) ?? {}
    const isSuspect = position <= suspectsUpTo || deaths >= suspiciousDeaths
    if (!isAfterDeath && !isSuspect) {
      if (position > this.#savedReach && !(await this.#mayBegin())) return undefined
      return this.#handle(record, attempts, firstAt)
    }
    // L8.
    return serialExecutor.run(async () => {
      const { upTo } = this.#deferred.get(key) ?? begin
      const error = 'its node ended while it was being handled'
      const nextAt = clock.now() + delayAfter(attempts, backoff)
      this.#deferred.set(key, { ...begin, upTo, position, nextAt, error, isBegun: true })
      await this.#saved()
      if (this.#phase !== 'reading') return undefined
      return this.#handle(record, attempts, firstAt, isAfterDeath)
    })
  }

  /** L7. False when the lane is left meanwhile. */
  async #mayBegin(): Promise<boolean> {
    await this.#saved()
    return this.#phase === 'reading'
  }

  async #handle(
    record: SourceRecord<T>,
    attempt: number,
    firstAt: number,
    isAfterDeath = false,
  ): Promise<HandlingResult> {
    const { handle, repeatsUpTo } = this.#options
    const { position, value } = record
    try {
      return await handle(value as T, {
        position,
        attempt,
        firstAt,
        isAfterDeath,
        mayBeRepeat: attempt > 1 || position <= repeatsUpTo,
        signal: this.#ending.signal,
      })
    } catch (error) {
      return { kind: 'again', error }
    }
  }

  #fail(
    { key, position }: SourceRecord<T>,
    attempts: number,
    firstAt: number,
    last: Position,
    { error, after }: HandlingResult & { kind: 'again' },
  ): void {
    const { backoff, clock, counters } = this.#options
    counters.failures++
    const delay = after ?? delayAfter(attempts, backoff)
    const nextAt = clock.now() + delay
    const upTo = Math.max(last, this.#deferred.get(key)?.upTo ?? position)
    const failing = { key, position, attempts, firstAt, nextAt, error: messageOf(error) }
    this.#deferred.set(key, { ...failing, upTo })
    this.#schedule(key, delay)
    this.#save() // L5
  }

  #schedule(key: string, delay: number): void {
    if (this.#phase !== 'reading') return
    const { clock } = this.#options
    if (clock.wait !== undefined && delay > 0) {
      const waiting = new AbortController()
      this.#waits.set(key, () => waiting.abort())
      void clock.wait(delay, waiting.signal).then(() => {
        if (!waiting.signal.aborted) void this.#catchUp(key)
      })
      return
    }
    const timer = setTimeout(() => void this.#catchUp(key), Math.min(delay, 2 ** 31 - 1))
    timer.unref()
    this.#waits.set(key, () => clearTimeout(timer))
  }

  #released(): void {
    if (--this.#busy === 0) this.#idle?.()
  }

  /** Something is done that is worth writing down soon. */
  #progressed(): void {
    if (this.#phase !== 'reading' || this.#saveTimer !== undefined) return
    this.#saveTimer = setTimeout(() => {
      this.#saveTimer = undefined
      this.#save()
    }, saveEvery)
    this.#saveTimer.unref()
  }

  #save(): void {
    this.#isDirty = true
    if (this.#phase === 'reading') this.#saving ??= this.#saveAll()
  }

  /** Resolves when what is so now is written down, or the lane is left. */
  async #saved(): Promise<void> {
    this.#save()
    await this.#saving
  }

  /** Writes until nothing is left to write. Never rejects. */
  async #saveAll(): Promise<void> {
    while (this.#isDirty && this.#phase !== 'over') {
      this.#isDirty = false
      try {
        await this.#put(false)
        // L5: a document with many keys in it is not written for each of them.
        const rest = this.#isDirty ? Math.floor(this.#deferred.size / 32) * saveEvery : 0
        if (rest > 0) await pause(Math.min(1_000, rest), this.#leaving.signal)
      } catch (error) {
        this.#isDirty = true
        if (isCairnError(error, 'store-closed') || this.#phase !== 'reading') break
        this.#options.log('warn', `Progress of ${this.#name} could not be written`, {
          err: error,
        })
        await pause(saveRetryPause, this.#ending.signal)
      }
    }
    this.#saving = undefined
  }

  /** L4. */
  async #put(isLast: boolean): Promise<void> {
    const { documents, document, owner, taken } = this.#options
    // L7: who has finished begins nothing more, but one before it may; others leave room ahead.
    const position = this.#position
    const reach = isLast
      ? Math.max(position, this.#options.repeatsUpTo)
      : Math.max(this.#savedReach, position + reachStride)
    const { floor, failing } = this.#standing()
    const bytes = encodePartitionState({
      ...(!isLast && { owner }),
      epoch: taken.epoch,
      floor,
      reach,
      // It grows from owner to owner as long as the floor stands still.
      ...(!isLast && floor === this.#options.floor && { deaths: taken.deaths }),
      failing,
    })
    let revision: number | 'conflict'
    try {
      revision = await documents.put(document, bytes, this.#revision)
    } catch (error) {
      if (!isCairnError(error, 'outcome-unknown')) throw error
      revision = await this.#whatBecameOf(bytes, await documents.get(document))
    }
    if (revision === 'conflict') return this.#lost()
    this.#revision = revision
    this.#savedPosition = position
    this.#savedFloor = floor
    this.#savedReach = reach
  }

  /** L3. */
  #standing(): { readonly floor: Position; readonly failing: readonly FailingKey[] } {
    const isEnding = this.#phase === 'over'
    const failing: FailingKey[] = []
    for (const held of this.#deferred.values()) {
      // Of a long line the first is still open here.
      const first = this.#waiting.get(held.key)?.[0]
      const standing = first === undefined ? held : { ...held, position: first.position }
      if (isEnding && standing.isBegun === true) {
        // Whoever lets go ends no process: what it breaks off was no attempt.
        const { isBegun: _, attempts, ...rest } = standing
        failing.push({ ...rest, attempts: attempts - 1 })
      } else failing.push(standing)
    }
    const at = this.#options.clock.now()
    let floor = this.#position
    let named = 0
    const fronts: [Position, string][] = []
    for (const [key, line] of this.#waiting)
      if (line[0] !== undefined && !this.#deferred.has(key))
        fronts.push([line[0].position, key])
    for (const [position, key] of fronts.toSorted(([a], [b]) => a - b)) {
      const isSlow = isEnding || position <= this.#savedPosition
      if (!isSlow || named === namedMax || failing.length >= deferredKeysMax) {
        floor = position - 1
        break
      }
      named++
      failing.push({ key, position, attempts: 0, firstAt: at, nextAt: at, error: '' })
    }
    return { floor, failing }
  }

  async #whatBecameOf(
    bytes: Uint8Array,
    now: Document | undefined,
  ): Promise<number | 'conflict'> {
    const { documents, document, taken } = this.#options
    if ((now?.revision ?? 0) === this.#revision)
      return documents.put(document, bytes, this.#revision)
    const isOurs =
      now !== undefined &&
      decodePartitionState(now.value, this.#name).epoch === taken.epoch
    return isOurs ? now.revision : 'conflict'
  }

  #lost(): void {
    if (this.#phase === 'over') return
    this.abandon()
    this.#options.onLost()
  }

  #endWaits(): void {
    for (const end of this.#waits.values()) end()
    this.#waits.clear()
    clearTimeout(this.#saveTimer)
    this.#saveTimer = undefined
  }
}

function isVoid(settled: HandlingResult): boolean {
  return settled.kind === 'again' && settled.isVoid === true
}
