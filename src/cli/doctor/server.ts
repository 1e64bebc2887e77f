// The doctor's look at a NATS server: its version, its clock, the streams of the namespace, and the account's limits.

import type { Connection } from '../../nats/connection.js'
import { inspectStreams } from '../../nats/inspect.js'
import { callApi } from '../../nats/jetstream-api.js'
import { clockOffsetMax } from '../../nats/log-report.js'
import { compareVersions } from '../../nats/server-version.js'
import { readStream, type StreamInfo } from '../../nats/stream.js'
import { logStream } from '../../nats/subjects.js'
import type { Finding } from './finding.js'
import { programs } from '../../model/programs.js'

/** Of a limit: from here on it is near. */
const nearShare = 0.8
const fullShare = 0.95
/** Milliseconds by which the clocks of this machine and of the server differ from when on it is critical. */
const skewCritical = 60_000

export async function* examineServer(
  connection: Connection,
  namespace: string,
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  const { server } = connection.stats()
  yield* versionFindings(connection.serverVersion, server)
  const inspections = await inspectStreams(connection, namespace, {})
  const log = await readStream(connection, logStream(namespace), { signal })
  if (log?.ts !== undefined) yield* clockFindings(Date.parse(log.ts), Date.now(), server)
  for (const { stream, exists, foreign } of inspections) {
    if (!exists) {
      yield missingStream(stream)
      continue
    }
    for (const difference of foreign)
      yield {
        severity: 'critical',
        check: 'stream-drift',
        place: stream,
        problem: difference,
        means: 'Cairn relies on this setting: nodes refuse to start.',
        remedy: `Set it back: nats stream edit ${stream}. What the server does not let be set back needs a stream made anew, from a backup.`,
      }
    const info = await readStream(connection, stream, { signal })
    if (info === undefined) continue
    const isClustered = !connection.isStandalone
    yield* streamFindings(info, {
      isClustered,
      logReplicas: log?.config.num_replicas ?? 1,
    })
  }
  const account = await callApi<AccountInfo>(connection, 'INFO', undefined, { signal })
  if (account.ok) yield* accountFindings(account.value)
}

/** What is examined of a stream. */
interface StreamFill {
  readonly config: StreamInfo['config']
  readonly state: Pick<StreamInfo['state'], 'messages' | 'bytes' | 'consumer_count'>
}

export function* versionFindings(version: string, server: string): Generator<Finding> {
  const isOf212 = compareVersions(version, '2.13.0') < 0
  const recommended = isOf212 ? '2.12.14' : '2.14.4'
  if (compareVersions(version, recommended) >= 0) return
  yield {
    severity: 'watch',
    check: 'server-version',
    place: server,
    problem: `version ${version} is older than the recommended ${recommended}`,
    means:
      'Known faults of it are mended in later versions; transactions with guards are refused.',
    remedy: `Upgrade the server to ${recommended} or newer.`,
  }
}

export function* clockFindings(
  theirs: number,
  ours: number,
  server: string,
): Generator<Finding> {
  const skew = Math.abs(theirs - ours)
  if (Number.isNaN(skew) || skew < clockOffsetMax) return
  yield {
    severity: skew < skewCritical ? 'watch' : 'critical',
    check: 'clock-skew',
    place: server,
    problem: `its clock and that of this machine differ by ${Math.round(skew / 1000)} s`,
    means: 'Timers fire by the clock of the server: they are early or late by as much.',
    remedy: 'Let both machines set their clocks by NTP.',
  }
}

function missingStream(stream: string): Finding {
  return {
    severity: 'critical',
    check: 'stream-missing',
    place: stream,
    problem: 'does not exist',
    means: stream.includes('_')
      ? 'What it held is lost, or found again from the log.'
      : 'The namespace has no log.',
    remedy: `Run "${programs.cairn} repair --dry-run" to see what can be found again, or restore a backup.`,
  }
}

export function* streamFindings(
  { config, state }: StreamFill,
  { isClustered, logReplicas }: { isClustered: boolean; logReplicas: number },
): Generator<Finding> {
  const { name: place, num_replicas: replicas = 1, max_bytes: maxBytes = -1 } = config
  if (isClustered && replicas < 2)
    yield {
      severity: 'watch',
      check: 'stream-replicas',
      place,
      problem: 'has one replica in a cluster',
      means:
        'The loss of one server stops the namespace, or loses what was acknowledged.',
      remedy: `Raise it: nats stream edit ${place} --replicas 3.`,
    }
  if (replicas < logReplicas)
    yield {
      severity: 'watch',
      check: 'stream-replicas',
      place,
      problem: `has ${replicas} replicas, and the log has ${logReplicas}`,
      means: 'What it holds is lost sooner than the log.',
      remedy: `Raise it: nats stream edit ${place} --replicas ${logReplicas}.`,
    }
  // A bucket never deletes: that is how the server makes buckets.
  const flags = place.startsWith('KV_')
    ? (['sealed'] as const)
    : (['sealed', 'deny_delete', 'deny_purge'] as const)
  for (const flag of flags)
    if (config[flag] === true)
      yield {
        severity: 'critical',
        check: 'stream-locked',
        place,
        problem: `${flag} is set`,
        means:
          flag === 'sealed'
            ? 'Nothing can be stored in it.'
            : 'What is handled cannot be removed from it: it grows for ever.',
        remedy:
          'It cannot be unset: restore the stream under a configuration without it.',
      }
  yield* limitFindings(place, 'max_bytes', state.bytes ?? 0, maxBytes)
  yield* limitFindings(
    place,
    'max_consumers',
    state.consumer_count ?? 0,
    config.max_consumers ?? -1,
  )
}

interface AccountInfo {
  readonly storage: number
  readonly memory: number
  readonly streams: number
  readonly consumers: number
  readonly limits: {
    readonly max_storage: number
    readonly max_streams: number
    readonly max_consumers: number
  }
}

export function* accountFindings(account: AccountInfo): Generator<Finding> {
  const { storage, streams, consumers, limits } = account
  yield* limitFindings('account', 'storage', storage, limits.max_storage)
  yield* limitFindings('account', 'streams', streams, limits.max_streams)
  yield* limitFindings('account', 'consumers', consumers, limits.max_consumers)
}

export function* limitFindings(
  place: string,
  what: string,
  used: number,
  limit: number,
): Generator<Finding> {
  if (limit <= 0 || used < limit * nearShare) return
  yield {
    severity: used < limit * fullShare ? 'watch' : 'critical',
    check: 'limit-near',
    place,
    problem: `${what}: ${used} of ${limit} are used`,
    means: 'At the limit, commands and messages are refused.',
    remedy: `Raise the limit of ${what}, or remove what is not needed.`,
  }
}
