// The streams of a namespace beside its log: its queues, its timers and its buckets.

import type { Connection } from './connection.js'
import { declareDocuments, declareReadModels } from './buckets.js'
import type { LogStream } from './log-stream.js'
import { declareQueue, declareTimers } from './queue-streams.js'
import {
  type DeclaredStream,
  ensureDeclaredStream,
  type EnsuredStream,
  readStream,
} from './stream.js'
import { putTimersMarker } from './timers-marker.js'

/** A stream beside the log. */
export interface SideStream extends DeclaredStream {
  /** What it held is found again when it is made again: see MISSING-STREAM-1. */
  readonly isRebuilt: boolean
  /** Nothing is ever removed from it. */
  readonly keepsAll?: boolean
  /** How nodes remove what it holds: message by message, or all of a subject. Absent: they overwrite it. */
  readonly removal?: 'message' | 'purge'
}

export function sideStreams(namespace: string, replicas: number): readonly SideStream[] {
  const queue = (family: 'inbox' | 'topic' | 'dead') => ({
    ...declareQueue(namespace, family, replicas),
    isRebuilt: false,
    removal: 'message' as const,
  })
  return [
    queue('inbox'),
    queue('topic'),
    queue('dead'),
    { ...declareTimers(namespace, replicas), isRebuilt: true, removal: 'message' },
    { ...declareDocuments(namespace, replicas), isRebuilt: true, keepsAll: true },
    { ...declareReadModels(namespace, replicas), isRebuilt: true, removal: 'purge' },
  ]
}

/**
 * Makes sure that all of them exist as declared, and reports those that are missing although the log is not empty. Throws as
 * {@link ensureDeclaredStream}.
 *
 * @param create whether those that are missing are created; else they are only reported
 */
export async function openSideStreams(
  connection: Connection,
  { namespace, replicas, lastPosition }: LogStream,
  create: boolean,
): Promise<void> {
  const isAgain = lastPosition > 0
  const open = async (stream: SideStream) => {
    const { name } = stream.wanted
    if (!create) {
      const found = await readStream(connection, name)
      if (found === undefined) await connection.missing.found(name)
      return
    }
    const ensure = async () => {
      const ensured = await ensureDeclaredStream(connection, stream, { isAgain: true })
      return ensured.isCreated
    }
    if (stream.isRebuilt) connection.missing.mayMake(name, ensure)
    const ensured = await ensureDeclaredStream(connection, stream, { isAgain })
    const isTimers = stream.what === 'timers'
    if (isTimers && ensured.isCreated && !isAgain)
      await putTimersMarker(connection, namespace)
    if (isAgain) report(connection, stream, ensured)
  }
  await Promise.all(sideStreams(namespace, replicas).map(open))
}

/** Whether streams that were missing exist again (MISSING-STREAM-3). */
export async function checkMissing(
  connection: Connection,
  signal: AbortSignal,
): Promise<void> {
  for (const stream of connection.missing.list())
    if ((await readStream(connection, stream, { signal })) !== undefined)
      connection.missing.exists(stream)
}

function report(
  { damage }: Connection,
  { wanted, isRebuilt, keepsAll }: SideStream,
  { isCreated, state, config }: EnsuredStream,
): void {
  const { name: place } = wanted
  const hadRecords = state.last_seq >= ((config['first_seq'] as number | undefined) ?? 1)
  const content = isRebuilt
    ? 'What it held is found again from the log, as far as it is needed'
    : 'What it held is lost: restore it from a backup if there is one'
  if (isCreated)
    damage.report({
      place,
      problem: 'missing',
      state: 'healed',
      text: `Stream ${place} did not exist although the log is not empty, and was made. ${content}.`,
    })
  else if (keepsAll === true && state.messages === 0 && hadRecords)
    damage.report({
      place,
      problem: 'emptied',
      state: 'healed',
      text: `Bucket ${place} was emptied. ${content}.`,
    })
}
