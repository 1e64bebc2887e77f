// A reactor at work on a node: two groups, of which one reads what actors published out of the
// log, and the other what plain code published.

import type { Queue } from '../queue/queue.js'
import type { StoredCommit } from '../model/commit.js'
import type { Position } from '../model/version.js'
import type { Reactor, ReactorContext } from './define-reactor.js'
import { Group, type GroupOptions, type GroupStats } from './group.js'
import type { Attempt, Settled } from './lane.js'
import { logSource, type LogSourceOptions } from './log-source.js'
import { type Message, messagesOf } from './message.js'
import { heldBack, type Unreadable } from './source.js'
import { typesOf } from './topic-registry.js'
import { topicSource } from './topics.js'

export interface ReactorOptions
  extends
    Omit<GroupOptions<unknown>, 'name' | 'path' | 'source' | 'handle' | 'backoff'>,
    Pick<LogSourceOptions<unknown>, 'store' | 'bus' | 'partitions'> {
  readonly queue: Queue
  readonly contextOf: (
    message: Message,
    reactor: Reactor,
    attempt: Attempt,
  ) => ReactorContext
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
  const { store, bus, partitions, queue, contextOf, ...rest } = options
  const { name, topics, handle, backoff, openMax } = reactor
  const names = new Set(topics.map(topic => topic.name))
  const handleAll = inTurn((message, attempt) =>
    handle(message, contextOf(message, reactor, attempt)),
  )
  const shared = { ...rest, name: reactorGroup(name), backoff, openMax }
  const groups = [
    new Group<readonly Message[] | Unreadable>({
      ...shared,
      path: ['reactor', name, 'log'],
      source: logSource({
        store,
        bus,
        partitions,
        wants: ({ says = [] }) => says.some(topic => names.has(topic)),
        pick: (commit: StoredCommit) => {
          const messages = messagesOf(commit, names)
          return messages.length > 0 ? messages : undefined
        },
        types: () => typesOf(rest.documents, names),
        log: rest.log,
      }),
      handle: handleAll,
    }),
    new Group<readonly Message[] | Unreadable>({
      ...shared,
      path: ['reactor', name, 'topic'],
      source: topicSource(queue, partitions, names, (message, details) =>
        rest.log('warn', message, details),
      ),
      handle: handleAll,
    }),
  ]
  for (const group of groups) group.start()
  return {
    name,
    stats: () => groups.map(group => group.stats()).reduce(sum),
    async stop(timeout) {
      await Promise.all(groups.map(group => group.stop(timeout)))
    },
  }
}

/** Commits half handled that are remembered, at most. */
const halvesMax = 10_000

/**
 * Handles the messages of a record one after another. When it is tried again on this node, those
 * that were handled before are not handled a second time because of another one.
 */
function inTurn(
  handle: (message: Message, attempt: Attempt) => Promise<void> | void,
): (value: readonly Message[] | Unreadable, attempt: Attempt) => Promise<Settled> {
  const handled = new Map<Position, number>()
  return async (value, attempt) => {
    if ('kind' in value) return heldBack(value)
    const { position } = attempt
    const before = attempt.attempt > 1 ? (handled.get(position) ?? 0) : 0
    handled.delete(position)
    for (const [i, message] of value.entries()) {
      if (i < before) continue
      try {
        await handle(message, attempt)
      } catch (error) {
        // Forgetting the oldest costs a repetition, as a move to another node does.
        if (handled.size >= halvesMax) handled.delete(handled.keys().next().value!)
        if (i > 0) handled.set(position, i)
        return { kind: 'again', error }
      }
    }
    return done
  }
}

const done: Settled = { kind: 'done' }

function sum(a: GroupStats, b: GroupStats): GroupStats {
  return {
    lanes: Math.max(a.lanes, b.lanes),
    open: a.open + b.open,
    failing: a.failing + b.failing,
    handled: a.handled + b.handled,
    failures: a.failures + b.failures,
  }
}
