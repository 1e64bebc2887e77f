// A namespace's streams on the server, held against what they should be; nothing is changed.

import { isCairnError } from '../model/errors.js'
import type { Connection } from './connection.js'
import { readLogStream } from './log-stream.js'
import type { LogStreamOptions } from './options.js'
import { sideStreamsOf } from './side-streams.js'
import { differenceIn, readStream } from './stream.js'
import { logStream } from './subjects.js'

export interface StreamInspection {
  readonly stream: string
  readonly exists: boolean
  /** What the promises rest on and differs: no node would start. */
  readonly foreign: readonly string[]
  /** What was declared, and can only be changed by an operator. */
  readonly drift: readonly string[]
}

/** Throws `store-unreachable`, `no-jetstream` or `unauthorized`. */
export async function inspectStreams(
  connection: Connection,
  namespace: string,
  declared: LogStreamOptions,
): Promise<StreamInspection[]> {
  const { replicas } = declared
  const copies = (actual: number | undefined) =>
    replicas === undefined ? [] : differenceIn('num_replicas', actual ?? 1, replicas)
  const sides = sideStreamsOf(namespace, replicas ?? 1).map(
    async ({ wanted, differences }) => {
      const info = await readStream(connection, wanted.name)
      if (info === undefined) return missing(wanted.name)
      const { config } = info
      const drift = copies(config.num_replicas)
      return { stream: wanted.name, exists: true, foreign: differences(config), drift }
    },
  )
  const log = async (): Promise<StreamInspection> => {
    const stream = logStream(namespace)
    try {
      const found = await readLogStream(connection, namespace)
      if (found === undefined) return missing(stream)
      const drift = [
        ...copies(found.replicas),
        ...(declared.partitions === undefined
          ? []
          : differenceIn('partitions', found.partitions, declared.partitions)),
      ]
      return { stream, exists: true, foreign: [], drift }
    } catch (error) {
      if (!isCairnError(error, 'foreign-stream')) throw error
      const foreign = error.details['differences'] as string[]
      return { stream, exists: true, foreign, drift: [] }
    }
  }
  return Promise.all([log(), ...sides])
}

function missing(stream: string): StreamInspection {
  return { stream, exists: false, foreign: [], drift: [] }
}
