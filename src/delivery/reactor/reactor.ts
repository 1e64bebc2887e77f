// A running reactor of a node: two groups. One reads the messages and events of actors from the log, the other reads
// the messages of plain code, and messages that are sent again.

import { messageOf } from '../../model/errors.js'
import { TopicSelection } from '../../model/topic-selection.js'
import type { Position } from '../../model/version.js'
import type { Queue } from '../../store/queue/queue.js'
import { Group, type GroupOptions, type GroupStats } from '../group/group.js'
import { done, type RecordHandler, retryUnreadable } from '../group/handling.js'
import type { MessageBatch } from '../messages/message-batch.js'
import type { LogSourceOptions } from '../source/log-source.js'
import { messageLogSource } from '../source/message-log-source.js'
import type { RecordSource, UnreadableRecord } from '../source/record-source.js'
import type { StartPlace, StartPlaces } from '../source/start-place.js'
import { topicSource } from '../source/topic-source.js'
import { unorderedSource } from '../source/unordered-source.js'
import { attemptMessage, type AttemptPorts } from './attempt.js'
import type { Reactor } from './define-reactor.js'

export interface ReactorOptions
  extends
    Omit<
      GroupOptions<unknown>,
      'name' | 'path' | 'source' | 'handle' | 'backoff' | 'start'
    >,
    Pick<LogSourceOptions<unknown>, 'store' | 'bus' | 'partitions'>,
    Omit<AttemptPorts, 'clock'> {
  readonly queue: Queue
  /** Where its groups begin. */
  readonly start: StartPlaces
}

export interface RunningReactor {
  readonly name: string
  /** As {@link Group.unsettled}. */
  unsettled(signal: AbortSignal): Promise<string | undefined>
  stats(): GroupStats
  stop(timeout: number): Promise<void>
}

/** Name of the group of a reactor, among the groups that members announce. */
export function reactorGroup(name: string): string {
  return `reactor.${name}`
}

export function startReactor(reactor: Reactor, options: ReactorOptions): RunningReactor {
  const { store, bus, partitions, queue, start, ...others } = options
  const { contextOf, storeDeadLetter, attemptLog, origin, ...rest } = others
  const { documents, clock, log } = rest
  const { name, retry, openMax, ordered } = reactor
  const topics = new TopicSelection([
    ...reactor.topics.map(topic => topic.name),
    ...reactor.patterns,
  ])
  const ports: AttemptPorts = { contextOf, storeDeadLetter, attemptLog, origin, clock }
  const warn = (message: string, details: object) => log('warn', message, details)
  const handle = batchHandler(reactor, ports, async position => {
    try {
      await queue.remove([position])
    } catch (error) {
      // The message is before the floor of its partition: it is not read again.
      warn(`A message that was sent again could not be removed: ${messageOf(error)}`, {
        position,
      })
    }
  })
  const startGroup = (
    part: string,
    begins: StartPlace,
    source: RecordSource<MessageBatch | UnreadableRecord>,
  ) => {
    const group = new Group<MessageBatch | UnreadableRecord>({
      ...rest,
      name: reactorGroup(name),
      path: ['reactor', name, part],
      start: begins,
      source: ordered ? source : unorderedSource(source),
      handle,
      backoff: retry.backoff,
      openMax,
    })
    group.start()
    return group
  }
  const groups = [
    startGroup(
      'log',
      start.log,
      messageLogSource({ store, bus, partitions, documents, topics, log }),
    ),
    startGroup(
      'topic',
      start.topics,
      topicSource(queue, partitions, { name, topics }, warn),
    ),
  ]
  return {
    name,
    async unsettled(signal) {
      for (const group of groups) {
        const found = await group.unsettled(signal)
        if (found !== undefined) return found
      }
      return undefined
    },
    stats: () => groups.map(group => group.stats()).reduce(sumOfStats),
    async stop(timeout) {
      await Promise.all(groups.map(group => group.stop(timeout)))
    },
  }
}

/** Partly handled batches that are remembered, at most. */
const partialMax = 10_000

/** The progress in a batch of which the first messages are handled. */
interface PartialBatch {
  /** The first message that is not handled. */
  readonly index: number
  /** The batch's attempt in which this message was tried for the first time. */
  readonly since: number
  readonly firstAt: number
}

/**
 * Handles the messages of a batch one after another. When the batch is retried on this node, messages that
 * were handled before are not handled again.
 */
function batchHandler(
  reactor: Reactor,
  ports: AttemptPorts,
  onRedriven: (position: Position) => Promise<void>,
): RecordHandler<MessageBatch | UnreadableRecord> {
  const partialBatches = new Map<MessageBatch['source'], Map<Position, PartialBatch>>([
    ['log', new Map()],
    ['topics', new Map()],
  ])
  return async (batch, attempt) => {
    if (batch.kind === 'unreadable') return retryUnreadable(batch)
    const { position } = attempt
    const { messages, source, redrives } = batch
    const partials = partialBatches.get(redrives > 0 ? 'topics' : source)!
    const begin = { index: 0, since: 1, firstAt: attempt.firstAt }
    const partial = (attempt.attempt > 1 && partials.get(position)) || begin
    partials.delete(position)
    for (const [index, message] of messages.entries()) {
      if (index < partial.index) continue
      const isFirst = index > partial.index
      const since = isFirst ? attempt.attempt : partial.since
      const firstAt = isFirst ? ports.clock.now() : partial.firstAt
      const own = { ...attempt, attempt: attempt.attempt - since + 1, firstAt }
      const result = await attemptMessage(reactor, batch, message, own, ports)
      if (result.kind === 'done') continue
      // A forgotten batch is handled from its start again, as after a move to another node.
      if (partials.size >= partialMax) partials.delete(partials.keys().next().value!)
      if (index > 0) partials.set(position, { index, since, firstAt })
      return result
    }
    if (redrives > 0) await onRedriven(position)
    return done
  }
}

function sumOfStats(a: GroupStats, b: GroupStats): GroupStats {
  return {
    partitions: Math.max(a.partitions, b.partitions),
    open: a.open + b.open,
    failing: a.failing + b.failing,
    lagSeconds: Math.max(a.lagSeconds, b.lagSeconds),
    handled: a.handled + b.handled,
    failures: a.failures + b.failures,
    setBack: a.setBack + b.setBack,
    damaged: a.damaged + b.damaged,
  }
}
