// Computes the checkpoint of a partition: its floor, and the keys that do not hold it (PARTITION-2).

import type { Position } from '../../model/version.js'
import type { SourceRecord } from '../source/record-source.js'
import type { Progress } from './checkpoint-writer.js'
import type { DeferredKey } from './partition-state.js'

/** Deferred keys at most: their document, with long names and errors, stays below half of the usual 1 MiB. */
export const deferredKeysMax = 400
/** Keys that are named only because their record is slower than others. */
const slowKeysMax = 64

export function progressOf(partition: {
  /** The last record that was offered or skipped, now and at the last write. */
  readonly position: Position
  readonly savedPosition: Position
  /** The partition is released: an attempt that this interrupts does not count. */
  readonly isReleased: boolean
  readonly now: number
  readonly queues: ReadonlyMap<string, readonly SourceRecord<unknown>[]>
  readonly deferredKeys: Iterable<DeferredKey>
  readonly isDeferred: (key: string) => boolean
}): Omit<Progress, 'marks'> {
  const { position, savedPosition, isReleased, now, queues } = partition
  const deferred: DeferredKey[] = []
  for (const entry of partition.deferredKeys) {
    // The first records of a long queue are still in memory.
    const first = queues.get(entry.key)?.[0]
    const current = first === undefined ? entry : { ...entry, position: first.position }
    if (isReleased && current.isStarted === true) {
      const { isStarted: _, attempts, ...rest } = current
      deferred.push({ ...rest, attempts: attempts - 1 })
    } else deferred.push(current)
  }
  let floor = position
  let slowKeys = 0
  const fronts: [Position, string][] = []
  for (const [key, queue] of queues)
    if (queue[0] !== undefined && !partition.isDeferred(key))
      fronts.push([queue[0].position, key])
  for (const [front, key] of fronts.toSorted(([a], [b]) => a - b)) {
    const isSlow = isReleased || front <= savedPosition
    if (!isSlow || slowKeys === slowKeysMax || deferred.length >= deferredKeysMax) {
      floor = front - 1
      break
    }
    slowKeys++
    deferred.push(untriedKey(key, front, now))
  }
  return { position, floor, deferred }
}

/** A key whose record has not failed. */
export function untriedKey(key: string, position: Position, now: number): DeferredKey {
  return { key, position, attempts: 0, firstAt: now, nextAt: now, error: '' }
}
