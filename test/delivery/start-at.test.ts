// Where readers begin: with the first message, or with those that are stored after their first declaration.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { publish } from '../../src/actor/effects.js'
import { event } from '../../src/actor/event.js'
import { decodeConsumerState } from '../../src/delivery/consumer/consumer-state.js'
import { defineConsumer } from '../../src/delivery/consumer/define-consumer.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { decodeStart, startsKey } from '../../src/delivery/source/start-place.js'
import { defineTopic } from '../../src/model/topic.js'
import type { Node } from '../../src/runtime/node.js'
import { onEachBackend } from '../support/backends.js'
import { until } from '../support/wait.js'

const topic = defineTopic<string>('things')

const writer = defineActor({
  type: 'writer',
  publishes: [topic],
  initialState: {},
  decide: {
    say: (_state, text: string) => [event('said', text), publish(topic, text)],
  },
  evolve: { said: state => state },
})

/** One message of an actor, and one of plain code. */
async function say(node: Node, text: string): Promise<void> {
  await node.spawn(writer, 'w').ask('say', `${text} of an actor`)
  await node.publish(topic, `${text} of code`)
}

const both = (...texts: string[]) =>
  texts.flatMap(text => [`${text} of an actor`, `${text} of code`]).toSorted()

await onEachBackend(t, 'a consumer begins at new messages, once', async (t, scene) => {
  const { start, backend, namespace } = scene(t)
  const node = await start({ actors: [writer] })
  await say(node, 'old')
  const fresh = defineConsumer({ name: 'fresh', on: topic, startAt: 'new' })
  const whole = defineConsumer({ name: 'whole', on: topic })
  await node.consumer(fresh).declare()
  await say(node, 'new')
  const payloadsOf = async (
    from: Node,
    consumer: Parameters<Node['consumer']>[0],
    settles = true,
  ) => {
    const found: string[] = []
    const messages = await from.consumer(consumer).consume({ batch: 20, maxWait: 0 })
    for (const { payload, ackToken } of messages) {
      found.push(String(payload))
      await (settles
        ? from.consumer(consumer).ack(ackToken)
        : from.consumer(consumer).release(ackToken))
    }
    return found.toSorted()
  }
  t.match(await node.consumer(fresh).status(), { startAt: 'new' })
  const other = await start({ actors: [writer] })
  const again = defineConsumer({ name: 'fresh', on: topic, startAt: 'new' })
  t.strictSame(await payloadsOf(other, again, false), both('new'), 'on another node')
  const changed = defineConsumer({ name: 'fresh', on: topic })
  t.strictSame(
    await payloadsOf(other, changed),
    both('new'),
    'whatever is declared later',
  )
  t.strictSame(await payloadsOf(node, whole), both('new', 'old'))

  // Its document is lost, and with it what was settled; where it has begun is not.
  const key = ['consumer', 'fresh']
  await using open = await backend.open({ namespace, nodeId: 'operator' })
  const { documents } = open
  const found = await documents.get(key)
  t.equal(decodeConsumerState(found!.value, 'fresh').definition.name, 'fresh')
  await documents.remove(key, found!.revision)
  await say(node, 'newer')
  const third = await start({ actors: [writer] })
  t.strictSame(await payloadsOf(third, again), both('new', 'newer'))
})

await onEachBackend(t, 'a reactor begins at new messages, once', async (t, scene) => {
  const { start } = scene(t)
  const handled: Record<string, string[]> = { fresh: [], whole: [], late: [] }
  const reactorOf = (name: string, startAt?: 'new') =>
    defineReactor({
      name,
      on: topic,
      ...(startAt && { startAt }),
      handle: ({ data }) => void handled[name]!.push(data),
    })
  const before = await start({ actors: [writer], reactors: [reactorOf('late')] })
  await say(before, 'old')
  await until(() => handled['late']!.length === 2)
  await before.close()

  const reactors = () => [
    reactorOf('fresh', 'new'),
    reactorOf('whole'),
    // It has begun with the first message.
    reactorOf('late', 'new'),
  ]
  const node = await start({ actors: [writer], reactors: reactors() })
  await say(node, 'new')
  await until(() => handled['whole']!.length === 4 && handled['late']!.length === 4)
  await until(() => handled['fresh']!.length === 2)
  await node.close()

  const reader = await start({ serve: false })
  await say(await start({ actors: [writer] }), 'missed')
  for await (const { group, waiting } of reader.backlogs())
    if (group === 'fresh') t.equal(waiting, 1, 'only what is new waits')
  const next = await start({ actors: [writer], reactors: reactors() })
  await until(() => handled['fresh']!.length >= 4)
  await say(next, 'newer')
  await until(() => handled['fresh']!.length >= 6)
  t.strictSame(handled['fresh']!.toSorted(), both('missed', 'new', 'newer'))
  await until(() => handled['late']!.length === 8)
})

await onEachBackend(
  t,
  'the place is stored, and a bad one leaves nothing out',
  async (t, scene) => {
    const { start, backend, namespace } = scene(t)
    const node = await start({ actors: [writer] })
    await say(node, 'old')
    const key = [startsKey, 'consumer', 'fresh']
    const fresh = defineConsumer({ name: 'fresh', on: topic, startAt: 'new' })
    await using open = await backend.open({ namespace, nodeId: 'operator' })
    const { documents } = open
    await Promise.all([
      node.consumer(fresh).declare(),
      (await start({})).consumer(fresh).declare(),
    ])
    const found = await documents.get(key)
    t.match(decodeStart(found!.value, 'fresh'), {
      log: { position: 1, marks: [{ position: 1 }] },
      topics: { position: 1, marks: [{ position: 1 }] },
    })
    t.throws(() => decodeStart(Uint8Array.of(0xc1), 'fresh'), {
      code: 'storage-failed',
      details: { isDamaged: true },
    })
    await documents.put([startsKey, 'consumer', 'broken'], Uint8Array.of(0xc1), 0)
    const broken = defineConsumer({ name: 'broken', on: topic, startAt: 'new' })
    t.equal((await node.consumer(broken).consume({ batch: 5 })).length, 2)
  },
)

await t.test('another word is refused', async t => {
  for (const startAt of ['latest', true, null] as never[]) {
    const error = { code: 'invalid-definition', message: /use 'first' or 'new'/ }
    t.throws(() => defineConsumer({ name: 'a', on: topic, startAt }), error)
    t.throws(
      () => defineReactor({ name: 'a', on: topic, startAt, handle: () => {} }),
      error,
    )
  }
})
