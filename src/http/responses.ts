// Answers of routes as responses.

import { toJson } from '../codec/json.js'
import { CairnError } from '../model/errors.js'
import type { NodeLog } from '../model/log.js'
import type { Version } from '../model/version.js'
import type { StreamError } from './answers.js'
import { Problem } from './problem.js'
import { etagOf } from './etag.js'
import type { TextStream, Versioned } from './route.js'

export function json(value: unknown): Response {
  return new Response(toJson(value ?? null), {
    headers: { 'content-type': 'application/json' },
  })
}

/** The value with its ETag; only the ETag, with status 304, where the client has that version. */
export function versionedResponse(
  { version, value }: Versioned,
  known: Version | undefined,
): Response {
  const response = version === known ? new Response(null, { status: 304 }) : json(value)
  response.headers.set('etag', etagOf(version))
  return response
}

export function textResponse(
  { type, pieces }: TextStream,
  log: Pick<NodeLog, 'error'>,
): Response {
  const encoder = new TextEncoder()
  const iterator = pieces[Symbol.asyncIterator]()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await iterator.next()
        if (done === true) controller.close()
        else controller.enqueue(encoder.encode(value))
      } catch (error) {
        // The status is sent already: the answer is cut off, so that nobody takes it as whole.
        log.error({ err: error }, 'an answer was cut off')
        controller.error(error)
      }
    },
    async cancel() {
      await iterator.return?.()
    },
  })
  return new Response(body, { headers: { 'content-type': type } })
}

/** What the last event of a stream that failed says. */
export function problemMembers(error: unknown): StreamError {
  if (error instanceof CairnError || error instanceof Problem)
    return { code: error.code, detail: error.message }
  return { code: 'internal', detail: 'The stream failed by a mistake of the server.' }
}
