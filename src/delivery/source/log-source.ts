// Reads the log for one reader: all partitions, but only the commits that concern it.
//
// Reads of the store guarantee that nothing is missed. Notices only tell when to read, and their headers
// show which commits can be skipped without a read.
// LOG-SOURCE-1. A position is skipped without a read only because of its own notice, and only directly after the
//     position before it. A gap, and whatever may have been missed, is read.
// LOG-SOURCE-2. When the reader wants certain actor types only, they are looked up after the end of the read is known:
//     every type that has stored a commit up to this end is among them. Types whose notices concern the reader are added.
// LOG-SOURCE-3. A commit of a newer wire version is not skipped: this build does not know what it holds.

import type { NoticeBus } from '../../bus/bus.js'
import type { CommitStored } from '../../bus/notice.js'
import { decodeHeaders } from '../../codec/commit-headers.js'
import { type ActorAddress, formatAddress, parseAddress } from '../../model/address.js'
import type {
  CommitHeader,
  LogRecord,
  MalformedRecord,
  StoredCommit,
} from '../../model/commit.js'
import type { WriteLog } from '../../model/log.js'
import { partitionOf } from '../../model/partition.js'
import type { Position } from '../../model/version.js'
import type { EventStore } from '../../store/event-store/event-store.js'
import {
  emptyRecord,
  type RecordSource,
  type SourceRecord,
  type UnreadableRecord,
} from './record-source.js'
import { offAbort, onAbort } from '../../model/on-abort.js'

export interface LogSourceOptions<T> {
  readonly store: Pick<EventStore, 'readAll' | 'commits' | 'lastPosition' | 'namespace'>
  readonly bus: Pick<NoticeBus, 'subscribeToCommits'>
  readonly partitions: number
  /** Whether a commit may hold something for the reader, judged by its headers and its actor. */
  readonly matches: (header: CommitHeader, actor: ActorAddress) => boolean
  /** What the commit holds for the reader, if anything. */
  readonly select: (commit: StoredCommit) => T | undefined
  /** The actor types to read (LOG-SOURCE-2); `undefined` for all. Default: all. */
  readonly types?: () => Promise<readonly string[] | undefined>
  readonly log: WriteLog
}

/** Notices that wait to be processed, at most; beyond that the log is read instead. */
const noticesMax = 4_096
/** Milliseconds without a notice after which the log is read. */
const pollDelay = 5_000

export function logSource<T>(
  options: LogSourceOptions<T>,
): RecordSource<T | UnreadableRecord> {
  const { store, partitions, select } = options
  const toRecord = (record: LogRecord): SourceRecord<T | UnreadableRecord> => {
    const { position, actor } = record
    const id = idOf(record)
    const value =
      record.kind === 'malformed' ? readMalformed(record, options) : select(record)
    if (actor === undefined) return emptyRecord(position, id)
    const key = formatAddress(actor)
    const partition = partitionOf(actor, partitions)
    const at = record.kind === 'commit' ? record.at : undefined
    return { position, partition, key, id, at, ...(value !== undefined && { value }) }
  }
  return {
    partitions,
    follow: (after, signal) => follow(options, after, signal, toRecord),
    async *readKey(key, from, upTo, signal) {
      const records = store.commits(parseAddress(key), { hint: from, signal })
      for await (const record of records) {
        if (record.position > upTo) return
        if (record.position >= from) yield toRecord(record)
      }
    },
    lastPosition: signal => store.lastPosition({ signal }),
    idAt: (position, signal) => commitIdAt(store, position, signal),
  }
}

/** The id of the commit at a position; `undefined` if there is none. */
export async function commitIdAt(
  store: Pick<EventStore, 'readAll'>,
  position: Position,
  signal: AbortSignal,
): Promise<string | undefined> {
  const records = store.readAll({ after: position - 1, limit: 1, signal })
  for await (const record of records)
    return record.position === position ? idOf(record) : undefined
  return undefined
}

