// An event as tools show it: with --json, and over HTTP.

import { formatAddress } from '../../model/address.js'
import type { LogRecord, MalformedRecord } from '../../model/commit.js'
import type { RecordedEvent } from '../../model/event.js'
import { isoTime } from './iso-time.js'

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
    at: isoTime(at),
    ...ids,
  }
}

export function malformedView(record: MalformedRecord) {
  const { position, source, reason, raw, headers, versions } = record
  return {
    malformed: true as const,
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

export function itemView(item: RecordedEvent | MalformedRecord) {
  return item.kind === 'malformed' ? malformedView(item) : eventView(item)
}
