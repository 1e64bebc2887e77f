// A long reading of a stream: by direct gets, and where much is left, through a consumer of its own.

import type { Connection } from './connection.js'
import { directPages, type StoredMessage } from './direct-get.js'
import { pullPages } from './pull-pages.js'

/** Messages left from which on a consumer is worth the two requests that it takes. */
const longFrom = 2_048

export interface LongScanOptions {
  readonly signal?: AbortSignal | undefined
  /** Where the stream ends, if that is known. */
  readonly end?: number
  /** How many the reader wants, at most. */
  readonly limit?: number
}

/**
 * Messages of `filter` (all of the stream for `undefined`) from position `from` on, in order, as far as
 * the answering replica has them, in pages. Others may be among them where most are of `filter`.
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
    if (mayPull && left >= longFrom) {
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
    const goOn = (count: number) => {
      left = count
      return !mayPull || left < longFrom
    }
    // Whatever ended the consumer, these find what is left, and report what is wrong.
    const direct = directPages(connection, stream, filter ?? '>', next, {
      signal,
      goOn,
    })
    for await (const page of direct) {
      next = page.at(-1)!.position + 1
      yield page
    }
    if (!mayPull || left < longFrom) return
  }
}
