// Compares a namespace's streams on the server with their declarations. Changes nothing.

import { isCairnError } from '../model/errors.js'
import type { Connection } from './connection.js'
import { readLogStream } from './log-stream.js'
import type { LogStreamOptions } from './options.js'
import { sideStreams } from './side-streams.js'
import { differenceIn, readStream } from './stream.js'
import { logStream } from './subjects.js'

export interface StreamInspection {
  readonly stream: string
  readonly exists: boolean
  /** Differences in settings on which Cairn relies: no node starts until an operator has resolved them. */
  readonly foreign: readonly string[]
  /** Other differences from the config file: nodes start anyway, and Cairn does not change these settings. */
  readonly drift: readonly string[]
}

/**
 * Compares a namespace's streams with its entry in the config file: replicas of every stream, partitions of the log. An
 * absent value is not compared. Throws `store-unreachable`, `no-jetstream` or `unauthorized`.
 */
export async function inspectStreams(
  connection: Connection,
  namespace: string,
  configured: LogStreamOptions,
): Promise<StreamInspection[]> {
  const { replicas } = configured
  const replicaDrift = (actual: number | undefined) =>
    replicas === undefined ? [] : differenceIn('num_replicas', actual ?? 1, replicas)
  const count = replicas ?? 1
  const beside = sideStreams(namespace, count)
  const besideLog = beside.map(async ({ wanted, differences }) => {
    const info = await readStream(connection, wanted.name)
    if (info === undefined) return missing(wanted.name)
    const { config } = info
    const drift = replicaDrift(config.num_replicas)
    return { stream: wanted.name, exists: true, foreign: differences(config), drift }
  })
  const log = async (): Promise<StreamInspection> => {
    const stream = logStream(namespace)
    try {
      const found = await readLogStream(connection, namespace)
      if (found === undefined) return missing(stream)
      const drift = [
        ...replicaDrift(found.replicas),
        ...(configured.partitions === undefined
          ? []
          : differenceIn('partitions', found.partitions, configured.partitions)),
      ]
      return { stream, exists: true, foreign: [], drift }
    } catch (error) {
      if (!isCairnError(error, 'foreign-stream')) throw error
      const foreign = error.details['differences'] as string[]
      return { stream, exists: true, foreign, drift: [] }
    }
  }
  return Promise.all([log(), ...besideLog])
}

function missing(stream: string): StreamInspection {
  return { stream, exists: false, foreign: [], drift: [] }
}
