// The reference queue: in this process, lost when it ends.

import type { Position } from '../../model/version.js'
import { throwIfAborted } from '../../model/wait.js'
import { Turns } from '../turns.js'
import { WakeSignal } from '../wake-signal.js'
import { followQueue } from './follow.js'
import {
  checkRecord,
  type NewRecord,
  type PutResult,
  type PutOptions,
  type Queue,
  type QueueName,
  type QueueReadOptions,
  type QueueRecord,
} from './queue.js'

/** The records of one queue, shared by all that have it open. */
export class MemoryQueueRecords {
  readonly byPosition = new Map<Position, QueueRecord>()
  readonly wakeSignal = new WakeSignal()
  readonly #positions = new Map<string, Position>()
  readonly #names = new Map<Position, string>()
  #last: Position = 0

  get last(): Position {
    return this.#last
  }

  add({ key, id, headers, body }: NewRecord): PutResult {
    const name = JSON.stringify([...key, id])
    const known = this.#positions.get(name)
    if (known !== undefined && this.byPosition.has(known))
      return { position: known, duplicate: true }
    const position = ++this.#last
    this.#positions.set(name, position)
    this.#names.set(position, name)
    this.byPosition.set(position, {
      position,
      at: Date.now(),
      key: [...key],
      headers: Object.fromEntries(headers),
      body: body.slice(),
    })
    this.wakeSignal.raise(position)
    return { position, duplicate: false }
  }

  remove(position: Position): void {
    this.byPosition.delete(position)
    const name = this.#names.get(position)
    this.#names.delete(position)
    if (name !== undefined) this.#positions.delete(name)
  }
}

export class MemoryQueue implements Queue {
  readonly name: QueueName
  readonly #records: MemoryQueueRecords
  readonly #closing = new AbortController()
  readonly #turns = new Turns()

  constructor(name: QueueName, records: MemoryQueueRecords) {
    this.name = name
    this.#records = records
  }

  async put(record: NewRecord, { signal }: PutOptions = {}): Promise<PutResult> {
    throwIfAborted(signal, `putting into ${this.name}`)
    checkRecord(record)
    const put = this.#records.add(record)
    await this.#turns.next()
    return put
  }

  async *read(options: QueueReadOptions = {}): AsyncGenerator<QueueRecord> {
    const { after = 0, upTo = Infinity, key, signal } = options
    const wanted = key && JSON.stringify(key)
    for (const record of this.#records.byPosition.values()) {
      throwIfAborted(signal, `reading ${this.name}`)
      if (record.position <= after) continue
      if (record.position > upTo) return
      if (wanted === undefined || JSON.stringify(record.key) === wanted) yield record
    }
  }

  follow({
    after = 0,
    signal,
  }: {
    readonly after?: Position
    readonly signal: AbortSignal
  }): AsyncGenerator<QueueRecord> {
    const records = this.#records
    const queue = {
      lastPosition: () => records.last,
      read: (options: QueueReadOptions) => this.read(options),
      waitBeyond: (position: Position, until: AbortSignal) =>
        records.wakeSignal.wait(position, waitMax, until),
    }
    return followQueue(queue, after, AbortSignal.any([signal, this.#closing.signal]))
  }

  async lastPosition(): Promise<Position> {
    return this.#records.last
  }

  async remove(positions: readonly Position[]): Promise<void> {
    for (const position of positions) this.#records.remove(position)
  }

  async close(): Promise<void> {
    this.#closing.abort()
  }
}

/** Milliseconds that one wait takes at most. */
const waitMax = 60_000
