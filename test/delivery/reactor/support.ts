// Groups and lanes on a source made by hand, with documents whose answers can go wrong.

import type {
  Document,
  DocumentKey,
  Documents,
} from '../../../src/store/documents/documents.js'
import { MemoryDocuments } from '../../../src/store/documents/memory.js'
import {
  decodePartitionState,
  type PartitionState,
} from '../../../src/delivery/group/partition-state.js'
import type { GroupSource, SourceRecord } from '../../../src/delivery/group/source.js'
import { WakeSignal } from '../../../src/store/wake-signal.js'

export type TextRecord = SourceRecord<string>

/** Records in this process, in lanes by the number in their key's name: `k3` is in lane 3 mod n. */
export class HandSource implements GroupSource<string> {
  readonly partitions: number
  readonly records: TextRecord[] = []
  /** Those who follow now. */
  followers = 0
  /** How often anybody has begun to. */
  follows = 0
  /** Records that followers have been given. */
  given = 0
  /** Runs before a key's records are read; it may wait or throw. */
  beforeOfKey: (key: string) => Promise<void> | void = () => {}
  readonly #bell = new WakeSignal()

  constructor(lanes = 1) {
    this.partitions = lanes
  }

  /** Adds a record for each key, and returns the last one. */
  add(...keys: readonly string[]): TextRecord {
    for (const key of keys) {
      const position = this.records.length + 1
      const lane = Number(key.slice(1)) % this.partitions
      this.records.push({ position, partition: lane, key, value: `${key}@${position}` })
      this.#bell.raise(position)
    }
    return this.records.at(-1)!
  }

  async *follow(after: number, signal: AbortSignal): AsyncGenerator<TextRecord> {
    this.followers++
    this.follows++
    try {
      for (let position = after; !signal.aborted;) {
        for (const record of this.records.slice(position)) {
          if (signal.aborted) return
          position = record.position
          this.given++
          yield record
        }
        await this.#bell.wait(position, 60_000, signal)
      }
    } finally {
      this.followers--
    }
  }

  async *ofKey(key: string, from: number, upTo: number): AsyncGenerator<TextRecord> {
    await this.beforeOfKey(key)
    for (const record of this.records.slice(Math.max(0, from - 1), upTo))
      if (record.key === key) yield record
  }

  async lastPosition(): Promise<number> {
    return this.records.length
  }
}

/** Documents in memory; `before` and `after` a put may wait or throw. */
export class ObservedDocuments implements Documents {
  readonly memory = new MemoryDocuments()
  puts = 0
  before: () => Promise<void> | void = () => {}
  after: () => Promise<void> | void = () => {}
  onState: (state: PartitionState) => void = () => {}

  get(key: DocumentKey): Promise<Document | undefined> {
    return this.memory.get(key)
  }

  list(prefix: DocumentKey) {
    return this.memory.list(prefix)
  }

  async put(
    key: DocumentKey,
    value: Uint8Array,
    revision: number,
  ): Promise<number | 'conflict'> {
    this.puts++
    await this.before()
    const result = await this.memory.put(key, value, revision)
    if (result !== 'conflict') this.onState(decodePartitionState(value, key.join('.')))
    await this.after()
    return result
  }
}

export async function stateOf(
  documents: Documents,
  key: DocumentKey,
): Promise<PartitionState | undefined> {
  const found = await documents.get(key)
  return found && decodePartitionState(found.value, key.join('.'))
}
