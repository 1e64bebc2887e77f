// Walking an actor back, newest first: the records that come before one, read in growing batches.
//
// Owns the batch read ahead. Each record tells the position of the one before it, so a single read
// a step is always right, and one round trip a step. From the spacing so far a batch is guessed
// that should hold the next ones; a batch goes forward, and is handed out from its end.
// K1. What is handed out stands at the very position asked for: a batch saves reads, and decides
//     nothing. What it does not hold is read by itself.
// K2. The first steps are single ones, and batches grow from there: who stops early has read at
//     most about twice what was needed.
// K3. At most `batchMax` records, and an eighth more, and about `bytesMax` bytes are held. A guess that missed costs
//     its read once; after it single steps are taken, twice as many for each miss.

import type { Position } from '../../model/version.js'

/** What a batch holds of each record. */
export interface ScannedRecord {
  readonly position: Position
  readonly body: Uint8Array
}

export interface Reads<Record extends ScannedRecord> {
  one(position: Position): Promise<Record | undefined>
  /** Up to `count` of the actor's records from a position on, in order. */
  some(from: Position, count: number): Promise<readonly Record[]>
}

const singles = 4
const batchMin = 8
const batchMax = 256
const bytesMax = 1024 * 1024
/** Beyond it, the server looks as long for a batch's records as for so many single ones. */
const spacingMax = 40

export class BackwardScan<Record extends ScannedRecord> {
  readonly #reads: Reads<Record>
  readonly #ahead = new Map<Position, Record>()
  /** Single steps to take before a batch is tried. */
  #single = singles
  #misses = 0
  #size = batchMin
  /** Records since the spacing was last measured, their bytes, and where that began. */
  #steps = 0
  #bytes = 0
  #since: Position

  constructor(newest: Position, reads: Reads<Record>) {
    this.#since = newest
    this.#reads = reads
  }

  /** The record at a position, which comes before all that were asked for until now. */
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
    if (this.#single > 0) {
      this.#single--
      return this.#reads.one(position)
    }
    return (await this.#readAhead(position)) ?? this.#reads.one(position)
  }

  /** K3. */
  async #readAhead(position: Position): Promise<Record | undefined> {
    const spacing = (this.#since - position) / (this.#steps + 1)
    const fitting = Math.floor((bytesMax * this.#steps) / Math.max(1, this.#bytes))
    const count = Math.min(this.#size, fitting)
    this.#since = position
    this.#steps = 0
    this.#bytes = 0
    if (count < batchMin || spacing > spacingMax) {
      this.#single = batchMin
      return undefined
    }
    const from = Math.max(1, position - Math.ceil(spacing * (count - 1)))
    // Records do not come evenly: without room to spare every other guess would end too early.
    const spare = Math.ceil(2 * Math.sqrt(count))
    for (const record of await this.#reads.some(from, count + spare))
      if (record.position <= position) this.#ahead.set(record.position, record)
    const found = this.#ahead.get(position)
    if (found === undefined) {
      this.#ahead.clear()
      this.#single = singles * 2 ** ++this.#misses
      this.#size = batchMin
      return undefined
    }
    this.#ahead.delete(position)
    this.#size = Math.min(batchMax, this.#size * 2)
    return found
  }
}
