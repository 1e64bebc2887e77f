// Timers of an embedded namespace: a table in the file of its log. Every process that runs them
// fires the due ones; LMDB's write lock decides which process fires a timer.

import type { ActorAddress } from '../../model/address.js'
import type { Clock } from '../../model/clock.js'
import { CairnError } from '../../model/errors.js'
import { checkTimerName, type TimerGeneration, type Timer } from '../../model/timer.js'
import { throwIfAborted } from '../../model/wait.js'
import { LmdbQueue } from '../queue/lmdb.js'
import type { PutOptions, Queue } from '../queue/queue.js'
import type { QueueTable } from '../lmdb/queue-table.js'
import { type TimerRecord, TimerTable } from '../lmdb/timer-table.js'
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

export class LmdbTimers implements Timers {
  readonly due: Queue
  readonly place = 'the timers'
  readonly #table: TimerTable
  readonly #partitions: number

  constructor(queues: QueueTable, partitions: number) {
    this.due = new LmdbQueue('due', queues)
    this.#table = new TimerTable(queues)
    this.#partitions = partitions
  }

  async set(timer: Timer, { signal }: PutOptions = {}): Promise<boolean> {
    throwIfAborted(signal, 'setting a timer')
    return this.#table.put(this.#toRecord(timer), known => isReplacedBy(known, timer))
  }

  async advance(timer: Timer, { signal }: PutOptions = {}): Promise<void> {
    throwIfAborted(signal, 'setting a timer')
    await this.#table.put(this.#toRecord(timer), known => isSameFiring(known, timer))
  }

  async cancel(
    actor: ActorAddress,
    name: string,
    before: TimerGeneration,
    { signal }: PutOptions = {},
  ): Promise<boolean> {
    throwIfAborted(signal, 'cancelling a timer')
    const key = [...actorKeyOf(actor, this.#partitions), checkTimerName(name)]
    return this.#table.remove(key, ({ generation }) => generation < before)
  }

  async get(actor: ActorAddress, name: string): Promise<Timer | undefined> {
    const known = this.#table.get([...actorKeyOf(actor, this.#partitions), name])
    return known && this.#read(known)
  }

  async *list({ actor, signal }: ListTimersOptions = {}): AsyncGenerator<Timer> {
    const actorKey = actor && actorKeyOf(actor, this.#partitions)
    let after: Buffer | undefined
    for (;;) {
      throwIfAborted(signal, 'listing timers')
      const chunk = this.#table.chunk(actorKey, after)
      for (const { record } of chunk) yield this.#read(record)
      after = chunk.at(-1)?.key
      if (after === undefined) return
    }
  }

  async nextDueAt(): Promise<number | undefined> {
    return this.#table.nextDueAt()
  }

  /** TIMERS-6: they are in the file of the log. */
  async completeness() {
    return 'complete' as const
  }

  async setComplete(): Promise<void> {}

  run(clock: Clock, signal: AbortSignal): Promise<void> {
    const table = this.#table
    return runTimers(
      {
        fire: now => table.fire(now, this.due.name),
        nextDueAt: () => table.nextDueAt(),
        setCount: () => table.setCount,
        waitForSet: (setCount, until) => table.watcher.waitBeyond(setCount, until),
      },
      clock,
      signal,
    )
  }

  close(): Promise<void> {
    return this.due.close()
  }

  #toRecord(timer: Timer): TimerRecord {
    const { key, id, headers, body } = timerRecord(timer, this.#partitions)
    const { at, generation, occurrence } = timer
    return {
      key,
      at,
      generation,
      occurrence,
      id,
      headers: Object.fromEntries(headers),
      body,
    }
  }

  #read({ key, headers, body }: TimerRecord): Timer {
    const timer = readTimer(key, headers, body, this.#partitions)
    if (typeof timer !== 'string') return timer
    throw new CairnError(
      'storage-failed',
      `The timer under ${key.join('/')} cannot be read: ${timer}.`,
    )
  }
}
