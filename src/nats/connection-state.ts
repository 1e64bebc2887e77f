// What a connection to NATS is like now, for statistics and errors.

import type { LogReport } from './log-report.js'
import type { WriteFailure } from './write-failures.js'

/** A change of a connection: notices or replies may have been missed. */
export type ConnectionChange = 'disconnected' | 'reconnected'

/** A time in which the server could not be reached, ms since 1970. */
export interface Outage {
  readonly from: number
  readonly to: number
}

export interface ConnectionStats {
  /**
   * `unauthorized`: the server refuses the login when it connects again, because it has expired, was revoked or changed.
   * It keeps trying, with what the credentials file holds then.
   */
  readonly state: 'connected' | 'reconnecting' | 'unauthorized' | 'closed'
  /** Since when it is in this state, ms since 1970. */
  readonly since: number
  /** The connected server, or those that are tried; without credentials. */
  readonly server: string
  /** How often it was lost and made again. */
  readonly reconnects: number
  /** While unauthorized: what the server said. */
  readonly refusal?: string
  /** The last time in which it was lost, if it is made again. */
  readonly lastOutage?: Outage
  /** While connected: since when the server has answered no request. */
  readonly silentSince?: number
  /** Streams that the server fails to write. */
  readonly writeFailures: readonly WriteFailure[]
  /** What the server said of the log, and its clock, when a node asked last: once a minute. */
  readonly log?: LogReport
}

/**
 * Why requests since `start` may have had no answer, as a sentence without its full stop; `undefined` if nothing is
 * known.
 */
export function describeOutage(
  { state, since, server, silentSince, lastOutage, refusal }: ConnectionStats,
  start: number,
): string | undefined {
  if (state === 'unauthorized')
    return `NATS at ${server} has refused the login since ${timeOf(since)} (${refusal}); new credentials are used once they are in their file`
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
