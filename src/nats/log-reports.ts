// Asks the server about a namespace's log.
//
// Owns the last answer. It is asked by whoever wants a newer one (src/runtime/capabilities/places.ts).

import type { Connection } from './connection.js'
import type { LogReport } from './log-report.js'
import { readStream } from './stream.js'
import { logStream } from './subjects.js'

/** Milliseconds of a round trip beyond which an answer does not tell the time of the server. */
const roundTripMax = 1_000

export class LogReports {
  readonly #connection: Connection
  readonly #namespace: string
  #latest: LogReport | undefined

  constructor(connection: Connection, namespace: string) {
    this.#connection = connection
    this.#namespace = namespace
  }

  /** `undefined` until it was read once. */
  get latest(): LogReport | undefined {
    return this.#latest
  }

  /** Asks the server. Throws as other requests do. */
  async read(signal: AbortSignal): Promise<LogReport | undefined> {
    const at = Date.now()
    const startedAt = performance.now()
    const info = await readStream(this.#connection, logStream(this.#namespace), {
      signal,
    })
    const took = performance.now() - startedAt
    if (info === undefined) return undefined
    const { config, state, ts } = info
    const { max_bytes: limit = -1 } = config
    const theirs = ts === undefined ? NaN : Date.parse(ts)
    const isTold = took <= roundTripMax && !Number.isNaN(theirs)
    this.#latest = {
      at,
      ...(isTold && { clockOffset: Math.round(theirs - at - took / 2) }),
      bytes: state.bytes ?? 0,
      ...(limit > 0 && { bytesMax: limit }),
    }
    return this.#latest
  }
}
