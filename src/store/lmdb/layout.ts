// The layout of an embedded log: keys and values of its tables, as bytes.
//
//   meta       "meta"                           → what the file is (JSON)
//   log        position                         → record
//   heads      type, 0, id                      → actor number, version, position, the entries before it
//   index      actor number, version, position  → the entries before it
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
// otherwise the records of two actors whose ids begin alike would mix. The index has one entry a
// record: the record's last version, and its position. A read from version V begins at the first entry of V or more: the
// record that contains V, even if V is not its last version.
//
// The entries of an actor are kept in runs. The run that grows is in its head; a full one becomes a row of the index, under
// its last entry. An append changes the page of the head anyway, and a row in the index would change a page of its own: for
// most commits of a transaction that was most of what is written. A run is its last entry, and then the differences to
// the entry before, newest first: of the version and of the position, each 7 bits a byte, the lowest first, the eighth
// bit set where another byte follows.
//
// In layouts 1 and 2 each entry is a row of the index, and a head holds its own entry only.
// Since layout 2, each value is followed by a checksum (table.ts), and the meta record has one in it.
//
// A record is [length of head (4 bytes), head, body]. The head is MessagePack [type, id, headers];
// headers and body are those of the commit envelope, as in every other store.

import { decode, encode } from '../../codec/msgpack.js'
import type { ActorAddress } from '../../model/address.js'
import type { Position, Version } from '../../model/version.js'

/** Version of the layout of new files. A file keeps the layout that it was created with. */
export const layoutVersion = 3
export const layoutsKnown: readonly number[] = [1, 2, 3]
/** The first layout whose values end with a checksum (table.ts). */
export const layoutWithChecksums = 2
/** The first layout that keeps the index of an actor in runs. */
export const layoutWithRuns = 3
/** Entries of a run, at most. */
export const runEntriesMax = 16

export const metaKey = Buffer.from('meta')

/** An actor's current version and position, and the number that its rows in the index begin with. */
export interface StoredHead {
  readonly actorNumber: Position
  readonly version: Version
  readonly position: Position
  /** The run that ends with the head, without the head: see {@link decodeRun}. Absent before layout 3. */
  readonly run: Buffer | undefined
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

export function encodeHead({ actorNumber, version, position, run }: StoredHead): Buffer {
  const runBytes = run?.length ?? 0
  const bytes = Buffer.allocUnsafe(headBytes + runBytes)
  writeNumber(bytes, 0, actorNumber)
  writeNumber(bytes, 8, version)
  writeNumber(bytes, 16, position)
  run?.copy(bytes, headBytes)
  return bytes
}

export function decodeHead(value: Buffer, layout: number): StoredHead {
  return {
    actorNumber: readNumber(value, 0),
    version: readNumber(value, 8),
    position: readNumber(value, 16),
    run: layout < layoutWithRuns ? undefined : value.subarray(headBytes),
  }
}

/** Bytes of a head before its run. */
const headBytes = 24

/** The entries of a run that ends with `last`, oldest first. Throws a `RangeError` if the bytes are no run. */
export function decodeRun(last: VersionPosition, bytes: Buffer): VersionPosition[] {
  const entries = [last]
  let { version, position } = last
  for (let offset = 0; offset < bytes.length;) {
    const versions = readDifference(bytes, offset)
    const positions = readDifference(bytes, versions.end)
    offset = positions.end
    version -= versions.difference
    position -= positions.difference
    if (version < 0 || position < 1)
      throw new RangeError('An entry of a run is out of range')
    entries.push({ version, position })
  }
  return entries.reverse()
}

/** How many entries a run has. */
export function entriesOfRun(bytes: Buffer): number {
  let ends = 0
  for (let i = 0; i < bytes.length; i++) if (bytes[i]! < 128) ends++
  return 1 + ends / 2
}

/** The run that ends with an entry after the last one of `bytes`: later by so many versions and positions. */
export function extendRun(bytes: Buffer, versions: number, positions: number): Buffer {
  const start = bytesOfDifference(versions) + bytesOfDifference(positions)
  const extended = Buffer.allocUnsafe(start + bytes.length)
  writeDifference(extended, writeDifference(extended, 0, versions), positions)
  bytes.copy(extended, start)
  return extended
}

function bytesOfDifference(difference: number): number {
  let bytes = 1
  for (let rest = difference; rest >= 128; rest = Math.floor(rest / 128)) bytes++
  return bytes
}

function writeDifference(bytes: Buffer, start: number, difference: number): number {
  let offset = start
  let rest = difference
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[offset++] = 128 + (rest % 128)
  bytes[offset++] = rest
  return offset
}

function readDifference(bytes: Buffer, start: number) {
  let difference = 0
  let factor = 1
  for (let offset = start; ; offset++) {
    const byte = bytes[offset]
    if (byte === undefined) throw new RangeError('An entry of a run is cut off')
    difference += (byte % 128) * factor
    if (byte < 128) return { difference, end: offset + 1 }
    factor *= 128
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
  for (let i = 0; i < numbers.length; i++) writeNumber(bytes, 8 * i, numbers[i]!)
  return bytes
}

function writeNumber(bytes: Buffer, offset: number, number: number): void {
  bytes.writeUInt32BE(Math.floor(number / 2 ** 32), offset)
  bytes.writeUInt32BE(number % 2 ** 32, offset + 4)
}

export function readNumber(bytes: Buffer, offset: number): number {
  return bytes.readUInt32BE(offset) * 2 ** 32 + bytes.readUInt32BE(offset + 4)
}
