// A source that tests fill by hand, and documents whose writes can fail.

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
import type {
  RecordSource,
  SourceRecord,
} from '../../../src/delivery/source/record-source.js'
import { WakeSignal } from '../../../src/store/wake-signal.js'

export type TextRecord = SourceRecord<string>

/** Records in memory. The number in a key selects its partition: `k3` is in partition 3 mod n. */
export class HandSource implements RecordSource<string> {
  readonly partitions: number
  readonly records: TextRecord[] = []
  /** Readers that follow now. */
  followers = 0
  /** Calls of follow. */
  follows = 0
  /** Records that were read by follow. */
  given = 0
  /** Runs before a key's records are read; it may wait or throw. */
  beforeOfKey: (key: string) => Promise<void> | void = () => {}
  /** Part of the ids of records that are added. */
  timeline = 'a'
  readonly #added = new WakeSignal()

  constructor(partitions = 1) {
    this.partitions = partitions
  }

  /** Adds a record for each key; returns the last one. */
  add(...keys: readonly string[]): TextRecord {
    for (const key of keys) {
      const position = this.records.length + 1
      const partition = Number(key.slice(1)) % this.partitions
      const id = `${this.timeline}${position}`
      this.records.push({ position, partition, key, value: `${key}@${position}`, id })
      this.#added.raise(position)
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
        await this.#added.wait(position, 60_000, signal)
      }
    } finally {
      this.followers--
    }
  }

  async *readKey(key: string, from: number, upTo: number): AsyncGenerator<TextRecord> {
    await this.beforeOfKey(key)
    for (const record of this.records.slice(Math.max(0, from - 1), upTo))
      if (record.key === key) yield record
  }

  async lastPosition(): Promise<number> {
    return this.records.length
  }

  async idAt(position: number): Promise<string | undefined> {
    return this.records[position - 1]?.id
  }

  /** Back to an earlier point: what is added now is another history. */
  restore(last: number, timeline: string): void {
    this.records.length = last
    this.timeline = timeline
  }
}

/** Documents in memory. `before` and `after` each put may wait or throw. */
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

  remove(key: DocumentKey, revision: number): Promise<boolean> {
    return this.memory.remove(key, revision)
  }
}

export async function stateOf(
  documents: Documents,
  key: DocumentKey,
): Promise<PartitionState | undefined> {
  const found = await documents.get(key)
  return found && decodePartitionState(found.value, key.join('.'))
}
