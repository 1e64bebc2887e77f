// Server-sent events, read with `fetch`: an EventSource can send no token.

import { ApiError, send } from './api.ts'

export interface StreamEvent {
  readonly id: string
  readonly event: string
  readonly data: unknown
}

export interface StreamOptions {
  readonly signal: AbortSignal
  onEvent(event: StreamEvent): void
  /** Called when the stream is open, and when it is cut. */
  onState?(isOpen: boolean): void
}

/** Milliseconds before the first and the longest pause. */
const retryFirst = 500
const retryMax = 8_000

/**
 * Reads until the signal fires, and continues after the last event when it is cut. Rejects with what the server has
 * against the request.
 */
export async function readStream(path: string, options: StreamOptions): Promise<void> {
  const { signal, onEvent, onState } = options
  let last = ''
  let wait = retryFirst
  while (!signal.aborted) {
    try {
      const response = await send(path, {
        signal,
        headers: {
          accept: 'text/event-stream',
          ...(last !== '' && { 'last-event-id': last }),
        },
      })
      onState?.(true)
      wait = retryFirst
      for await (const event of eventsOf(response.body!)) {
        if (event.event === 'error') {
          const { code, detail } = event.data as { code: string; detail: string }
          throw new ApiError(409, code, detail)
        }
        if (event.id !== '') last = event.id
        onEvent(event)
      }
    } catch (error) {
      if (signal.aborted) return
      const isFinal =
        error instanceof ApiError && error.status >= 400 && error.status < 500
      if (isFinal && error.status !== 429) throw error
    }
    onState?.(false)
    await new Promise(resolve => setTimeout(resolve, wait))
    wait = Math.min(retryMax, wait * 2)
  }
}

async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder()
  const reader = body.getReader()
  let text = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      text += decoder.decode(value, { stream: true })
      const blocks = text.split('\n\n')
      text = blocks.pop()!
      for (const block of blocks) {
        const event = parse(block)
        if (event !== undefined) yield event
      }
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}

function parse(block: string): StreamEvent | undefined {
  const fields = new Map(
    block.split('\n').map(line => {
      const at = line.indexOf(': ')
      return [line.slice(0, at), line.slice(at + 2)]
    }),
  )
  const data = fields.get('data')
  if (data === undefined) return undefined
  return {
    id: fields.get('id') ?? '',
    event: fields.get('event') ?? 'message',
    data: JSON.parse(data) as unknown,
  }
}
