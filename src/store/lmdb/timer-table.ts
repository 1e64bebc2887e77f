// The timers of an embedded namespace, in the table of its queues: by name, and by due time.
//
//   timer, 0, hash of the actor, hash of the name   → timer
//   timer, 1                                        → how many timers were set so far
//   timer, 2, due time, order of setting            → key of the timer (the first form)
//
// LMDB-TABLES-1 to LMDB-TABLES-3 of table-access.ts hold here.

import { createHash } from 'node:crypto'

import { decode, encode } from '../../codec/msgpack.js'
import type { Position } from '../../model/version.js'
import { encodeNumbers, readNumber } from './layout.js'
import type { PositionWatcher } from './position-watcher.js'
import type { QueueTable } from './queue-table.js'

/** A decoded timer. */
export interface TimerRecord {
  /** The actor's key, followed by the timer's name. */
  readonly key: readonly string[]
  /** When it is due, ms since 1970. */
  readonly at: number
  readonly generation: number
  readonly occurrence: number
  /** Id of the queued record that it becomes when it is due. */
  readonly id: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

interface StoredTimer extends TimerRecord {
  readonly order: number
}

const queue = 'timer'
/** Timers in one read or transaction, at most. */
const chunkTimers = 256

export class TimerTable {
  readonly #queues: QueueTable

  constructor(queues: QueueTable) {
    this.#queues = queues
  }

  /** Reports timers set by any process. */
  get watcher(): PositionWatcher {
    return this.#queues.watcherOf(queue)
  }

  /** How many timers were set so far. */
  get setCount(): Position {
    return this.#queues.lastPosition(queue)
  }

  /** Stores a timer if `replaces` accepts the stored one; returns whether it did. */
  async put(
    record: TimerRecord,
    replaces: (known: TimerRecord | undefined) => boolean,
  ): Promise<boolean> {
    const order = await this.#queues.write(table => {
      const name = nameKey(record.key)
      const known = decodeTimer(table.get(name))
      if (!replaces(known)) return undefined
      if (known !== undefined) table.removeSync(dueKey(known))
      const next = this.#queues.lastPositionInTransaction(queue) + 1
      table.putSync(counterKey, encodeNumbers(next))
      table.putSync(name, encodeTimer({ ...record, order: next }))
      table.putSync(dueKey({ ...record, order: next }), name)
      return next
    })
    if (order !== undefined) this.watcher.raise(order)
    return order !== undefined
  }

  /** Removes the timer with this key if `matches` accepts it; returns whether it did. */
  remove(
    key: readonly string[],
    matches: (known: TimerRecord) => boolean,
  ): Promise<boolean> {
    return this.#queues.write(table => {
      const name = nameKey(key)
      const known = decodeTimer(table.get(name))
      if (known === undefined || !matches(known)) return false
      table.removeSync(dueKey(known))
      table.removeSync(name)
      return true
    })
  }

  get(key: readonly string[]): TimerRecord | undefined {
    return decodeTimer(this.#queues.read(table => table.get(nameKey(key))))
  }

  /** The next chunk of all timers, or of one actor's, after the last key of the chunk before. */
  chunk(actorKey: readonly string[] | undefined, after: Buffer | undefined) {
    const prefix = actorKey === undefined ? namePrefix : actorPrefix(actorKey)
    const start = after === undefined ? prefix : Buffer.concat([after, Buffer.alloc(1)])
    const end = Buffer.concat([prefix, Buffer.alloc(suffixBytesMax, 0xff)])
    const range = { start, end, limit: chunkTimers }
    return this.#queues.read(table =>
      [...table.getRange(range)].map(({ key, value }) => ({
        key,
        record: decodeTimer(value)!,
      })),
    )
  }

  /** When the next timer is due; `undefined` when there is none. */
  nextDueAt(): number | undefined {
    return this.#queues.read(table => {
      for (const key of table.getKeys({ start: duePrefix, end: dueEnd, limit: 1 }))
        return readNumber(key, duePrefix.length)
      return undefined
    })
  }

  /** Moves a chunk of the timers due at `now` to a queue, in one transaction; returns how many. */
  async fire(now: number, target: string): Promise<number> {
    const first = this.nextDueAt()
    if (first === undefined || first > now) return 0
    const { fired, last } = await this.#queues.write(table => {
      const range = { start: duePrefix, end: dueEnd, limit: chunkTimers }
      const due = [...table.getRange(range)].filter(
        ({ key }) => readNumber(key, duePrefix.length) <= now,
      )
      let position: Position = 0
      for (const { key, value: name } of due) {
        const known = decodeTimer(table.get(name))
        table.removeSync(key)
        table.removeSync(name)
        if (known === undefined) continue
        const { key: names, id, headers, body } = known
        const record = { at: Date.now(), key: names.slice(0, -1), id, headers, body }
        position = this.#queues.addInTransaction(target, record).position
      }
      return { fired: due.length, last: position }
    })
    if (last > 0) this.#queues.watcherOf(target).raise(last)
    return fired
  }
}

const namePrefix = Buffer.from(`${queue}\0`)
const counterKey = Buffer.from(`${queue}\u0001`)
const duePrefix = Buffer.from(`${queue}\u0002`)
const dueEnd = Buffer.from(`${queue}\u0003`)
/** More bytes than any key has after its prefix. */
const suffixBytesMax = 65

function actorPrefix([, type, id]: readonly string[]): Buffer {
  return Buffer.concat([namePrefix, hash(JSON.stringify([type, id]))])
}

/** Hashes: LMDB limits the length of keys, and names may be longer. */
function nameKey(key: readonly string[]): Buffer {
  return Buffer.concat([actorPrefix(key), hash(key.at(-1)!)])
}

function dueKey({ at, order }: StoredTimer): Buffer {
  return Buffer.concat([duePrefix, encodeNumbers(at, order)])
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function encodeTimer(record: StoredTimer): Buffer {
  const { order, key, at, generation, occurrence, id, headers, body } = record
  return Buffer.from(encode([order, key, at, generation, occurrence, id, headers, body]))
}

function decodeTimer(value: Buffer | undefined): StoredTimer | undefined {
  if (value === undefined) return undefined
  const [order, key, at, generation, occurrence, id, headers, body] = decode(value) as [
    number,
    string[],
    number,
    number,
    number,
    string,
    Record<string, string>,
    Uint8Array,
  ]
  return { order, key, at, generation, occurrence, id, headers, body }
}
