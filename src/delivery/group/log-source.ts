// The log as a group reads it: by lanes, and only what the group is about.
//
// Reading the log is what nothing is missed by; notices only say when, and let the reader pass
// by what its headers say is not for it, without reading it.
// S1. A position is passed by unread only on the word of its own notice, and only next to the
//     one before: a gap, or whatever may have been missed, is read.
// S2. Where the group reads certain types only, these are asked for after the end of a reading
//     is known: a type that has stored anything up to there is among them.
// S3. A commit of a newer wire version is not passed by: nobody here knows what it says.

import { setMaxListeners } from 'node:events'

import type { NoticeBus } from '../../bus/bus.js'
import type { CommitStored } from '../../bus/notice.js'
import { type CommitHeader, decodeHeaders } from '../../codec/envelope.js'
import { type ActorAddress, formatAddress, parseAddress } from '../../model/address.js'
import type { LogRecord, MalformedRecord, StoredCommit } from '../../model/commit.js'
import type { WriteLog } from '../../model/log.js'
import { partitionOf } from '../../model/partition.js'
import type { Position } from '../../model/version.js'
import { pause } from '../../model/wait.js'
import type { EventStore } from '../../store/event-store/event-store.js'
import type { GroupSource, SourceRecord, Unreadable } from './source.js'

export interface LogSourceOptions<T> {
  readonly store: Pick<EventStore, 'readAll' | 'commits' | 'lastPosition' | 'namespace'>
  readonly bus: Pick<NoticeBus, 'subscribeToCommits'>
  readonly partitions: number
  /** Whether the headers of a commit, and whose it is, promise something for the group. */
  readonly wants: (header: CommitHeader, actor: ActorAddress) => boolean
  /** What the commit holds for the group, if anything. */
  readonly pick: (commit: StoredCommit) => T | undefined
  /** The types to read (S2). Default: all. */
  readonly types?: () => Promise<readonly string[]>
  readonly log: WriteLog
}

/** Notices that wait, at most; with more, the log is read instead. */
const noticesMax = 4_096
/** Why a wait for news has ended. */
const wakeSignal = 'rung'
/** Milliseconds after which the log is looked at without news. */
const lookEvery = 5_000

export function logSource<T>(options: LogSourceOptions<T>): GroupSource<T | Unreadable> {
  const { store, partitions, pick } = options
  const toRecord = (record: LogRecord): SourceRecord<T | Unreadable> => {
    const { position, actor } = record
    const value = record.kind === 'malformed' ? unreadable(record, options) : pick(record)
    if (actor === undefined) return passing(position)
    const key = formatAddress(actor)
    const lane = partitionOf(actor, partitions)
    return { position, partition: lane, key, ...(value !== undefined && { value }) }
  }
  return {
    partitions,
    follow: (after, signal) => follow(options, after, signal, toRecord),
    async *ofKey(key, from, upTo, signal) {
      const records = store.commits(parseAddress(key), { hint: from, signal })
      for await (const record of records) {
        if (record.position > upTo) return
        if (record.position >= from) yield toRecord(record)
      }
    },
    lastPosition: signal => store.lastPosition({ signal }),
  }
}

/**
 * S3. What is damaged stays so, and is passed by: it is reported, where its headers promise
 * something for the group, and can be read in the log.
 */
function unreadable<T>(
  { position, source, actor, versions, reason, headers }: MalformedRecord,
  { wants, log }: LogSourceOptions<T>,
): Unreadable | undefined {
  if (versions === undefined || actor === undefined) return undefined
  const header = decodeHeaders(name => headers[name])
  if (typeof header === 'string') return { kind: 'unreadable', position, reason }
  if (wants(header, actor))
    log('error', 'A commit says something that cannot be read, and is passed by', {
      position,
      source,
      reason,
    })
  return undefined
}

/** Says only how far the log was looked at. */
function passing<T>(position: Position): SourceRecord<T> {
  return { position, partition: -1, key: '' }
}

async function* follow<T>(
  { store, bus, wants, types }: LogSourceOptions<T>,
  after: Position,
  signal: AbortSignal,
  toRecord: (record: LogRecord) => SourceRecord<T | Unreadable>,
): AsyncGenerator<SourceRecord<T | Unreadable>> {
  let position = after
  let mustRead = true
  let notices: CommitStored[] = []
  let bell = new AbortController()
  // It rings for every commit: without a reason of its own, each ring would make an error.
  const ring = () => {
    if (!bell.signal.aborted) bell.abort(wakeSignal)
  }
  const missed = () => {
    mustRead = true
    notices = []
    ring()
  }
  const take = (notice: CommitStored) => {
    if (notices.length >= noticesMax) return missed()
    notices.push(notice)
    ring()
  }
  // S1.
  const isPassedBy = (notice: CommitStored) =>
    notice.position === position + 1 && !wants(notice.header, notice.actor)
  const subscription = await bus.subscribeToCommits(store.namespace, take, {
    signal,
    onInterrupted: missed,
  })
  signal.addEventListener('abort', ring)
  try {
    while (!signal.aborted) {
      if (mustRead) {
        mustRead = false
        notices = notices.filter(notice => notice.position > position)
        const end = await store.lastPosition({ signal })
        // Most looks find nothing new, and cost no more than this one question.
        const only = end > position ? await types?.() : []
        if (only?.length !== 0)
          for await (const record of store.readAll({
            after: position,
            signal,
            ...(only !== undefined && { types: only }),
          })) {
            if (record.position > end) break
            position = record.position
            yield toRecord(record)
          }
        if (end > position) yield passing((position = end))
      }
      const notice = notices.shift()
      if (notice === undefined) {
        if (!bell.signal.aborted) await pause(lookEvery, bell.signal)
        // In time without a notice: look, in case that it was lost with nothing after it.
        if (!bell.signal.aborted) mustRead = true
        bell = new AbortController()
        setMaxListeners(0, bell.signal)
        continue
      }
      if (notice.position <= position) continue
      if (!isPassedBy(notice)) {
        mustRead = true
        continue
      }
      position = notice.position
      // Notices come by the dozen: who reads on is told of them once.
      while (notices[0] !== undefined && isPassedBy(notices[0]))
        position = notices.shift()!.position
      yield passing(position)
    }
  } finally {
    signal.removeEventListener('abort', ring)
    await subscription.unsubscribe()
  }
}
