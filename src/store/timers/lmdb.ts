// Timers of an embedded namespace: in its file, beside its log. Every process that takes part
// makes due what is due; which one does it first is LMDB's to say.

import type { ActorAddress } from '../../model/address.js'
import type { Clock } from '../../model/clock.js'
import { CairnError } from '../../model/errors.js'
import {
  checkTimerName,
  type TimerGeneration,
  isBefore,
  type Timer,
} from '../../model/timer.js'
import { throwIfAborted } from '../../model/wait.js'
import { LmdbQueue } from '../queue/lmdb.js'
import type { PutOptions, Queue } from '../queue/queue.js'
import type { SideTables } from '../lmdb/side-tables.js'
import { type TimerRecord, TimerTables } from '../lmdb/timer-tables.js'
import { runTimers } from './run-timers.js'
import {
  type ListTimersOptions,
  keyOfTimer,
  readTimer,
  timerRecord,
  type Timers,
} from './timers.js'

export class LmdbTimers implements Timers {
  readonly due: Queue
  readonly #tables: TimerTables
  readonly #partitions: number

  constructor(side: SideTables, partitions: number) {
    this.due = new LmdbQueue('due', side)
    this.#tables = new TimerTables(side)
    this.#partitions = partitions
  }

  async set(timer: Timer, { signal }: PutOptions = {}): Promise<boolean> {
    throwIfAborted(signal, 'setting a timer')
    return this.#tables.put(
      this.#toRecord(timer),
      known => known === undefined || isBefore(known, timer),
    )
  }

  async advance(timer: Timer, { signal }: PutOptions = {}): Promise<void> {
    throwIfAborted(signal, 'setting a timer')
    await this.#tables.put(
      this.#toRecord(timer),
      known => known !== undefined && !isBefore(known, timer) && !isBefore(timer, known),
    )
  }

  async cancel(
    actor: ActorAddress,
    name: string,
    before: TimerGeneration,
    { signal }: PutOptions = {},
  ): Promise<boolean> {
    throwIfAborted(signal, 'cancelling a timer')
    const key = [...keyOfTimer(actor, this.#partitions), checkTimerName(name)]
    return this.#tables.remove(key, ({ generation }) => generation < before)
  }

  async get(actor: ActorAddress, name: string): Promise<Timer | undefined> {
    const known = this.#tables.get([...keyOfTimer(actor, this.#partitions), name])
    return known && this.#read(known)
  }

  async *list({ actor, signal }: ListTimersOptions = {}): AsyncGenerator<Timer> {
    const place = actor && keyOfTimer(actor, this.#partitions)
    let after: Buffer | undefined
    for (;;) {
      throwIfAborted(signal, 'listing timers')
      const chunk = this.#tables.chunk(place, after)
      for (const { record } of chunk) yield this.#read(record)
      after = chunk.at(-1)?.key
      if (after === undefined) return
    }
  }

  run(clock: Clock, signal: AbortSignal): Promise<void> {
    const tables = this.#tables
    return runTimers(
      {
        fire: now => tables.fire(now, this.due.name),
        next: () => tables.next(),
        lastSet: () => tables.sets,
        news: (lastSet, until) => tables.watch.news(lastSet, until),
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
      `The timer at ${key.join('/')} cannot be read: ${timer}.`,
    )
  }
}
