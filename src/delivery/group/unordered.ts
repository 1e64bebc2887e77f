// A source whose records wait for none: each is the only one of its key.

import type { GroupSource, SourceRecord } from './source.js'

/** The same records, in the same lanes, each with a key of its own. */
export function unordered<T>(source: GroupSource<T>): GroupSource<T> {
  const alone = (record: SourceRecord<T>): SourceRecord<T> =>
    record.value === undefined
      ? record
      : { ...record, key: `${record.position} ${record.key}` }
  return {
    ...source,
    async *follow(after, signal) {
      for await (const record of source.follow(after, signal)) yield alone(record)
    },
    async *ofKey(key, from, upTo, signal) {
      const gap = key.indexOf(' ')
      const position = Number(key.slice(0, gap))
      if (position < from || position > upTo) return
      const records = source.ofKey(key.slice(gap + 1), position, position, signal)
      for await (const record of records) yield alone(record)
    },
  }
}
