// The backlogs of a namespace's groups as the store has them. Reading them needs no running node.

import { decodeStoredCommand } from '../codec/stored-command.js'
import { decodeStoredMessage } from '../codec/stored-message.js'
import { formatAddress } from '../model/address.js'
import type { StoredCommit } from '../model/commit.js'
import { defined } from '../model/defined.js'
import { partitionOf } from '../model/partition.js'
import { TopicSelection } from '../model/topic-selection.js'
import type { Position } from '../model/version.js'
import type { Documents } from '../store/documents/documents.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { Queue } from '../store/queue/queue.js'
import { commandDeadLetterName, commandsTopic } from './commands/command-dead-letters.js'
import { courierGroup } from './commands/courier.js'
import { inboxGroup } from './commands/inbox.js'
import { type DeadLetter, readDeadLetters } from './dead-letters/dead-letters.js'
import type { DeferredKey } from './group/partition-state.js'
import { type GroupProgress, readProgress } from './group/progress.js'
import { type Health, healthOf, type LagLimits, lagLimitsOf, lagSince } from './health.js'
import { messagesOf } from './messages/message.js'
import { publishingTypes, readerTopics } from './messages/topic-registry.js'
import { readStart } from './source/start-place.js'
import { orderingKeyOf } from './source/topic-source.js'

/** The parts of a namespace that are read. */
interface Ports {
  readonly store: Pick<EventStore, 'readAll' | 'lastPosition'>
  readonly queues: Readonly<Record<'topic' | 'inbox' | 'dead', Queue>>
  readonly documents: Documents
  readonly partitions: number
}

/** Where the records are: the log, the topics of plain code, or the inbox. */
export type BacklogSource = 'log' | 'topics' | 'inbox'

export interface Backlog {
  /** A reactor's name, or `courier` or `inbox`. */
  readonly group: string
  /** The topics of a reactor; empty for the courier and the inbox. */
  readonly topics: readonly string[]
  readonly source: BacklogSource
  /** Every record up to here is handled, except those of failing keys. */
  readonly floor: Position
  /** The last position of the source. */
  readonly end: Position
  /** Messages or commands that are stored and not known to be handled. */
  readonly waiting: number
  /** Whether `waiting` is complete: at most `readMax` records are read. */
  readonly isCounted: boolean
  readonly failing: readonly DeferredKey[]
  /** When the oldest of them was written, ms since 1970, by its writer's clock; absent if none waits. */
  readonly oldestAt?: number
  /** The age of the oldest, in seconds; 0 if none waits. */
  readonly lagSeconds: number
  /** What the numbers mean: see `lagLimits`. */
  readonly health: Health
  /** Messages or commands that were given up: see {@link DeadLetter}. At most `readMax` are counted. */
  readonly dead: number
}

export interface BacklogOptions {
  /** Only reactors that read this topic, and only its messages. Default: all. */
  readonly topic?: string | undefined
  /** Also the courier and the inbox. Default false. */
  readonly all?: boolean | undefined
  /** From which lag on the health is no longer good. Default: `watch` from 60 s, `critical` from 600 s. */
  readonly lagLimits?: LagLimits | undefined
  readonly signal?: AbortSignal | undefined
}

/** Records that are read for one group, at most. */
const readMax = 10_000

/**
 * Yields the backlog of each group that has started to read. Throws the errors of reading, and `invalid-option`.
 *
 * @param now ages are measured from there, ms since 1970
 */
export async function* backlogs(
  open: Ports,
  options: BacklogOptions = {},
  now: () => number = Date.now,
): AsyncGenerator<Backlog> {
  const limits = lagLimitsOf(options.lagLimits)
  for await (const { oldestAt, ...counted } of countedBacklogs(open, options)) {
    const lagSeconds = lagSince(oldestAt, now())
    const backlog = { ...counted, ...defined({ oldestAt }), lagSeconds }
    yield { ...backlog, health: healthOf(backlog, limits) }
  }
}

async function* countedBacklogs(
  open: Ports,
  { topic, all = false, signal }: BacklogOptions,
): AsyncGenerator<Omit<Backlog, 'lagSeconds' | 'health'>> {
  const { documents } = open
  for (const reactor of await readReactorNames(documents, signal)) {
    const topics = await readerTopics(documents, reactor)
    const isRead = topic === undefined || new TopicSelection(topics).has(topic)
    if (!isRead && !topics.includes(topic)) continue
    const names = new TopicSelection(topic === undefined ? topics : [topic])
    const about = { group: reactor, topics: topics.toSorted() }
    const dead = await countDeadLetters(open, reactor, names, signal)
    const start = await readStart(documents, 'reactor', reactor)
    const begins = { log: start.log.position, topics: start.topics.position }
    const path = (part: string) => ['reactor', reactor, part]
    const log = await readProgress(open, path('log'), signal, begins.log)
    const types = await publishingTypes(documents, names)
    const countIn = (commit: StoredCommit) => messagesOf(commit, names).length
    const inLog = await countInLog(open, log, types, countIn, signal)
    yield { ...about, source: 'log', ...inLog, dead: dead.log }
    const plain = await readProgress(open, path('topic'), signal, begins.topics)
    const onTopics = await countOnTopics(open, plain, names, signal)
    yield { ...about, source: 'topics', ...onTopics, dead: dead.topics }
  }
  if (!all) return
  const countDeadCommands = (group: string) => {
    const topics = new TopicSelection([commandsTopic])
    return countDeadLetters(open, commandDeadLetterName(group), topics, signal)
  }
  const courier = await readProgress(open, [courierGroup], signal)
  yield {
    group: courierGroup,
    topics: [],
    source: 'log',
    ...(await countInLog(open, courier, undefined, countCommands, signal)),
    dead: (await countDeadCommands(courierGroup)).log,
  }
  const inbox = await readProgress(open, [inboxGroup], signal)
  yield {
    group: inboxGroup,
    topics: [],
    source: 'inbox',
    ...(await countInInbox(open, inbox, signal)),
    dead: (await countDeadCommands(inboxGroup)).inbox,
  }
}

