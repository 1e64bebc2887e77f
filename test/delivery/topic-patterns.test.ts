// Readers of all topics that a pattern matches.

import t from 'tap'

import { contract } from '../../src/actor/contract.js'
import { defineActor } from '../../src/actor/define-actor.js'
import { publish, send } from '../../src/actor/effects.js'
import { event } from '../../src/actor/event.js'
import {
  decodeConsumerState,
  encodeConsumerState,
} from '../../src/delivery/consumer/consumer-state.js'
import { defineConsumer } from '../../src/delivery/consumer/define-consumer.js'
import { eventsOf } from '../../src/delivery/messages/event-topic.js'
import type { Message } from '../../src/delivery/messages/message.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { TerminalError } from '../../src/model/retry-policy.js'
import { defineTopic } from '../../src/model/topic.js'
import { onEachBackend } from '../support/backends.js'
import { until } from '../support/wait.js'

const placed = defineTopic<number>('orders.placed')
const shipped = defineTopic<number>('orders.eu.shipped')
const billed = defineTopic<number>('bills.made')

const order = defineActor({
  type: 'order',
  publishes: [placed, shipped, billed],
  initialState: {},
  decide: {
    go: (_state, n: number) => [
      event('gone', n),
      publish(placed, n),
      publish(shipped, n),
      publish(billed, n),
    ],
    // A command's target in a commit is written as ">".
    pass: (_state, to: string) => [event('passed'), send(contract('order'), to, 'go', 0)],
  },
  evolve: { gone: state => state, passed: state => state },
})

const late = defineTopic<number>('orders.late')
const latecomer = defineActor({
  type: 'latecomer',
  publishes: [late],
  initialState: {},
  decide: { go: (_state, n: number) => [event('gone', n), publish(late, n)] },
  evolve: { gone: state => state },
})

const textOf = ({ topic, data }: Pick<Message, 'topic' | 'data'>) =>
  `${topic} ${String(data)}`

await onEachBackend(t, 'a pattern reads all that it matches, once', async (t, scene) => {
  const { start, backend, namespace } = scene(t)
  const handled: Record<string, string[]> = { direct: [], deep: [], all: [] }
  let isBroken = false
  const node = await start({
    actors: [order],
    reactors: [
      defineReactor({
        name: 'direct',
        // The topic is among those of the pattern.
        on: ['orders.*', placed],
        handle(message) {
          if (isBroken) throw new TerminalError('on purpose')
          handled['direct']!.push(textOf(message))
        },
      }),
      defineReactor({
        name: 'deep',
        on: 'orders.>',
        handle: message => void handled['deep']!.push(textOf(message)),
      }),
      defineReactor({
        name: 'all',
        on: ['>', eventsOf(order)],
        handle: message =>
          void handled['all']!.push(
            message.topic === eventsOf(order).name ? 'event' : textOf(message),
          ),
      }),
    ],
  })
  await node.spawn(order, 'a').ask('go', 1)
  await node.spawn(order, 'a').ask('pass', 'b')
  for (const topic of [placed, shipped, billed]) await node.publish(topic, 2)
  const direct = ['orders.placed 0', 'orders.placed 1', 'orders.placed 2']
  const deep = [0, 1, 2].map(n => `orders.eu.shipped ${n}`).concat(direct)
  const all = [0, 1, 2].map(n => `bills.made ${n}`).concat(deep)
  await until(() => handled['all']!.length >= all.length + 3)
  await until(() => handled['deep']!.length >= deep.length)
  t.strictSame(handled['direct']!.toSorted(), direct)
  t.strictSame(handled['deep']!.toSorted(), deep)
  t.strictSame(handled['all']!.toSorted(), [
    ...all.slice(0, 3),
    'event',
    'event',
    'event',
    ...all.slice(3),
  ])

  // Another node publishes on a topic that was not there before; and what is given up comes back.
  isBroken = true
  const other = await start({ actors: [latecomer] })
  await other.spawn(latecomer, 'l').ask('go', 5)
  const letter = await until(async () => {
    for await (const found of node.deadLetters.list()) return found
    return undefined
  })
  t.match(letter, { reactor: 'direct', message: { topic: 'orders.late', data: 5 } })
  isBroken = false
  await node.deadLetters.retryAll()
  await until(() => handled['direct']!.includes('orders.late 5'))

  const groups: string[] = []
  for await (const { group } of node.backlogs({ topic: 'orders.eu.shipped' }))
    groups.push(group)
  t.strictSame(groups, ['all', 'all', 'deep', 'deep'], 'a topic finds its readers')
  await until(
    async () => {
      for await (const { waiting } of node.backlogs({ topic: 'orders.*' }))
        if (waiting > 0) return false
      return true
    },
    { describe: 'nothing waits' },
  )

  const audit = defineConsumer({ name: 'audit', on: ['orders.*', billed] })
  await node.consumer(audit).declare()
  const messages = await other.consumer('audit').consume({ batch: 100 })
  const subjects = new Set(messages.map(({ subject }) => subject))
  t.strictSame([...subjects].toSorted(), ['bills.made', 'orders.late', 'orders.placed'])
  t.equal(messages.length, 7)
  const [first] = messages
  await other.consumer('audit').ack(first!.ackToken)
  await t.rejects(
    node.consumer(defineConsumer({ name: 'audit', on: ['orders.>', billed] })).consume(),
    { code: 'invalid-definition' },
  )
  await using open = await backend.open({ namespace, nodeId: 'operator' })
  const found = await open.documents.get(['consumer', 'audit'])
  const state = decodeConsumerState(found!.value, 'audit')
  t.equal(state.version, 2, 'a build that knows no patterns does not read it')
  t.strictSame(decodeConsumerState(encodeConsumerState(state), 'audit'), state)
})

await t.test('bad patterns are refused, and nobody publishes on one', async t => {
  for (const on of [
    'orders.placed',
    'orders.pl*',
    '>.x',
    ['orders.*', 'orders.*'],
  ] as never[]) {
    const error = { code: 'invalid-definition' }
    t.throws(() => defineReactor({ name: 'r', on, handle: () => {} }), error)
    if (!Array.isArray(on)) t.throws(() => defineConsumer({ name: 'c', on }), error)
  }
  t.throws(() => publish('orders.*' as never, 1 as never), { code: 'invalid-definition' })
})
