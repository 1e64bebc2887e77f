// What groups have before them, as it is stored: read without any node, by whoever looks.

import { decodeStoredMessage } from '../codec/stored-message.js'
import type { DocumentKey, Documents } from '../store/documents/documents.js'
import { formatAddress } from '../model/address.js'
import type { StoredCommit } from '../model/commit.js'
import { partitionOf } from '../model/partition.js'
import type { Position } from '../model/version.js'
import type { Queue } from '../store/queue/queue.js'
import type { EventStore } from '../store/event-store/event-store.js'
import { courierGroup } from './commands/courier.js'
import { inboxGroup } from './commands/inbox.js'
import { type DeadLetter, deadLetters } from './dead-letters/dead-letters.js'
import { decodePartitionState, type FailingKey } from './group/partition-state.js'
import { commandsTopic, abandonedBy } from './commands/give-up-command.js'
import { messagesOf } from './messages/message.js'
import { topicsOf, typesOf } from './messages/topic-registry.js'
import { keyOfMessage } from './messages/topics.js'

/** What is read of a namespace. */
interface Ports {
  readonly store: Pick<EventStore, 'readAll' | 'lastPosition'>
  readonly queues: Readonly<Record<'topic' | 'inbox' | 'dead', Queue>>
  readonly documents: Documents
  readonly partitions: number
}

/** Where the records come from: the log, the topics of plain code, or the inbox. */
export type BacklogSource = 'log' | 'topics' | 'inbox'

export interface Backlog {
  /** A reactor's name, or `courier` or `inbox`. */
  readonly group: string
  /** Those that a reactor reads; none for the others. */
  readonly topics: readonly string[]
  readonly source: BacklogSource
  /** Everything up to here is handled, but for what is failing. */
  readonly floor: Position
  /** The last position there is. */
  readonly end: Position
  /** Messages or commands that are stored and not known to be handled. */
  readonly waiting: number
  /** Whether all were counted: no more than `readMax` records are looked at. */
  readonly isCounted: boolean
  readonly failing: readonly FailingKey[]
  /** Messages or commands that were given up: see {@link DeadLetter}. At most `readMax` are counted. */
  readonly dead: number
}

export interface BacklogOptions {
  /** Only reactors that read this topic, and only its messages. Default: all. */
  readonly topic?: string
  /** Also the courier and the inbox. Default false. */
  readonly all?: boolean
  readonly signal?: AbortSignal
}

/** Records looked at for one group, at most. */
const readMax = 10_000

/** Where a group stands, over all of its lanes. */
interface BacklogStatus {
  readonly floors: readonly Position[]
  readonly failing: readonly FailingKey[]
}

/** Yields the backlog of each group that has ever begun to read. Throws what reading does. */
export async function* backlogs(
  open: Ports,
  options: BacklogOptions = {},
): AsyncGenerator<Backlog> {
  const { topic, all = false, signal } = options
  const { documents } = open
  for (const reactor of await reactorsIn(documents, signal)) {
    const topics = await topicsOf(documents, reactor)
    if (topic !== undefined && !topics.includes(topic)) continue
    const names = new Set(topic === undefined ? topics : [topic])
    const about = { group: reactor, topics: topics.toSorted() }
    const dead = await deadOf(open, reactor, names, signal)
    const log = await backlogStatus(open, ['reactor', reactor, 'log'], signal)
    const types = await typesOf(documents, names)
    yield {
      ...about,
      source: 'log',
      ...(await inLog(
        open,
        log,
        types,
        commit => messagesOf(commit, names).length,
        signal,
      )),
      dead: dead.log,
    }
    const plain = await backlogStatus(open, ['reactor', reactor, 'topic'], signal)
    const waiting = await onTopics(open, plain, names, signal)
    yield { ...about, source: 'topics', ...waiting, dead: dead.topics }
  }
  if (!all) return
  const commands = new Set([commandsTopic])
  const courier = await backlogStatus(open, [courierGroup], signal)
  yield {
    group: courierGroup,
    topics: [],
    source: 'log',
    ...(await inLog(open, courier, undefined, commandsIn, signal)),
    dead: (await deadOf(open, abandonedBy(courierGroup), commands, signal)).log,
  }
  const inbox = await backlogStatus(open, [inboxGroup], signal)
  yield {
    group: inboxGroup,
    topics: [],
    source: 'inbox',
    ...(await inInbox(open, inbox, signal)),
    dead: (await deadOf(open, abandonedBy(inboxGroup), commands, signal)).inbox,
  }
}