function idOf(record: LogRecord): string | undefined {
  return record.kind === 'commit' ? record.id : undefined
}

/**
 * LOG-SOURCE-3: A damaged record stays damaged, so it is skipped: it is reported if its headers match, and
 * can be inspected in the log.
 */
function readMalformed<T>(
  { position, source, actor, versions, reason, headers }: MalformedRecord,
  { matches, log }: LogSourceOptions<T>,
): UnreadableRecord | undefined {
  if (versions === undefined || actor === undefined) return undefined
  const header = decodeHeaders(name => headers[name])
  if (typeof header === 'string') return { kind: 'unreadable', position, reason }
  if (matches(header, actor))
    log('error', 'A commit in the log cannot be decoded and is skipped', {
      position,
      source,
      reason,
    })
  return undefined
}

/** `undefined` stands for all types. */
function withTypes(
  types: readonly string[] | undefined,
  others: ReadonlySet<string>,
): readonly string[] | undefined {
  return types && [...new Set([...types, ...others])]
}

async function* follow<T>(
  { store, bus, matches, types }: LogSourceOptions<T>,
  after: Position,
  signal: AbortSignal,
  toRecord: (record: LogRecord) => SourceRecord<T | UnreadableRecord>,
): AsyncGenerator<SourceRecord<T | UnreadableRecord>> {
  let position = after
  let mustRead = true
  let notices: CommitStored[] = []
  let isWoken = false
  let endWait = () => {}
  const wake = () => {
    isWoken = true
    endWait()
  }
  /** Resolves at the next wake, or after the delay. */
  const wait = () =>
    new Promise<void>(resolve => {
      const timer = setTimeout(resolve, pollDelay)
      endWait = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  const onMissed = () => {
    mustRead = true
    notices = []
    wake()
  }
  const onNotice = (notice: CommitStored) => {
    if (notices.length >= noticesMax) return onMissed()
    notices.push(notice)
    wake()
  }
  /** The id of the commit at the end of a read that left out other types; usually its notice has come. */
  const idAtEnd = (end: Position) => {
    const notice = notices.find(one => one.position === end)
    return notice?.header.commitId ?? commitIdAt(store, end, signal)
  }
  /** LOG-SOURCE-2. */
  const seenTypes = new Set<string>()
  // LOG-SOURCE-1.
  const canSkip = (notice: CommitStored) => {
    const isMatch = matches(notice.header, notice.actor)
    if (isMatch) seenTypes.add(notice.actor.type)
    return notice.position === position + 1 && !isMatch
  }
  const subscription = await bus.subscribeToCommits(store.namespace, onNotice, {
    signal,
    onInterrupted: onMissed,
  })
  onAbort(signal, wake)
  try {
    while (!signal.aborted) {
      if (mustRead) {
        mustRead = false
        notices = notices.filter(notice => notice.position > position)
        const end = await store.lastPosition({ signal })
        // Most polls find nothing new: they cost only this one request.
        const only = end > position ? withTypes(await types?.(), seenTypes) : []
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
        if (end > position) {
          const id = await idAtEnd(end)
          yield emptyRecord((position = end), id)
        }
      }
      const notice = notices.shift()
      if (notice === undefined) {
        if (!isWoken) await wait()
        // No notice arrived in time: the last one may have been lost, so the log is read.
        if (!isWoken) mustRead = true
        isWoken = false
        continue
      }
      if (notice.position <= position) continue
      if (!canSkip(notice)) {
        mustRead = true
        continue
      }
      position = notice.position
      let last = notice
      // Notices arrive in bursts: the reader gets one record for all that can be skipped.
      while (notices[0] !== undefined && canSkip(notices[0])) {
        last = notices.shift()!
        position = last.position
      }
      yield emptyRecord(position, last.header.commitId)
    }
  } finally {
    offAbort(signal, wake)
    await subscription.unsubscribe()
  }
}
