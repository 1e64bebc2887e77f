// Lists the subjects of a stream that have messages, page by page.

import { throwIfAborted } from '../model/wait.js'
import type { Connection } from './connection.js'
import { apiError, jsErrorCode } from './errors.js'
import { callApi } from './jetstream-api.js'
import { mustExist } from './missing-stream.js'

interface Page {
  readonly total?: number
  readonly offset?: number
  readonly limit?: number
  readonly state: { readonly subjects?: Record<string, number> }
}

/**
 * Yields the subjects of `stream` that match `filter`. The server sends them in pages (100,000 each by
 * default), so memory is bounded by a page. A subject that appears meanwhile may be missed.
 */
export async function* listSubjects(
  connection: Connection,
  stream: string,
  filter: string,
  signal?: AbortSignal,
): AsyncGenerator<string> {
  let offset = 0
  for (;;) {
    throwIfAborted(signal, 'listing subjects')
    const query = { subjects_filter: filter, offset }
    const page = await callApi<Page>(connection, `STREAM.INFO.${stream}`, query, {
      signal,
    })
    if (!page.ok && page.error.err_code === jsErrorCode.streamNotFound)
      return mustExist(connection, stream)
    if (!page.ok) throw apiError(page.error, `listing the subjects of stream ${stream}`)
    const subjects = Object.keys(page.value.state.subjects ?? {})
    yield* subjects
    offset += subjects.length
    if (subjects.length === 0 || offset >= (page.value.total ?? 0)) return
  }
}
