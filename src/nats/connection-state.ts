// What a connection to NATS is like now, for statistics and errors.

import type { WriteFailure } from './write-failures.js'

/** A change of a connection: notices or replies may have been missed. */
export type ConnectionChange = 'disconnected' | 'reconnected'

/** A time in which the server could not be reached, ms since 1970. */
export interface Outage {
  readonly from: number
  readonly to: number
}

export interface ConnectionStats {
  /** `closed`: the node has closed it, or the server refused the login when it connected again. */
  readonly state: 'connected' | 'reconnecting' | 'closed'
  /** Since when it is in this state, ms since 1970. */
  readonly since: number
  /** The connected server, or those that are tried; without credentials. */
  readonly server: string
  /** How often it was lost and made again. */
  readonly reconnects: number
  /** The last time in which it was lost, if it is made again. */
  readonly lastOutage?: Outage
  /** While connected: since when the server has answered no request. */
  readonly silentSince?: number
  /** Streams that the server fails to write. */
  readonly writeFailures: readonly WriteFailure[]
}

/**
 * Why requests since `start` may have had no answer, as a sentence without its full stop; `undefined` if nothing is
 * known.
 */
export function describeOutage(
  { state, since, server, silentSince, lastOutage }: ConnectionStats,
  start: number,
): string | undefined {
  if (state === 'reconnecting')
    return `NATS at ${server} has not been reachable since ${timeOf(since)}`
  if (state === 'closed') return `the connection to NATS at ${server} is closed`
  if (silentSince !== undefined)
    return `NATS at ${server} has not answered since ${timeOf(silentSince)}`
  if (lastOutage !== undefined && lastOutage.to > start)
    return `NATS at ${server} was not reachable from ${timeOf(lastOutage.from)} to ${timeOf(lastOutage.to)}`
  return undefined
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}
