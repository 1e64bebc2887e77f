// The reference timers: in this process, gone with it.
//
// Owns the timers of a namespace by name, and a heap of when they are due; what the heap holds of
// a timer that was replaced or cancelled is passed over when its turn comes.

import type { ActorAddress } from '../../model/address.js'
import type { Clock } from '../../model/clock.js'
import { type TimerGeneration, isBefore, type Timer } from '../../model/timer.js'
import { MemoryQueue, MemoryRecords } from '../queue/memory.js'
import type { Queue } from '../queue/queue.js'
import { WakeSignal } from '../wake-signal.js'
import { runTimers } from './run-timers.js'
import { type ListTimersOptions, keyOfTimer, timerRecord, type Timers } from './timers.js'
import { readTimer } from './timers.js'

type StoredRecord = ReturnType<typeof timerRecord>

interface Waiting {
  readonly timer: Omit<Timer, 'data'>
  readonly record: StoredRecord
  /** In which order it was set (T4). */
  readonly order: number
}

/** What all openings of a namespace share. */
export class MemoryTimersTable {
  readonly due = new MemoryRecords()
  readonly waiting = new Map<string, Waiting>()
  readonly bell = new WakeSignal()
  readonly #heap: Waiting[] = []
  #sets = 0

  add(timer: Timer, record: StoredRecord): void {
    const waiting = { timer, record, order: ++this.#sets }
    this.waiting.set(nameOf(record.key), waiting)
    push(this.#heap, waiting)
    this.bell.raise(this.#sets)
  }

  get sets(): number {
    return this.#sets
  }

  /** The one that is due next. */
  first(): Waiting | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (this.waiting.get(nameOf(top.record.key)) === top) return top
      pop(this.#heap)
    }
    return undefined
  }

  fire({ record }: Waiting): void {
    const { key, place, id, headers, body } = record
    this.waiting.delete(nameOf(key))
    this.due.add({ key: place, id, headers, body })
  }
}

export class MemoryTimers implements Timers {
  readonly due: Queue
  readonly #table: MemoryTimersTable
  readonly #partitions: number

  constructor(table: MemoryTimersTable, partitions: number) {
    this.due = new MemoryQueue('due', table.due)
    this.#table = table
    this.#partitions = partitions
  }

  async set(timer: Timer): Promise<boolean> {
    const record = timerRecord(timer, this.#partitions)
    const known = this.#table.waiting.get(nameOf(record.key))
    if (known !== undefined && !isBefore(known.timer, timer)) return false
    this.#table.add(timer, record)
    return true
  }

  async advance(timer: Timer): Promise<void> {
    const record = timerRecord(timer, this.#partitions)
    const known = this.#table.waiting.get(nameOf(record.key))
    if (
      known === undefined ||
      isBefore(known.timer, timer) ||
      isBefore(timer, known.timer)
    )
      return
    this.#table.add(timer, record)
  }

  async cancel(
    actor: ActorAddress,
    name: string,
    before: TimerGeneration,
  ): Promise<boolean> {
    const key = nameOf([...keyOfTimer(actor, this.#partitions), name])
    const known = this.#table.waiting.get(key)
    if (known === undefined || known.timer.generation >= before) return false
    return this.#table.waiting.delete(key)
  }

  async get(actor: ActorAddress, name: string): Promise<Timer | undefined> {
    const key = nameOf([...keyOfTimer(actor, this.#partitions), name])
    const known = this.#table.waiting.get(key)
    return known && this.#read(known)
  }

  async *list({ actor, signal }: ListTimersOptions = {}): AsyncGenerator<Timer> {
    const place = actor && nameOf(keyOfTimer(actor, this.#partitions))
    for (const waiting of this.#table.waiting.values()) {
      signal?.throwIfAborted()
      if (place === undefined || nameOf(waiting.record.place) === place)
        yield this.#read(waiting)
    }
  }

  run(clock: Clock, signal: AbortSignal): Promise<void> {
    const table = this.#table
    return runTimers(
      {
        fire: async now => {
          const first = table.first()
          if (first === undefined || first.timer.at > now) return 0
          table.fire(first)
          return 1
        },
        next: () => table.first()?.timer.at,
        lastSet: () => table.sets,
        news: (lastSet, until) => table.bell.wait(lastSet, waitMax, until),
      },
      clock,
      signal,
    )
  }

  close(): Promise<void> {
    return this.due.close()
  }

  #read({ record: { key, headers, body } }: Waiting): Timer {
    const timer = readTimer(key, Object.fromEntries(headers), body, this.#partitions)
    if (typeof timer === 'string') throw new TypeError(timer)
    return timer
  }
}

const waitMax = 60_000

function nameOf(key: readonly string[]): string {
  return JSON.stringify(key)
}

function isSooner(one: Waiting, other: Waiting): boolean {
  return (
    one.timer.at - other.timer.at < 0 ||
    (one.timer.at === other.timer.at && one.order < other.order)
  )
}

function push(heap: Waiting[], item: Waiting): void {
  let at = heap.push(item) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!isSooner(item, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = item
}

function pop(heap: Waiting[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isSooner(heap[child + 1]!, heap[child]!)) child++
    if (!isSooner(heap[child]!, last)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
}