async function readReactorNames(
  documents: Documents,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const keys = await documents.list(['reactor'], signal && { signal })
  return [...new Set(keys.map(([, name]) => name!))].toSorted()
}

async function countDeadLetters(
  { queues }: Ports,
  reactor: string,
  topics: TopicSelection,
  signal: AbortSignal | undefined,
): Promise<Record<DeadLetter['source'], number>> {
  const count = { log: 0, topics: 0, inbox: 0 }
  let read = 0
  const options = { reactor, ...defined({ signal }) }
  for await (const { source, message } of readDeadLetters(queues, options)) {
    if (++read > readMax) break
    if (topics.has(message.topic)) count[source]++
  }
  return count
}

/** Whether a record is not handled yet, according to the checkpoints. */
function isWaiting(
  { floors, deferred }: GroupProgress,
  position: Position,
  partition: number,
  key: string,
): boolean {
  if (position > (floors[partition] ?? 0)) return true
  return deferred.some(one => one.key === key && position >= one.position)
}

/** The position after which all waiting records are. */
function startOf({ floors, deferred }: GroupProgress): Position {
  return Math.min(...floors, ...deferred.map(({ position }) => position - 1))
}

type Count = Omit<
  Backlog,
  'group' | 'topics' | 'source' | 'dead' | 'lagSeconds' | 'health'
>

async function countInLog(
  { store, partitions }: Ports,
  progress: GroupProgress,
  types: readonly string[] | undefined,
  countIn: (commit: StoredCommit) => number,
  signal: AbortSignal | undefined,
): Promise<Count> {
  const end = await store.lastPosition(signal && { signal })
  let waiting = 0
  let read = 0
  let oldestAt: number | undefined
  if (types?.length !== 0)
    for await (const record of store.readAll({
      after: startOf(progress),
      limit: readMax,
      ...defined({ types, signal }),
    })) {
      read++
      if (record.kind !== 'commit') continue
      const { actor, position } = record
      const partition = partitionOf(actor, partitions)
      if (!isWaiting(progress, position, partition, formatAddress(actor))) continue
      const count = countIn(record)
      if (count > 0) oldestAt ??= record.at
      waiting += count
    }
  return toCount(progress, end, waiting, read, oldestAt)
}

async function countOnTopics(
  { queues, partitions }: Ports,
  progress: GroupProgress,
  topics: TopicSelection,
  signal: AbortSignal | undefined,
): Promise<Count> {
  const end = await queues.topic.lastPosition(signal && { signal })
  let waiting = 0
  let read = 0
  let oldestAt: number | undefined
  const options = { after: startOf(progress), ...defined({ signal }) }
  for await (const record of queues.topic.read(options)) {
    if (++read > readMax) break
    const { position, headers, body } = record
    const topic = record.key.join('.')
    if (!topics.has(topic)) continue
    const message = decodeStoredMessage(topic, headers, body)
    if (typeof message === 'string') continue
    const { key, partition } = orderingKeyOf(message.key, position, partitions)
    if (!isWaiting(progress, position, partition, key)) continue
    oldestAt ??= message.at
    waiting++
  }
  return toCount(progress, end, waiting, read, oldestAt)
}

/** Handled commands are removed from the inbox: every one that is left waits. */
async function countInInbox(
  { queues }: Ports,
  progress: GroupProgress,
  signal: AbortSignal | undefined,
): Promise<Count> {
  const end = await queues.inbox.lastPosition(signal && { signal })
  let read = 0
  let oldestAt: number | undefined
  for await (const { headers, body } of queues.inbox.read(signal && { signal })) {
    if (oldestAt === undefined) {
      const command = decodeStoredCommand(headers, body)
      if (typeof command !== 'string') oldestAt = command.at
    }
    if (++read >= readMax) break
  }
  return toCount(progress, end, read, read, oldestAt)
}

function toCount(
  { floors, deferred }: GroupProgress,
  end: Position,
  waiting: number,
  read: number,
  oldestAt: number | undefined,
): Count {
  return {
    floor: Math.min(...floors),
    end,
    waiting,
    isCounted: read < readMax,
    // Keys without attempts have not failed: they only have many or slow records.
    failing: deferred.filter(({ attempts }) => attempts > 0),
    ...defined({ oldestAt }),
  }
}

function countCommands({ outbox = [] }: StoredCommit): number {
  return outbox.filter(({ kind }) => kind === 'command').length
}
