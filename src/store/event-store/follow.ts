// Following a log: read the stored records, wait for new ones, read on.
//
// The wait only decides how soon the next read happens. Records come from reads after the last
// position seen, so none is missed or repeated when a wake-up is late or lost.

import type { LogRecord } from '../../model/commit.js'
import type { Position } from '../../model/version.js'
import type { FollowOptions } from './event-store.js'

/** What following needs from a store. */
export interface Followable {
  /** Yields records after `after`; returns the last position that it has read. */
  scan(
    after: Position,
    types: readonly string[] | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<LogRecord, Position>
  /** Resolves when there may be a record after `after`, when the signal fires, or in bounded time. */
  waitBeyond(after: Position, signal: AbortSignal): Promise<void>
}

export async function* followLog(
  source: Followable,
  { after = 0, types }: FollowOptions,
  signal: AbortSignal,
): AsyncGenerator<LogRecord> {
  let position = after
  while (!signal.aborted) {
    position = Math.max(position, yield* source.scan(position, types, signal))
    if (!signal.aborted) await source.waitBeyond(position, signal)
  }
}
