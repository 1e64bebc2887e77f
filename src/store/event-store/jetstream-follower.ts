// Following a log stream: notices of the server wake a reader, which reads on by the usual reads.
//
// Each follower owns its subscriptions to notices, and ends them.
// STORE-JS-15. A notice only wakes. What is yielded was read after the last position seen, so a notice that is missing,
//     late or forged makes a follower slower or read once for nothing.
// STORE-JS-16. A follower outlasts an unreachable server: the scan ends, and the next one reads the rest.

import type { Msg } from 'nats'

import type { LogRecord } from '../../model/commit.js'
import { isCairnError } from '../../model/errors.js'
import type { Position } from '../../model/version.js'
import { pause } from '../../model/wait.js'
import type { Connection, NatsSubscription } from '../../nats/connection.js'
import { noticeSubjects } from '../../nats/subjects.js'
import { WakeSignal } from '../wake-signal.js'
import type { FollowOptions } from './event-store.js'
import { type Followable, followLog } from './follow.js'
import type { LogReader } from './jetstream-reader.js'
import { checkLogOptions } from './read.js'

/** Milliseconds between reads of a follower when no notice arrives. */
export const followPollInterval = 1_000
/** Types of a follower whose notices are subscribed to one by one, at most. */
const subjectsMax = 16
/** Milliseconds before reading again a record that a lagging replica lacks. */
const replicaLagPause = 5

export interface FollowerOptions {
  readonly namespace: string
  readonly connection: Connection
  readonly reader: LogReader
  /** Fires when the store closes. */
  readonly closing: AbortSignal
  /** Throws once the store is closed. */
  assertOpen(): void
}

export async function* follow(
  { namespace, connection, reader, closing, assertOpen }: FollowerOptions,
  options: FollowOptions,
): AsyncGenerator<LogRecord> {
  assertOpen()
  checkLogOptions(options)
  const signal =
    options.signal === undefined ? closing : AbortSignal.any([options.signal, closing])
  if (signal.aborted) return
  // Its own wake signal: with a filter, notices of other types must not wake it.
  const wakeSignal = new WakeSignal()
  const wake = (message: Msg) =>
    wakeSignal.raise(Number(message.headers?.last('Nats-Sequence') ?? 0))
  const subscriptions: NatsSubscription[] = []
  const scan: Followable['scan'] = (after, types, ended) =>
    scanReachable(connection, reader.scan(after, types, ended), after, ended)
  try {
    for (const subject of noticeSubjectsOf(namespace, options.types))
      subscriptions.push(await connection.subscribe(subject, wake))
    yield* followLog({ scan, waitBeyond: waiterOn(wakeSignal) }, options, signal)
  } finally {
    for (const subscription of subscriptions) subscription.unsubscribe()
  }
}

/** The server sends the notices of a few types only; of many it sends all. */
function noticeSubjectsOf(
  namespace: string,
  types: readonly string[] | undefined,
): string[] {
  const isFew = types !== undefined && types.length > 0 && types.length <= subjectsMax
  return isFew
    ? [...new Set(types)].map(type => noticeSubjects(namespace, type))
    : [noticeSubjects(namespace)]
}

/** STORE-JS-16. */
async function* scanReachable(
  connection: Connection,
  records: AsyncGenerator<LogRecord, Position>,
  after: Position,
  signal: AbortSignal,
): AsyncGenerator<LogRecord, Position> {
  let position = after
  try {
    for (;;) {
      const next = await records.next()
      if (next.done === true) return next.value
      position = next.value.position
      yield next.value
    }
  } catch (error) {
    if (signal.aborted) return position
    if (isCairnError(error, 'store-unreachable') && !connection.closed) return position
    throw error
  }
}

/** Waits until the signal is raised beyond a position; a raised record that a replica lacks is read again. */
function waiterOn(
  wakeSignal: WakeSignal,
): (after: Position, signal: AbortSignal) => Promise<void> {
  let readAgainAfter: Position | undefined
  return (after, signal) => {
    if (wakeSignal.position <= after)
      return wakeSignal.wait(after, followPollInterval, signal)
    if (readAgainAfter === after) return pause(replicaLagPause, signal)
    readAgainAfter = after
    return Promise.resolve()
  }
}
