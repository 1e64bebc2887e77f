// What the CLI prints: data to stdout, one JSON object a line with --json, readable lines
// without; everything else to stderr.

import type { LogRecord, MalformedRecord } from '../model/commit.js'
import type { RecordedEvent } from '../model/event.js'
import { formatAddress } from '../model/address.js'
import { plain } from '../program/plain.js'

/** One JSON line. Bytes as base64, 64-bit integers as text, dates as ISO 8601. */
export function toJson(value: unknown): string {
  // A Buffer's own toJSON has run on `item`, so bytes are looked for where they came from.
  return JSON.stringify(
    value,
    function (this: Record<string, unknown>, key, item: unknown) {
      const original = this[key]
      if (original instanceof Uint8Array) return Buffer.from(original).toString('base64')
      return typeof item === 'bigint' ? item.toString() : item
    },
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
  process.stderr.write(`${plain(message)}\n`)
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
      json
        ? toJson(view)
        : plain(`${item.position}  MALFORMED  ${item.source}: ${item.reason}`),
    )
  }
  const view = eventView(item)
  return print(
    json
      ? toJson(view)
      : plain(
          `${view.position}  ${view.at}  ${view.actor}  v${view.version}  ${view.type}  ${toJson(view.data)}`,
        ),
  )
}

/** The items of a record, each as its own line. */
export function itemsOf(record: LogRecord): readonly (RecordedEvent | MalformedRecord)[] {
  return record.kind === 'commit' ? record.events : [record]
}
