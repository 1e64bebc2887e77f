// The marker in the stream of timers: a message without a schedule, which tells that all timers are in the stream. A stream
// that was emptied or made again has none, until its timers are set again from the log.

import { newId } from '../model/id.js'
import { leaderGet } from './direct-get.js'
import type { Connection } from './connection.js'
import { publishOnce, publishOnceHeaders } from './publish.js'
import { attemptTimeout, publishWithRetries } from './publish-with-retries.js'
import { readStream } from './stream.js'
import { queueStream, timersMarkerSubject } from './subjects.js'

const timeout = 10_000
const noBody = new Uint8Array()

/** The setting of streams into which a marker belongs, in their metadata. Those of older builds have none. */
export const markedMetadata = { cairn_marked: '1' }

/** Whether the stream has its marker; `unmarked` if it is of an older build, which puts none. */
export async function timersMarker(
  connection: Connection,
  namespace: string,
  signal: AbortSignal | undefined,
): Promise<'present' | 'absent' | 'unmarked'> {
  const stream = queueStream(namespace, 'due')
  const query = { last_by_subj: timersMarkerSubject(namespace) }
  const found = await leaderGet(connection, stream, query, { signal })
  if (found !== undefined) return 'present'
  const info = await readStream(connection, stream, { signal })
  return info?.config.metadata?.cairn_marked === undefined ? 'unmarked' : 'absent'
}

export async function putTimersMarker(
  connection: Connection,
  namespace: string,
): Promise<void> {
  const stream = queueStream(namespace, 'due')
  const subject = timersMarkerSubject(namespace)
  const headers = publishOnceHeaders(stream, newId(), [])
  await publishWithRetries(
    connection,
    { stream, subject, timeout, target: `the marker of ${stream}`, remedy: 'Try again.' },
    left =>
      publishOnce(connection, {
        stream,
        subject,
        headers,
        body: noBody,
        timeout: Math.min(attemptTimeout, left()),
        isReserved: true,
      }),
  )
}
