// The output of the command line: data to stdout, one JSON object a line with --json, readable lines
// without; everything else to stderr.

import type { LogRecord, MalformedRecord } from '../model/commit.js'
import type { RecordedEvent } from '../model/event.js'
import { formatAddress } from '../model/address.js'
import { CairnError } from '../model/errors.js'
import type { ParsedFlags } from '../program/flags.js'
import { plain } from '../program/plain.js'
import { wantsJson } from './command.js'

/** One JSON line. Bytes as base64, 64-bit integers as text, dates as ISO 8601. */
export function toJson(value: unknown): string {
  // A Buffer's own toJSON has run on `item`, so bytes are looked up in the object that holds them.
  return JSON.stringify(
    value,
    function (this: Record<string, unknown>, key, item: unknown) {
      const original = this[key]
      if (original instanceof Uint8Array) return Buffer.from(original).toString('base64')
      return typeof item === 'bigint' ? item.toString() : item
    },
  )
}

/** Writes one line; resolves when the pipe has room again, or its reader has closed it. */
export function print(line: string): Promise<void> {
  const { stdout } = process
  return new Promise(resolve => {
    if (stdout.write(`${line}\n`)) return resolve()
    const proceed = () => {
      for (const event of ['drain', 'close', 'error']) stdout.off(event, proceed)
      resolve()
    }
    for (const event of ['drain', 'close', 'error']) stdout.on(event, proceed)
  })
}

/** Prints an object with --json, else the lines that show it. */
export async function printRow(
  flags: ParsedFlags,
  view: object,
  ...lines: readonly string[]
): Promise<void> {
  if (wantsJson(flags)) return print(toJson(view))
  for (const line of lines) await print(plain(line))
}

/** Writes to stderr. */
export function complain(message: string): void {
  process.stderr.write(`${plain(message)}\n`)
}

/** Milliseconds since 1970 as ISO 8601; throws `storage-failed` for what is not a time. */
export function isoTime(at: number): string {
  const date = new Date(at)
  if (Number.isNaN(date.getTime()))
    throw new CairnError('storage-failed', `${at} is not a time: the record is damaged.`)
  return date.toISOString()
}

/** Prints an event, or a record that cannot be read. */
export function printItem(
  flags: ParsedFlags,
  item: RecordedEvent | MalformedRecord,
): Promise<void> {
  if (item.kind === 'malformed') {
    const line = `${item.position}  MALFORMED  ${item.source}: ${item.reason}`
    return printRow(flags, malformedView(item), line)
  }
  const view = eventView(item)
  const { position, at, actor, version, type, data } = view
  const line = `${position}  ${at}  ${actor}  v${version}  ${type}  ${toJson(data)}`
  return printRow(flags, view, line)
}

function eventView(event: RecordedEvent) {
  const { id, actor, type, version, position, data, at, kind: _kind, ...rest } = event
  const { metadata, ...ids } = rest
  return {
    id,
    actor: formatAddress(actor),
    type,
    version,
    position,
    data: data ?? null,
    ...(Object.keys(metadata).length > 0 && { metadata }),
    at: isoTime(at),
    ...ids,
  }
}

function malformedView(record: MalformedRecord) {
  const { position, source, reason, raw, headers, versions } = record
  return {
    malformed: true,
    position,
    source,
    reason,
    ...(versions && { versions }),
    raw,
    headers,
  }
}

/** The items of a record, each as its own line. */
export function itemsOf(record: LogRecord): readonly (RecordedEvent | MalformedRecord)[] {
  return record.kind === 'commit' ? record.events : [record]
}
