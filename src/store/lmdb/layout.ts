// The layout of an embedded log: keys and values of its tables, as bytes.
//
//   meta       "meta"                           → what the file is (JSON)
//   log        position                         → record
//   heads      type, 0, id                      → actor number, version, position
//   index      actor number, version, position  → nothing
//   queues     queue, 0, position               → queued record (queue-table.ts)
//              queue, 1                         → highest position assigned so far
//              queue, 2, hash of key and id     → position
//              "timer", …                       → timers (timer-table.ts)
//   documents  name                             → revision, value (document-table.ts)
//   views      model, …                         → read models (read-model-table.ts)
//
// Numbers are 8 bytes, big-endian, so that keys sort like numbers. A type holds no zero byte, so
// `type, 0, id` belongs to one actor, whatever bytes the id holds.
//
// An actor's number is the position of its first record. The index needs keys of one length:
// otherwise the records of two actors whose ids begin alike would mix. The index holds one entry a
// record, under the record's last version. A read from version V begins at the first entry of V or more: the
// record that contains V, even if V is not its last version.
//
// In layout 2, each value is followed by a checksum (table.ts), and the meta record has one in it.
//
// A record is [length of head (4 bytes), head, body]. The head is MessagePack [type, id, headers];
// headers and body are those of the commit envelope, as in every other store.

import { decode, encode } from '../../codec/msgpack.js'
import type { ActorAddress } from '../../model/address.js'
import type { Position, Version } from '../../model/version.js'

/** Version of the layout of new files. Layout 1 is the same without checksums, and stays so. */
export const layoutVersion = 2
export const layoutsKnown: readonly number[] = [1, 2]
/** The first layout whose values end with a checksum (table.ts). */
export const layoutWithChecksums = 2

export const metaKey = Buffer.from('meta')

/** An actor's current version and position, and the number that its index entries begin with. */
export interface StoredHead {
  readonly actorNumber: Position
  readonly version: Version
  readonly position: Position
}

/** An entry of an actor's index: a record's position, and the actor's version after it. */
export interface VersionPosition {
  readonly version: Version
  readonly position: Position
}

/** A decoded record. `actor` is absent when its head cannot be read. */
export interface StoredRecord {
  /** It does not match its checksum: what it holds may be anything. */
  readonly isDamaged?: boolean
  readonly actor?: ActorAddress
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export function positionKey(position: Position): Buffer {
  return encodeNumbers(position)
}

export function parsePositionKey(key: Buffer): Position {
  return readNumber(key, 0)
}

export function headKey({ type, id }: ActorAddress): Buffer {
  return Buffer.from(`${type}\0${id}`)
}

export function parseHeadKey(key: Buffer): ActorAddress {
  const zero = key.indexOf(0)
  return { type: key.toString('latin1', 0, zero), id: key.toString('utf8', zero + 1) }
}

/** The key range of the heads of one type or of all; `end` is exclusive. */
export function headRange(type: string | undefined): { start: Buffer; end: Buffer } {
  return type === undefined
    ? { start: Buffer.from([0]), end: Buffer.from([0xff]) }
    : { start: Buffer.from(`${type}\0`), end: Buffer.from(`${type}\u0001`) }
}

/** The smallest key that is greater. */
export function keyAfter(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.from([0])])
}

export function encodeHead({ actorNumber, version, position }: StoredHead): Buffer {
  return encodeNumbers(actorNumber, version, position)
}

export function decodeHead(value: Buffer): StoredHead {
  return {
    actorNumber: readNumber(value, 0),
    version: readNumber(value, 8),
    position: readNumber(value, 16),
  }
}

export function indexKey(
  actorNumber: Position,
  version: Version,
  position: Position,
): Buffer {
  return encodeNumbers(actorNumber, version, position)
}

export function parseIndexKey(key: Buffer): VersionPosition {
  return { version: readNumber(key, 8), position: readNumber(key, 16) }
}

export function encodeLogRecord(
  { type, id }: ActorAddress,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): Buffer {
  const head = encode([type, id, headers])
  const record = Buffer.allocUnsafe(4 + head.length + body.length)
  record.writeUInt32BE(head.length, 0)
  record.set(head, 4)
  record.set(body, 4 + head.length)
  return record
}

/** A damaged record decodes to a body only, without actor and headers. */
export function decodeLogRecord(record: Buffer, isDamaged = false): StoredRecord {
  if (isDamaged) return { headers: {}, body: record, isDamaged }
  const damaged: StoredRecord = { headers: {}, body: record }
  if (record.length < 4) return damaged
  const end = 4 + record.readUInt32BE(0)
  if (end > record.length) return damaged
  try {
    const [type, id, headers] = decode(record.subarray(4, end)) as unknown[]
    if (typeof type !== 'string' || typeof id !== 'string') return damaged
    if (typeof headers !== 'object' || headers === null) return damaged
    return {
      actor: { type, id },
      headers: headers as Record<string, string>,
      body: record.subarray(end),
    }
  } catch {
    // The reader reports it as malformed, with all of its bytes.
    return damaged
  }
}

export function encodeNumbers(...numbers: number[]): Buffer {
  const bytes = Buffer.allocUnsafe(8 * numbers.length)
  for (const [i, number] of numbers.entries()) {
    bytes.writeUInt32BE(Math.floor(number / 2 ** 32), 8 * i)
    bytes.writeUInt32BE(number % 2 ** 32, 8 * i + 4)
  }
  return bytes
}

export function readNumber(bytes: Buffer, offset: number): number {
  return bytes.readUInt32BE(offset) * 2 ** 32 + bytes.readUInt32BE(offset + 4)
}
