// Reads a long range of a stream: by direct gets, and through a temporary consumer when many messages are left.

import type { Connection } from './connection.js'
import type { StoredMessage } from './direct-get.js'
import { directPages } from './direct-scan.js'
import { pullPages } from './pull-pages.js'

/** Number of messages left from which on a consumer is worth its two requests. */
const consumerThreshold = 2_048

export interface LongScanOptions {
  readonly signal?: AbortSignal | undefined
  /** The last position of the stream, if known. */
  readonly end?: number
  /** Number of messages that the reader wants, at most. */
  readonly limit?: number
}

/**
 * Yields messages of `filter` (the whole stream for `undefined`) from position `from` on, in order, as far as
 * the answering replica has them, in pages. Other messages may be among them if most match `filter`.
 */
export async function* scanPages(
  connection: Connection,
  stream: string,
  filter: string | undefined,
  from: number,
  { signal, end = 0, limit = Infinity }: LongScanOptions,
): AsyncGenerator<readonly StoredMessage[]> {
  let next = from
  let left = Math.min(limit, end - from + 1)
  let mayPull = true
  for (;;) {
    if (mayPull && left >= consumerThreshold) {
      mayPull = false
      const span = end < next ? Infinity : end - next + 1
      for await (const page of pullPages(connection, stream, filter, next, {
        span,
        signal,
      })) {
        mayPull = true
        next = page.at(-1)!.position + 1
        yield page
      }
    }
    left = 0
    const shouldContinue = (count: number) => {
      left = count
      return !mayPull || left < consumerThreshold
    }
    // The direct gets read what is left, whatever ended the consumer, and report errors.
    const direct = directPages(connection, stream, filter ?? '>', next, {
      signal,
      most: limit,
      shouldContinue,
    })
    for await (const page of direct) {
      next = page.at(-1)!.position + 1
      yield page
    }
    if (!mayPull || left < consumerThreshold) return
  }
}