async function reactorsIn(
  documents: Documents,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const keys = await documents.list(['reactor'], signal && { signal })
  return [...new Set(keys.map(([, name]) => name!))].toSorted()
}

async function deadOf(
  { queues }: Ports,
  reactor: string,
  topics: ReadonlySet<string>,
  signal: AbortSignal | undefined,
): Promise<Record<DeadLetter['source'], number>> {
  const count = { log: 0, topics: 0, inbox: 0 }
  let read = 0
  const options = { reactor, ...(signal !== undefined && { signal }) }
  for await (const { source, message } of deadLetters(queues, options)) {
    if (++read > readMax) break
    if (topics.has(message.topic)) count[source]++
  }
  return count
}

async function backlogStatus(
  { documents, partitions }: Ports,
  path: DocumentKey,
  signal: AbortSignal | undefined,
): Promise<BacklogStatus> {
  const floors: Position[] = Array.from({ length: partitions }, () => 0)
  const failing: FailingKey[] = []
  for (const key of await documents.list(path, signal && { signal })) {
    const found = await documents.get(key)
    if (found === undefined) continue
    const state = decodePartitionState(found.value, key.join('.'))
    floors[Number(key.at(-1))] = state.floor
    failing.push(...state.failing)
  }
  return { floors, failing: failing.toSorted((a, b) => a.position - b.position) }
}

/** Whether a group has not handled a record yet, as far as it has written down. */
function isWaiting(
  { floors, failing }: BacklogStatus,
  position: Position,
  lane: number,
  key: string,
): boolean {
  if (position > (floors[lane] ?? 0)) return true
  return failing.some(one => one.key === key && position >= one.position)
}

/** All that waits stands behind this position. */
function startOf({ floors, failing }: BacklogStatus): Position {
  return Math.min(...floors, ...failing.map(({ position }) => position - 1))
}

type Count = Omit<Backlog, 'group' | 'topics' | 'source' | 'dead'>

async function inLog(
  { store, partitions }: Ports,
  standing: BacklogStatus,
  types: readonly string[] | undefined,
  countIn: (commit: StoredCommit) => number,
  signal: AbortSignal | undefined,
): Promise<Count> {
  const end = await store.lastPosition(signal && { signal })
  let waiting = 0
  let read = 0
  if (types?.length !== 0)
    for await (const record of store.readAll({
      after: startOf(standing),
      limit: readMax,
      ...(types !== undefined && { types }),
      ...(signal !== undefined && { signal }),
    })) {
      read++
      if (record.kind !== 'commit') continue
      const { actor, position } = record
      const lane = partitionOf(actor, partitions)
      if (isWaiting(standing, position, lane, formatAddress(actor)))
        waiting += countIn(record)
    }
  return counted(standing, end, waiting, read)
}

async function onTopics(
  { queues, partitions }: Ports,
  standing: BacklogStatus,
  topics: ReadonlySet<string>,
  signal: AbortSignal | undefined,
): Promise<Count> {
  const end = await queues.topic.lastPosition(signal && { signal })
  let waiting = 0
  let read = 0
  const options = { after: startOf(standing), ...(signal !== undefined && { signal }) }
  for await (const { position, key: names, headers, body } of queues.topic.read(
    options,
  )) {
    if (++read > readMax) break
    const topic = names.join('.')
    if (!topics.has(topic)) continue
    const found = decodeStoredMessage(topic, headers, body)
    if (typeof found === 'string') continue
    const { key, partition } = keyOfMessage(found.key, position, partitions)
    if (isWaiting(standing, position, partition, key)) waiting++
  }
  return counted(standing, end, waiting, read)
}

/** What was carried out is removed: all that is there waits. */
async function inInbox(
  { queues }: Ports,
  standing: BacklogStatus,
  signal: AbortSignal | undefined,
): Promise<Count> {
  const end = await queues.inbox.lastPosition(signal && { signal })
  let read = 0
  for await (const _ of queues.inbox.read(signal && { signal }))
    if (++read >= readMax) break
  return counted(standing, end, read, read)
}

function counted(
  { floors, failing }: BacklogStatus,
  end: Position,
  waiting: number,
  read: number,
): Count {
  return {
    floor: Math.min(...floors),
    end,
    waiting,
    isCounted: read < readMax,
    // The others are held back only because many of them wait.
    failing: failing.filter(({ attempts }) => attempts > 0),
  }
}

function commandsIn({ outbox = [] }: StoredCommit): number {
  return outbox.filter(({ kind }) => kind === 'command').length
}
