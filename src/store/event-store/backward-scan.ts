// A backward scan: reads an actor's records newest first, in growing batches.
//
// Owns the batch that was read ahead. Each record holds the position of the one before it, so one
// single read per step is always correct, at one round trip each. The spacing of the records read so
// far predicts a batch with the next ones; a batch is read forwards and consumed from its end.
// BACKWARD-SCAN-1. A returned record is at exactly the requested position: a batch saves reads and
//     decides nothing. A record that the batch lacks is read by itself.
// BACKWARD-SCAN-2. The first step is a single read, which tells the spacing, and batches grow fourfold from there: each
//     step waits for a round trip, which takes as long as some ten records do. A caller that stops early has read at
//     most about four times as much as it needed, and no less than `batchMin`.
// BACKWARD-SCAN-3. At most `batchMax` records plus an eighth, and about `bytesMax` bytes, are held. A
//     wrong prediction costs one read; single reads follow it, twice as many after each miss.

import type { Position } from '../../model/version.js'

/** A record in a batch. */
export interface ScannedRecord {
  readonly position: Position
  readonly body: Uint8Array
}

export interface BackwardReads<Record extends ScannedRecord> {
  readOne(position: Position): Promise<Record | undefined>
  /** Up to `count` of the actor's records from a position on, in order. */
  readSome(from: Position, count: number): Promise<readonly Record[]>
}

/** Single reads before the first batch, and again after a wrong prediction. */
const firstSingleReads = 1
const missedSingleReads = 4
const batchMin = 8
const batchMax = 256
const batchGrowth = 4
const bytesMax = 1024 * 1024
/** At a wider spacing, a batch takes the server as long as single reads of its records. */
const spacingMax = 40

export class BackwardScan<Record extends ScannedRecord> {
  readonly #reads: BackwardReads<Record>
  readonly #ahead = new Map<Position, Record>()
  /** Single reads left before the next batch. */
  #singleReads = firstSingleReads
  #misses = 0
  #size = batchMin
  /** Records and bytes since the spacing was last measured, and the position of that measurement. */
  #steps = 0
  #bytes = 0
  #since: Position

  constructor(newest: Position, reads: BackwardReads<Record>) {
    this.#since = newest
    this.#reads = reads
  }

  /** The record at a position, which must be lower than all requested before. */
  async at(position: Position): Promise<Record | undefined> {
    const record = await this.#at(position)
    this.#steps++
    this.#bytes += record?.body.byteLength ?? 0
    return record
  }

  async #at(position: Position): Promise<Record | undefined> {
    const held = this.#ahead.get(position)
    if (held !== undefined) {
      this.#ahead.delete(position)
      return held
    }
    this.#ahead.clear()
    if (this.#singleReads > 0) {
      this.#singleReads--
      return this.#reads.readOne(position)
    }
    return (await this.#readAhead(position)) ?? this.#reads.readOne(position)
  }

  /** BACKWARD-SCAN-3. */
  async #readAhead(position: Position): Promise<Record | undefined> {
    const spacing = (this.#since - position) / (this.#steps + 1)
    const fitting = Math.floor((bytesMax * this.#steps) / Math.max(1, this.#bytes))
    const count = Math.min(this.#size, fitting)
    this.#since = position
    this.#steps = 0
    this.#bytes = 0
    if (count < batchMin || spacing > spacingMax) {
      this.#singleReads = batchMin
      return undefined
    }
    const from = Math.max(1, position - Math.ceil(spacing * (count - 1)))
    // Records are not spaced evenly: without spare room every second prediction would end too early.
    const spare = Math.ceil(2 * Math.sqrt(count))
    for (const record of await this.#reads.readSome(from, count + spare))
      if (record.position <= position) this.#ahead.set(record.position, record)
    const found = this.#ahead.get(position)
    if (found === undefined) {
      this.#ahead.clear()
      this.#singleReads = missedSingleReads * 2 ** ++this.#misses
      this.#size = batchMin
      return undefined
    }
    this.#ahead.delete(position)
    this.#size = Math.min(batchMax, this.#size * batchGrowth)
    return found
  }
}
