// A stream that nobody answers for: without a leader for the moment, or deleted?

import { CairnError } from '../model/errors.js'
import type { Connection } from './connection.js'
import { jsErrorCode } from './errors.js'
import { callApi } from './jetstream-api.js'

/** How often in a row nobody answers before it is worth asking; once in so many from then on. */
const patience = 5

/** Whether the count of unanswered attempts calls for {@link findMissingStream}. */
export function mayBeMissing(unanswered: number): boolean {
  return unanswered % patience === 0
}

/** The error to end with when the server knows no such stream. */
export async function findMissingStream(
  connection: Connection,
  stream: string,
  timeout: number,
): Promise<CairnError | undefined> {
  try {
    const info = await callApi(connection, `STREAM.INFO.${stream}`, undefined, {
      timeout,
    })
    const unknown = !info.ok && info.error.err_code === jsErrorCode.streamNotFound
    return unknown ? streamMissingError(stream) : undefined
  } catch {
    return undefined // Who cannot say belongs to the caller's own deadline.
  }
}

export function streamMissingError(stream: string): CairnError {
  return new CairnError(
    'foreign-stream',
    `Stream ${stream} is gone: it was deleted while this store was open. ` +
      'Restore it from a backup, or restart the node to begin a new one.',
    { details: { stream } },
  )
}
