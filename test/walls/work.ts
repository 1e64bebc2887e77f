// All the kinds of work that nodes of a namespace do together.

import { defineActor } from '../../src/actor/define-actor.js'
import { contract } from '../../src/actor/contract.js'
import { cancel, publish, schedule, send } from '../../src/actor/effects.js'
import { event } from '../../src/actor/event.js'
import type { Backend } from '../../src/backend/backend.js'
import { defineConsumer } from '../../src/delivery/consumer/define-consumer.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { defineTopic } from '../../src/model/topic.js'
import { defineProjection } from '../../src/projection/define-projection.js'
import { startNode } from '../../src/runtime/start-node.js'
import { until } from '../support/wait.js'

const said = defineTopic('counter.said')

export const counter = defineActor({
  type: 'counter',
  initialState: 0,
  publishes: [said],
  decide: {
    add: (_state, by: number) => event('added', by),
    addLater: (_state, by: number) => [
      event('added', 0),
      cancel('another'),
      schedule('add', { after: 10 }, 'add', by),
    ],
    remember: () => [event('added', 0), schedule('far', { after: 3_600_000 }, 'add', 1)],
    forget: () => [event('added', 0), cancel('far')],
    say: (_state, word: string) => [event('added', 1), publish(said, word)],
    pass: (_state, to: string) => [
      event('added', 0),
      send(contract('counter'), to, 'add', 5),
    ],
  },
  evolve: { added: (state, by: number) => state + by },
})

const totals = defineProjection({
  name: 'totals',
  from: counter,
  key: ({ actor }) => actor.id,
  initial: { sum: 0 },
  when: { added: (row, { data }) => ({ sum: row.sum + data }) },
})

const erp = defineConsumer({ name: 'erp', on: said })

/** Runs three nodes of the namespace, and throws where one of them cannot do a piece of its work. */
export async function workOfNodes(
  store: Backend,
  namespace: string,
  { commits = 0 } = {},
): Promise<void> {
  const heard: string[] = []
  const reactor = defineReactor({
    name: 'listener',
    on: said,
    retry: { attempts: 1 },
    handle: ({ data }) => {
      if (data === 'poison') throw new Error('poison')
      heard.push(String(data))
    },
  })
  const start = (id: string, withActors = true) =>
    startNode({
      namespace,
      id,
      store,
      create: false,
      log: false,
      ...(withActors && {
        actors: [counter],
        reactors: [reactor],
        projections: [totals],
      }),
    })
  await using one = await start('one')
  await using two = await start('two')
  await using onlooker = await start('onlooker', false)
  await until(() => onlooker.members().length >= 2)

  // Commands from every node, notices, reading.
  let notices = 0
  await onlooker.subscribeToEventStored(() => void notices++)
  for (const id of ['a', 'b.c', 'd', 'e'])
    for (const node of [one, two, onlooker])
      mustBe((await node.spawn(counter, id).ask('add', 1)).ok, true)
  await until(() => notices >= 12)
  mustBe((await onlooker.spawn(counter, 'b.c').state()).state, 3)
  const ids = new Set<string>()
  for await (const { id } of onlooker.store.actors()) ids.add(id)
  mustBe([...ids].toSorted().join(), 'a,b.c,d,e')

  // A transaction with an actor that is only read.
  const transacted = await one.transact(async tx => {
    await tx.ask(counter, 'd', 'add', 1)
    await tx.load(counter, 'a')
    await tx.ask(counter, 'e', 'add', 1)
  })
  mustBe(transacted.ok, true)

  // Durable commands, and those of commits.
  const durable = two.spawn(counter, 'durable')
  await durable.send('add', 2)
  await one.spawn(counter, 'a').ask('pass', 'durable')
  await until(async () => (await durable.state()).state === 7)

  // Timers: set, listed, cancelled and fired.
  const later = two.spawn(counter, 'later')
  const waiting = async () => {
    const names: string[] = []
    for await (const { name } of onlooker.timers()) names.push(name)
    return names.join()
  }
  await later.ask('remember')
  await until(async () => (await waiting()) === 'far')
  await later.ask('forget')
  await until(async () => (await waiting()) === '')
  await later.ask('addLater', 7)
  await until(async () => (await later.state()).state === 7)

  // Topics, reactors, consumers and dead letters.
  await one.spawn(counter, 'a').ask('say', 'from an actor')
  await onlooker.publish(said, 'from plain code')
  await until(() => heard.length === 2)
  const consumer = onlooker.consumer(erp)
  for (let settled = 0; settled < 2;)
    for (const message of await consumer.consume({ batch: 10 })) {
      await consumer.ack(message.ackToken)
      settled++
    }
  await two.publish(said, 'poison')
  const dead = async () => {
    const letters = []
    for await (const letter of onlooker.deadLetters.list()) letters.push(letter)
    return letters
  }
  const [letter] = await until(async () => {
    const letters = await dead()
    return letters.length > 0 && letters
  })
  await onlooker.deadLetters.discard(letter!.position)
  await until(async () => (await dead()).length === 0)

  // Projections, read and built anew.
  const stored = await one.spawn(counter, 'a').ask('add', 1)
  await two.projection(totals).waitFor(stored)
  mustBe((await two.projection(totals).get('b.c'))?.sum, 3)

  // Supervision.
  const supervised = onlooker.supervise({ type: 'counter', id: 'a' })
  await supervised.pause({ by: 'test', reason: 'test' })
  await supervised.resume({ by: 'test', reason: 'test' })

  // Readings of thousands of commits.
  if (commits > 0) {
    let expected = 0
    while (expected < commits) {
      const batch = Array.from({ length: 100 }, (_, i) => i)
      await Promise.all(
        batch.map(i =>
          one.store.append({ type: 'note', id: `n${expected + i}` }, [
            { type: 'noted', data: i },
          ]),
        ),
      )
      expected += batch.length
    }
    let read = 0
    for await (const { kind } of onlooker.store.readAll()) if (kind === 'commit') read++
    mustBe(read > commits, true)
  }
}

function mustBe(is: unknown, should: unknown): void {
  if (is !== should)
    throw new Error(`it is ${String(is)} and should be ${String(should)}`)
}
