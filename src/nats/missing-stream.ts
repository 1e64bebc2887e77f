// Tells a deleted stream from one that has no leader for a while: both leave requests unanswered.

import type { CairnError } from '../model/errors.js'
import type { Connection } from './connection.js'
import { jsErrorCode } from './errors.js'
import { callApi } from './jetstream-api.js'

/** Every how many unanswered attempts the server is asked whether the stream exists. */
const checkEvery = 5

/** Whether to call {@link findMissingStream} after this number of unanswered attempts. */
export function mayBeMissing(unanswered: number): boolean {
  return unanswered % checkEvery === 0
}

/** Returns the error to end with if the stream does not exist and is not made again (MISSING-STREAM-1). */
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
    return unknown ? await connection.missing.found(stream) : undefined
  } catch {
    return undefined // Not known: the caller continues until its own deadline.
  }
}

/** Makes a stream again that the server has answered is missing, or throws (MISSING-STREAM-1). */
export async function mustExist(connection: Connection, stream: string): Promise<void> {
  const error = await connection.missing.found(stream)
  if (error !== undefined) throw error
}
