// Queues of an embedded namespace: tables beside its log, in the same file.

import type { Position } from '../../model/version.js'
import { throwIfAborted } from '../../model/wait.js'
import type { SideTables } from '../lmdb/side-tables.js'
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

export class LmdbQueue implements Queue {
  readonly name: QueueName
  readonly #tables: SideTables
  readonly #closing = new AbortController()

  constructor(name: QueueName, tables: SideTables) {
    this.name = name
    this.#tables = tables
  }

  async put(record: NewRecord, { signal }: PutOptions = {}): Promise<Put> {
    throwIfAborted(signal, `putting into ${this.name}`)
    checkRecord(record)
    const { key, id, headers, body } = record
    const at = Date.now()
    const stored = { at, key, id, headers: Object.fromEntries(headers), body }
    return this.#tables.add(this.name, stored)
  }

  async *read(options: QueueReadOptions = {}): AsyncGenerator<QueueRecord> {
    const { upTo = Infinity, key, signal } = options
    const wanted = key && JSON.stringify(key)
    let { after = 0 } = options
    for (;;) {
      throwIfAborted(signal, `reading ${this.name}`)
      const records = this.#tables.recordsAfter(this.name, after)
      if (records.length === 0) return
      for (const { position, at, key: names, headers, body } of records) {
        if (position > upTo) return
        after = position
        if (wanted === undefined || JSON.stringify(names) === wanted)
          yield { position, at, key: names, headers, body }
      }
    }
  }

  async *follow(options: {
    readonly after?: Position
    readonly signal: AbortSignal
  }): AsyncGenerator<QueueRecord> {
    let { after = 0 } = options
    const signal = AbortSignal.any([options.signal, this.#closing.signal])
    const watch = this.#tables.watchOf(this.name)
    while (!signal.aborted) {
      // Whatever is stored up to here is read next, or removed by now.
      const last = this.#tables.lastPosition(this.name)
      for await (const record of this.read({ after })) {
        after = record.position
        yield record
        if (signal.aborted) return
      }
      await watch.news(Math.max(after, last), signal)
    }
  }

  async lastPosition(): Promise<Position> {
    return this.#tables.lastPosition(this.name)
  }

  async remove(positions: readonly Position[]): Promise<void> {
    if (positions.length > 0) await this.#tables.remove(this.name, positions)
  }

  async close(): Promise<void> {
    this.#closing.abort()
  }
}
