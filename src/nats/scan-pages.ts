// A long reading of a stream: by direct gets, and where much is left, through a consumer of its own.

import type { Connection } from './connection.js'
import { directPages, type StoredMessage } from './direct-get.js'
import { pullPages } from './pull-pages.js'

/** Messages left from which on a consumer is worth the two requests that it takes. */
const longFrom = 2_048

/**
 * Messages of `filter` (all of the stream for `undefined`) from position `from` on, in order, as far as
 * the answering replica has them, in pages.
 *
 * @param expected how many there may be, if that is known
 */
export async function* scanPages(
  connection: Connection,
  stream: string,
  filter: string | undefined,
  from: number,
  expected: number,
  signal?: AbortSignal,
): AsyncGenerator<readonly StoredMessage[]> {
  let next = from
  let left = expected
  let mayPull = true
  for (;;) {
    if (mayPull && left >= longFrom) {
      mayPull = false
      for await (const page of pullPages(connection, stream, filter, next, signal)) {
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
