// The reference timers: in this process, lost when it ends.
//
// Owns the timers of a namespace by name, and a heap of them by due time. Heap entries of timers
// that were replaced or cancelled are skipped when they come to the top.

import type { ActorAddress } from '../../model/address.js'
import type { Clock } from '../../model/clock.js'
import type { TimerGeneration, Timer } from '../../model/timer.js'
import { MemoryQueue, MemoryQueueRecords } from '../queue/memory.js'
import type { Queue } from '../queue/queue.js'
import { WakeSignal } from '../wake-signal.js'
import { runTimers } from './run-timers.js'
import {
  actorKeyOf,
  isReplacedBy,
  isSameFiring,
  type ListTimersOptions,
  readTimer,
  timerRecord,
  type Timers,
} from './timers.js'

type StoredRecord = ReturnType<typeof timerRecord>

interface Waiting {
  readonly timer: Omit<Timer, 'data'>
  readonly record: StoredRecord
  /** How many timers were set before it, and itself (TIMERS-4). */
  readonly order: number
}

/** The timers of a namespace, shared by all that have it open. */
export class MemoryTimerTable {
  readonly due = new MemoryQueueRecords()
  readonly waiting = new Map<string, Waiting>()
  readonly wakeSignal = new WakeSignal()
  readonly #heap: Waiting[] = []
  #setCount = 0

  add(timer: Timer, record: StoredRecord): void {
    const waiting = { timer, record, order: ++this.#setCount }
    this.waiting.set(nameOf(record.key), waiting)
    push(this.#heap, waiting)
    this.wakeSignal.raise(this.#setCount)
  }

  get setCount(): number {
    return this.#setCount
  }

  /** The timer that is due next. */
  first(): Waiting | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (this.waiting.get(nameOf(top.record.key)) === top) return top
      pop(this.#heap)
    }
    return undefined
  }

  fire({ record }: Waiting): void {
    const { key, actorKey, id, headers, body } = record
    this.waiting.delete(nameOf(key))
    this.due.add({ key: actorKey, id, headers, body })
  }
}

export class MemoryTimers implements Timers {
  readonly due: Queue
  readonly place = 'the timers'
  readonly #table: MemoryTimerTable
  readonly #partitions: number

  constructor(table: MemoryTimerTable, partitions: number) {
    this.due = new MemoryQueue('due', table.due)
    this.#table = table
    this.#partitions = partitions
  }

  async set(timer: Timer): Promise<boolean> {
    const record = timerRecord(timer, this.#partitions)
    const known = this.#table.waiting.get(nameOf(record.key))
    if (!isReplacedBy(known?.timer, timer)) return false
    this.#table.add(timer, record)
    return true
  }

  async advance(timer: Timer): Promise<void> {
    const record = timerRecord(timer, this.#partitions)
    const known = this.#table.waiting.get(nameOf(record.key))
    if (isSameFiring(known?.timer, timer)) this.#table.add(timer, record)
  }

  async cancel(
    actor: ActorAddress,
    name: string,
    before: TimerGeneration,
  ): Promise<boolean> {
    const key = nameOf([...actorKeyOf(actor, this.#partitions), name])
    const known = this.#table.waiting.get(key)
    if (known === undefined || known.timer.generation >= before) return false
    return this.#table.waiting.delete(key)
  }

  async get(actor: ActorAddress, name: string): Promise<Timer | undefined> {
    const key = nameOf([...actorKeyOf(actor, this.#partitions), name])
    const known = this.#table.waiting.get(key)
    return known && this.#read(known)
  }

  async *list({ actor, signal }: ListTimersOptions = {}): AsyncGenerator<Timer> {
    const actorKey = actor && nameOf(actorKeyOf(actor, this.#partitions))
    for (const waiting of this.#table.waiting.values()) {
      signal?.throwIfAborted()
      if (actorKey === undefined || nameOf(waiting.record.actorKey) === actorKey)
        yield this.#read(waiting)
    }
  }

  async nextDueAt(): Promise<number | undefined> {
    return this.#table.first()?.timer.at
  }

  /** TIMERS-6: they are lost with the log. */
  async completeness() {
    return 'complete' as const
  }

  async setComplete(): Promise<void> {}

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
        nextDueAt: () => table.first()?.timer.at,
        setCount: () => table.setCount,
        waitForSet: (setCount, until) => table.wakeSignal.wait(setCount, waitMax, until),
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

/** Milliseconds that one wait takes at most. */
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
