// The reference queue: in this process, gone with it.

import type { Position } from '../../model/version.js'
import { throwIfAborted } from '../../model/wait.js'
import { WakeSignal } from '../wake-signal.js'
import {
  checkRecord,
  type NewRecord,
  type Put,
  type PutOptions,
  type Queue,
  type QueueName,
  type QueueReadOptions,
  type QueueRecord,
} from './queue.js'

/** What all queues of one name in a namespace share. */
export class MemoryRecords {
  readonly byPosition = new Map<Position, QueueRecord>()
  readonly bell = new WakeSignal()
  readonly #positions = new Map<string, Position>()
  #last: Position = 0

  get last(): Position {
    return this.#last
  }

  add({ key, id, headers, body }: NewRecord): Put {
    const name = JSON.stringify([...key, id])
    const known = this.#positions.get(name)
    if (known !== undefined && this.byPosition.has(known))
      return { position: known, duplicate: true }
    const position = ++this.#last
    this.#positions.set(name, position)
    this.byPosition.set(position, {
      position,
      at: Date.now(),
      key: [...key],
      headers: Object.fromEntries(headers),
      body: body.slice(),
    })
    this.bell.raise(position)
    return { position, duplicate: false }
  }

  remove(position: Position): void {
    this.byPosition.delete(position)
    for (const [name, at] of this.#positions) {
      if (at !== position) continue
      this.#positions.delete(name)
      return
    }
  }
}

export class MemoryQueue implements Queue {
  readonly name: QueueName
  readonly #records: MemoryRecords
  readonly #closing = new AbortController()

  constructor(name: QueueName, records: MemoryRecords) {
    this.name = name
    this.#records = records
  }

  async put(record: NewRecord, { signal }: PutOptions = {}): Promise<Put> {
    throwIfAborted(signal, `putting into ${this.name}`)
    checkRecord(record)
    return this.#records.add(record)
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

  async *follow(options: {
    readonly after?: Position
    readonly signal: AbortSignal
  }): AsyncGenerator<QueueRecord> {
    let { after = 0 } = options
    const signal = AbortSignal.any([options.signal, this.#closing.signal])
    while (!signal.aborted) {
      // Whatever is stored up to here is read next, or removed by now.
      const { last } = this.#records
      for await (const record of this.read({ after })) {
        after = record.position
        yield record
        if (signal.aborted) return
      }
      await this.#records.bell.wait(Math.max(after, last), waitMax, signal)
    }
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

const waitMax = 60_000
