// What the CLI prints: data to stdout, one JSON object a line with --json, readable lines
// without; everything else to stderr.

import type { LogRecord, MalformedRecord } from '../model/commit.js'
import type { RecordedEvent } from '../model/event.js'
import { formatAddress } from '../model/address.js'

/** One JSON line. Bytes as base64, 64-bit integers as text, dates as ISO 8601. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'bigint') return item.toString()
    if (isBufferJson(item)) return Buffer.from(item.data).toString('base64')
    if (item instanceof Uint8Array) return Buffer.from(item).toString('base64')
    return item
  })
}

/** A Buffer's own toJSON has run before the replacer sees it. */
function isBufferJson(item: unknown): item is { type: 'Buffer'; data: number[] } {
  return (
    typeof item === 'object' &&
    item !== null &&
    'type' in item &&
    item.type === 'Buffer' &&
    'data' in item &&
    Array.isArray(item.data)
  )
}

/** Writes one line; resolves when the pipe has room again, or nobody reads it any more. */
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

export function complain(message: string): void {
  process.stderr.write(`${message}\n`)
}

/** An event as the CLI shows it. */
export function eventView(event: RecordedEvent) {
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
    at: new Date(at).toISOString(),
    ...ids,
  }
}

export function malformedView(record: MalformedRecord) {
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

/** Prints an event or a malformed record. */
export function printItem(
  item: RecordedEvent | MalformedRecord,
  json: boolean,
): Promise<void> {
  if (item.kind === 'malformed') {
    const view = malformedView(item)
    return print(
      json ? toJson(view) : `${item.position}  MALFORMED  ${item.source}: ${item.reason}`,
    )
  }
  const view = eventView(item)
  return print(
    json
      ? toJson(view)
      : `${view.position}  ${view.at}  ${view.actor}  v${view.version}  ${view.type}  ${toJson(view.data)}`,
  )
}

/** The items of a record, each as its own line. */
export function itemsOf(record: LogRecord): readonly (RecordedEvent | MalformedRecord)[] {
  return record.kind === 'commit' ? record.events : [record]
}
