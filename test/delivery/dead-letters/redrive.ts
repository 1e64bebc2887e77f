// Many dead letters and their redrive: lost messages, duplicates and memory use.

import type { Test } from 'tap'

import { defineActor } from '../../../src/actor/define-actor.js'
import { event } from '../../../src/actor/event.js'
import type { Backend } from '../../../src/backend/backend.js'
import { defineReactor } from '../../../src/delivery/reactor/define-reactor.js'
import { eventsOf } from '../../../src/delivery/messages/event-topic.js'
import { TerminalError } from '../../../src/model/retry-policy.js'
import type { Node } from '../../../src/runtime/node.js'
import type { NodeOptions } from '../../../src/runtime/options.js'
import { until } from '../../support/wait.js'

const order = defineActor({
  type: 'order',
  initialState: 0,
  decide: { place: (_state, n: number) => event('placed', n) },
  evolve: { placed: state => state + 1 },
})

/** Counts of calls of the queues, in total and at a time. */
export interface QueueCalls {
  readonly puts: number
  readonly removes: number
  readonly open: number
  readonly openMax: number
}

/** A backend whose queues' writes are counted; `before` a removal of a dead letter may throw. */
export function counting(backend: Backend, before: () => void = () => {}) {
  const calls = { puts: 0, removes: 0, open: 0, openMax: 0 }
  const counted = async <T>(work: () => Promise<T>): Promise<T> => {
    calls.openMax = Math.max(calls.openMax, ++calls.open)
    try {
      return await work()
    } finally {
      calls.open--
    }
  }
  const counting: Backend = {
    ...backend,
    async open(options) {
      const open = await backend.open(options)
      const { dead, topic } = open.queues
      const watchedDead = new Proxy(dead, {
        get(target, name) {
          if (name === 'remove')
            return (positions: readonly number[]) =>
              counted(async () => {
                before()
                calls.removes += positions.length
                await target.remove(positions)
              })
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? (value.bind(target) as unknown) : value
        },
      })
      const watchedTopic = new Proxy(topic, {
        get(target, name) {
          if (name === 'put')
            return (...args: Parameters<typeof target.put>) =>
              counted(async () => {
                calls.puts++
                return target.put(...args)
              })
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? (value.bind(target) as unknown) : value
        },
      })
      const queues = { ...open.queues, dead: watchedDead, topic: watchedTopic }
      return { ...open, queues }
    },
  }
  return { backend: counting, calls: calls as QueueCalls }
}

/** A reactor that gives up every message until `recover` is called. */
export function ailing(name = 'mails') {
  let isWell = false
  let open = 0
  const seen = { calls: 0, openMax: 0, well: new Map<string, number>() }
  const reactor = defineReactor({
    name,
    on: eventsOf(order),
    async handle({ id }) {
      seen.calls++
      seen.openMax = Math.max(seen.openMax, ++open)
      await new Promise(resolve => setImmediate(resolve))
      open--
      if (!isWell) throw new TerminalError('the mail server is away')
      seen.well.set(id, (seen.well.get(id) ?? 0) + 1)
    },
  })
  return { reactor, seen, recover: () => (isWell = true) }
}

/** Starts a node whose reactor has given up `count` messages of 100 actors. */
export async function giveUpMany(
  start: (options: Partial<NodeOptions>) => Promise<Node>,
  sick: ReturnType<typeof ailing>,
  count: number,
  timeout: number,
): Promise<Node> {
  const node = await start({ reactors: [sick.reactor] })
  const actors = 100
  const packed = Math.max(1, Math.min(50, Math.floor(count / actors)))
  await Promise.all(
    Array.from({ length: actors }, async (_, i) => {
      for (let n = i * packed; n < count; n += actors * packed) {
        const events = Array.from({ length: Math.min(packed, count - n) }, (_, at) => ({
          type: 'placed',
          data: n + at,
        }))
        await node.store.append({ type: 'order', id: `o${i}` }, events)
      }
    }),
  )
  await until(() => sick.seen.calls >= count, { describe: 'all are given up', timeout })
  await until(async () => (await node.deadLetters.retryAll({ dryRun: true })) === count, {
    describe: 'all are dead letters',
    timeout,
  })
  return node
}

/** All messages are handled after recovery, and no dead letter is left. */
export async function areHandled(
  t: Test,
  node: Node,
  { seen }: ReturnType<typeof ailing>,
  count: number,
  timeout: number,
): Promise<{ readonly again: number }> {
  await until(() => seen.well.size >= count, { describe: 'all are handled', timeout })
  t.equal(seen.well.size, count, 'none is lost')
  t.equal(await node.deadLetters.retryAll({ dryRun: true }), 0, 'and none is left')
  const handled = [...seen.well.values()].reduce((sum, times) => sum + times, 0)
  return { again: handled - count }
}
