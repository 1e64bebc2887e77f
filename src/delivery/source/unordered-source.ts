// A source whose records wait for no other: each one has a key of its own.

import type { RecordSource, SourceRecord } from './record-source.js'

/** The same records, in the same partitions, each under a unique key. */
export function unorderedSource<T>(source: RecordSource<T>): RecordSource<T> {
  const withUniqueKey = (record: SourceRecord<T>): SourceRecord<T> =>
    record.value === undefined
      ? record
      : { ...record, key: `${record.position} ${record.key}` }
  return {
    ...source,
    async *follow(after, signal) {
      for await (const record of source.follow(after, signal)) yield withUniqueKey(record)
    },
    async *readKey(key, from, upTo, signal) {
      const gap = key.indexOf(' ')
      const position = Number(key.slice(0, gap))
      if (position < from || position > upTo) return
      const records = source.readKey(key.slice(gap + 1), position, position, signal)
      for await (const record of records) yield withUniqueKey(record)
    },
  }
}
