// Server-sent events: a stream of JSON values with ids, after which a client continues.
//
// SSE-1. The next event is taken when the client has taken the one before: nothing is kept for a slow client.
// SSE-2. A stream that has nothing to say writes a comment at times, so that proxies keep it, and a client that is gone is
//     noticed.

import { toJson } from '../codec/json.js'
import { inBackground } from '../model/background.js'
import { pause } from '../model/wait.js'

export interface SseEvent {
  /** What a client sends as `Last-Event-ID` to continue after this event. */
  readonly id?: string
  /** The name of its kind. */
  readonly event: string
  readonly data: unknown
}

/** Milliseconds. SSE-2. */
const commentEvery = 15_000
/** Milliseconds after which a client connects again. */
const retryAfter = 1_000

/**
 * @param ended called once, when the stream has ended for whatever reason
 * @param describeError the data of the event `error`, after which the stream ends
 */
export function sseBody(
  events: AsyncIterable<SseEvent>,
  stop: AbortController,
  ended: () => void,
  describeError: (error: unknown) => unknown,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const iterator = events[Symbol.asyncIterator]()
  let next: Promise<IteratorResult<SseEvent>> | undefined
  let isOver = false
  const finish = () => {
    if (isOver) return
    isOver = true
    stop.abort()
    ended()
    // A generator that waits for its next event ends by the signal.
    inBackground('ending a stream of events', async () => iterator.return?.())
  }
  return new ReadableStream(
    {
      start(controller) {
        controller.enqueue(encoder.encode(`retry: ${retryAfter}\n\n`))
      },
      async pull(controller) {
        try {
          next ??= iterator.next()
          const idle = new AbortController()
          const result = await Promise.race([
            next,
            pause(commentEvery, idle.signal).then(() => undefined),
          ])
          idle.abort()
          if (isOver) return
          if (result === undefined) return controller.enqueue(encoder.encode(':\n\n'))
          next = undefined
          if (result.done !== true)
            return controller.enqueue(encoder.encode(eventText(result.value)))
          controller.close()
        } catch (error) {
          if (isOver) return
          const data = describeError(error)
          controller.enqueue(encoder.encode(eventText({ event: 'error', data })))
          controller.close()
        }
        finish()
      },
      cancel: finish,
    },
    { highWaterMark: 1 },
  )
}

function eventText({ id, event, data }: SseEvent): string {
  // JSON has no line breaks. An id has none either: it is made of numbers.
  const idLine = id === undefined ? '' : `id: ${id}\n`
  return `event: ${event}\n${idLine}data: ${toJson(data)}\n\n`
}
