// Queues of an embedded namespace: a table in the file of its log.

import type { Position } from '../../model/version.js'
import { throwIfAborted } from '../../model/wait.js'
import type { QueueTable } from '../lmdb/queue-table.js'
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

export class LmdbQueue implements Queue {
  readonly name: QueueName
  readonly #table: QueueTable
  readonly #closing = new AbortController()

  constructor(name: QueueName, table: QueueTable) {
    this.name = name
    this.#table = table
  }

  async put(record: NewRecord, { signal }: PutOptions = {}): Promise<PutResult> {
    throwIfAborted(signal, `putting into ${this.name}`)
    checkRecord(record)
    const { key, id, headers, body } = record
    const at = Date.now()
    const stored = { at, key, id, headers: Object.fromEntries(headers), body }
    return this.#table.add(this.name, stored)
  }

  async *read(options: QueueReadOptions = {}): AsyncGenerator<QueueRecord> {
    const { upTo = Infinity, key, signal } = options
    const wanted = key && JSON.stringify(key)
    let { after = 0 } = options
    for (;;) {
      throwIfAborted(signal, `reading ${this.name}`)
      const records = this.#table.recordsAfter(this.name, after)
      if (records.length === 0) return
      for (const { position, at, key: names, headers, body } of records) {
        if (position > upTo) return
        after = position
        if (wanted === undefined || JSON.stringify(names) === wanted)
          yield { position, at, key: names, headers, body }
      }
    }
  }

  follow({
    after = 0,
    signal,
  }: {
    readonly after?: Position
    readonly signal: AbortSignal
  }): AsyncGenerator<QueueRecord> {
    const watcher = this.#table.watcherOf(this.name)
    const queue = {
      lastPosition: () => this.#table.lastPosition(this.name),
      read: (options: QueueReadOptions) => this.read(options),
      waitBeyond: watcher.waitBeyond.bind(watcher),
    }
    return followQueue(queue, after, AbortSignal.any([signal, this.#closing.signal]))
  }

  async lastPosition(): Promise<Position> {
    return this.#table.lastPosition(this.name)
  }

  async remove(positions: readonly Position[]): Promise<void> {
    if (positions.length > 0) await this.#table.remove(this.name, positions)
  }

  async close(): Promise<void> {
    this.#closing.abort()
  }
}
