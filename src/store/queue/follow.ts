// Following a queue whose records this process can read directly: read, wait, read on.

import type { Position } from '../../model/version.js'
import type { QueueReadOptions, QueueRecord } from './queue.js'

/** What following needs from a queue. */
export interface FollowableQueue {
  lastPosition(): Position
  read(options: QueueReadOptions): AsyncIterable<QueueRecord>
  /**
   * Resolves when there is probably a record after `after`, when the signal fires, and at the latest after a fixed
   * time: the caller reads again to find out.
   */
  waitBeyond(after: Position, signal: AbortSignal): Promise<void>
}

/** Yields the records after `after`, then each new one, until the signal fires. */
export async function* followQueue(
  queue: FollowableQueue,
  after: Position,
  signal: AbortSignal,
): AsyncGenerator<QueueRecord> {
  let position = after
  while (!signal.aborted) {
    // Every record up to here is read next, unless it is removed first.
    const last = queue.lastPosition()
    for await (const record of queue.read({ after: position })) {
      position = record.position
      yield record
      if (signal.aborted) return
    }
    await queue.waitBeyond(Math.max(position, last), signal)
  }
}
