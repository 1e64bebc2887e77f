// Timers of an embedded log, in the table of its queues: by name, and by when they are due.
//
//   timer, 0, hash of the actor, hash of the name   → the timer
//   timer, 1                                        → how many were set
//   timer, 2, moment, order of setting              → the first of these keys
//
// S1 to S3 of side-tables.ts hold here too.

import { createHash } from 'node:crypto'

import { decode, encode } from '../../codec/msgpack.js'
import type { Position } from '../../model/version.js'
import { packNumbers, readNumber } from './layout.js'
import type { SideTables } from './side-tables.js'
import type { Watch } from './watch.js'

/** A timer, taken apart. */
export interface TimerRecord {
  /** The actor's place, and the timer's name behind it. */
  readonly key: readonly string[]
  readonly at: number
  readonly generation: number
  readonly occurrence: number
  /** Of the queued record that it becomes. */
  readonly id: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

interface Stored extends TimerRecord {
  readonly order: number
}

const queue = 'timer'
const chunkEntries = 256

export class TimerTables {
  readonly #side: SideTables

  constructor(side: SideTables) {
    this.#side = side
  }

  /** Tells of timers that any process has set. */
  get watch(): Watch {
    return this.#side.watchOf(queue)
  }

  get sets(): Position {
    return this.#side.lastPosition(queue)
  }

  /** Stores a timer if `replaces` says so of the one that is there; returns whether it did. */
  async put(
    record: TimerRecord,
    replaces: (known: TimerRecord | undefined) => boolean,
  ): Promise<boolean> {
    const order = await this.#side.write(table => {
      const name = nameKey(record.key)
      const known = stored(table.get(name))
      if (!replaces(known)) return undefined
      if (known !== undefined) table.removeSync(dueKey(known))
      const set = this.#side.count(queue) + 1
      table.putSync(countKey, packNumbers(set))
      table.putSync(name, pack({ ...record, order: set }))
      table.putSync(dueKey({ ...record, order: set }), name)
      return set
    })
    if (order !== undefined) this.watch.ring(order)
    return order !== undefined
  }

  /** Removes the timer of a name if `isIt` says so; returns whether it did. */
  remove(
    key: readonly string[],
    isIt: (known: TimerRecord) => boolean,
  ): Promise<boolean> {
    return this.#side.write(table => {
      const name = nameKey(key)
      const known = stored(table.get(name))
      if (known === undefined || !isIt(known)) return false
      table.removeSync(dueKey(known))
      table.removeSync(name)
      return true
    })
  }

  get(key: readonly string[]): TimerRecord | undefined {
    return stored(this.#side.read(table => table.get(nameKey(key))))
  }

  /** A chunk of all timers, or of the actor's at a place, behind the last of the chunk before. */
  chunk(place: readonly string[] | undefined, after: Buffer | undefined) {
    const prefix = place === undefined ? namePrefix : actorPrefix(place)
    const start = after === undefined ? prefix : Buffer.concat([after, Buffer.alloc(1)])
    const end = Buffer.concat([prefix, Buffer.alloc(maxKeyRest, 0xff)])
    const range = { start, end, limit: chunkEntries }
    return this.#side.read(table =>
      [...table.getRange(range)].map(({ key, value }) => ({
        key,
        record: stored(value)!,
      })),
    )
  }

  /** When the next timer is due. */
  next(): number | undefined {
    return this.#side.read(table => {
      for (const key of table.getKeys({ start: duePrefix, end: dueEnd, limit: 1 }))
        return readNumber(key, duePrefix.length)
      return undefined
    })
  }

  /** Moves a chunk of what is due by then to a queue, in one transaction; returns how many. */
  async fire(now: number, to: string): Promise<number> {
    const first = this.next()
    if (first === undefined || first > now) return 0
    const { fired, last } = await this.#side.write(table => {
      const range = { start: duePrefix, end: dueEnd, limit: chunkEntries }
      const due = [...table.getRange(range)].filter(
        ({ key }) => readNumber(key, duePrefix.length) <= now,
      )
      let position: Position = 0
      for (const { key, value: name } of due) {
        const known = stored(table.get(name))
        table.removeSync(key)
        table.removeSync(name)
        if (known === undefined) continue
        const { key: names, id, headers, body } = known
        const record = { at: Date.now(), key: names.slice(0, -1), id, headers, body }
        position = this.#side.addWithin(to, record).position
      }
      return { fired: due.length, last: position }
    })
    if (last > 0) this.#side.watchOf(to).ring(last)
    return fired
  }
}

const namePrefix = Buffer.from(`${queue}\0`)
const countKey = Buffer.from(`${queue}\u0001`)
const duePrefix = Buffer.from(`${queue}\u0002`)
const dueEnd = Buffer.from(`${queue}\u0003`)
/** More than any key has behind its prefix. */
const maxKeyRest = 65

function actorPrefix([, type, id]: readonly string[]): Buffer {
  return Buffer.concat([namePrefix, hash(JSON.stringify([type, id]))])
}

/** Hashes, since keys of LMDB are short and names need not be. */
function nameKey(key: readonly string[]): Buffer {
  return Buffer.concat([actorPrefix(key), hash(key.at(-1)!)])
}

function dueKey({ at, order }: Stored): Buffer {
  return Buffer.concat([duePrefix, packNumbers(at, order)])
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function pack(record: Stored): Buffer {
  const { order, key, at, generation, occurrence, id, headers, body } = record
  return Buffer.from(encode([order, key, at, generation, occurrence, id, headers, body]))
}

function stored(value: Buffer | undefined): Stored | undefined {
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
