// Following a log: read what is there, wait for news, read on.
//
// The waiting only decides how soon the next read happens; what is yielded comes from
// reading behind the last position seen, so nothing is missed or repeated however the
// news travels, or gets lost.

import type { LogRecord } from '../../model/commit.js'
import type { Position } from '../../model/version.js'
import type { FollowOptions } from './event-store.js'

/** What following needs from a store. */
export interface Followable {
  /** Yields records behind `after`; returns the last position it has looked at. */
  scan(
    after: Position,
    types: readonly string[] | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<LogRecord, Position>
  /** Resolves when there may be a record behind `after`, when the signal fires, or in time. */
  news(after: Position, signal: AbortSignal): Promise<void>
}

export async function* followLog(
  source: Followable,
  { after = 0, types }: FollowOptions,
  signal: AbortSignal,
): AsyncGenerator<LogRecord> {
  let position = after
  while (!signal.aborted) {
    position = Math.max(position, yield* source.scan(position, types, signal))
    if (!signal.aborted) await source.news(position, signal)
  }
}
