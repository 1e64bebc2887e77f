// A reactor at work on a node: two groups, of which one reads what actors published, and their events, out of the
// log, and the other what plain code published and what is sent again.

import type { Queue } from '../../store/queue/queue.js'
import { messageOf } from '../../model/errors.js'
import type { Position } from '../../model/version.js'
import { attemptMessage, type AttemptPorts } from './attempt.js'
import type { Reactor } from './define-reactor.js'
import type { Delivery } from '../group/delivery.js'
import { Group, type GroupOptions, type GroupStats } from '../group/group.js'
import type { DeliveryAttempt, HandlingResult } from '../group/partition-processor.js'
import type { LogSourceOptions } from '../group/log-source.js'
import { messageLog } from '../messages/message-log.js'
import { deferredRecord, type Unreadable } from '../group/source.js'
import { topicSource } from '../messages/topics.js'
import { unordered } from '../group/unordered.js'

export interface ReactorOptions
  extends
    Omit<GroupOptions<unknown>, 'name' | 'path' | 'source' | 'handle' | 'backoff'>,
    Pick<LogSourceOptions<unknown>, 'store' | 'bus' | 'partitions'>,
    Omit<AttemptPorts, 'clock'> {
  readonly queue: Queue
}

export interface RunningReactor {
  readonly name: string
  stats(): GroupStats
  stop(timeout: number): Promise<void>
}

/** Name of the group of a reactor, among the groups that members announce. */
export function reactorGroup(name: string): string {
  return `reactor.${name}`
}

export function startReactor(reactor: Reactor, options: ReactorOptions): RunningReactor {
  const { store, bus, partitions, queue, contextOf, deadLetter, attemptLog, ...rest } =
    options
  const { name, topics, retry, openMax, ordered } = reactor
  const names = new Set(topics.map(topic => topic.name))
  const ports: AttemptPorts = { contextOf, deadLetter, attemptLog, clock: rest.clock }
  const warn = (message: string, details: object) => rest.log('warn', message, details)
  const handle = inTurn(reactor, ports, async position => {
    try {
      await queue.remove([position])
    } catch (error) {
      // It is behind the place where its lane begins: nobody reads it again.
      warn(`A message that was sent again was not removed: ${messageOf(error)}`, {
        position,
      })
    }
  })
  const { documents } = rest
  const log = messageLog({
    store,
    bus,
    partitions,
    documents,
    topics: names,
    log: rest.log,
  })
  const plain = topicSource(queue, partitions, { name, topics: names }, warn)
  const group = (part: string, source: typeof log) =>
    new Group<Delivery | Unreadable>({
      ...rest,
      name: reactorGroup(name),
      path: ['reactor', name, part],
      source: ordered ? source : unordered(source),
      handle,
      backoff: retry.backoff,
      openMax,
    })
  const groups = [group('log', log), group('topic', plain)]
  for (const one of groups) one.start()
  return {
    name,
    stats: () => groups.map(one => one.stats()).reduce(sum),
    async stop(timeout) {
      await Promise.all(groups.map(one => one.stop(timeout)))
    },
  }
}

/** Deliveries half handled that are remembered, at most. */
const halvesMax = 10_000

/** Where a delivery stands of which some messages are handled. */
interface Half {
  /** The first message that is not. */
  readonly index: number
  /** The delivery's attempt in which it was tried for the first time. */
  readonly since: number
  readonly firstAt: number
}

/**
 * Handles the messages of a delivery one after another. When it is tried again on this node, those
 * that were handled before are not handled a second time because of another one.
 */
function inTurn(
  reactor: Reactor,
  ports: AttemptPorts,
  onRedriven: (position: Position) => Promise<void>,
): (value: Delivery | Unreadable, attempt: DeliveryAttempt) => Promise<HandlingResult> {
  const halves = new Map<Delivery['source'], Map<Position, Half>>([
    ['log', new Map()],
    ['topics', new Map()],
  ])
  return async (delivery, attempt) => {
    if (delivery.kind === 'unreadable') return deferredRecord(delivery)
    const { position } = attempt
    const { messages, source, redrives } = delivery
    const known = halves.get(redrives > 0 ? 'topics' : source)!
    const begin = { index: 0, since: 1, firstAt: attempt.firstAt }
    const half = (attempt.attempt > 1 && known.get(position)) || begin
    known.delete(position)
    for (const [index, message] of messages.entries()) {
      if (index < half.index) continue
      const isFirst = index > half.index
      const since = isFirst ? attempt.attempt : half.since
      const firstAt = isFirst ? ports.clock.now() : half.firstAt
      const own = { ...attempt, attempt: attempt.attempt - since + 1, firstAt }
      const settled = await attemptMessage(reactor, delivery, message, own, ports)
      if (settled.kind === 'done') continue
      // Forgetting the oldest costs a repetition, as a move to another node does.
      if (known.size >= halvesMax) known.delete(known.keys().next().value!)
      if (index > 0) known.set(position, { index, since, firstAt })
      return settled
    }
    if (redrives > 0) await onRedriven(position)
    return done
  }
}

const done: HandlingResult = { kind: 'done' }

function sum(a: GroupStats, b: GroupStats): GroupStats {
  return {
    partitions: Math.max(a.partitions, b.partitions),
    open: a.open + b.open,
    failing: a.failing + b.failing,
    handled: a.handled + b.handled,
    failures: a.failures + b.failures,
  }
}
