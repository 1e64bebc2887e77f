// The outbox: commands to other actors and messages on topics, stored in commits and
// delivered from there.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { reject } from '../../src/actor/reject.js'
import { contract } from '../../src/actor/contract.js'
import { publish, send } from '../../src/actor/effects.js'
import type { RecordedEvent } from '../../src/model/event.js'
import { defineTopic } from '../../src/model/topic.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import type { Message } from '../../src/delivery/messages/message.js'
import type { Node } from '../../src/runtime/node.js'
import { onEachBackend } from '../support/backends.js'
import { until } from '../support/wait.js'

const moved = defineTopic('money.moved')
const noted = defineTopic('notes')

const account = defineActor({
  type: 'account',
  publishes: [moved],
  initialState: { balance: 0 },
  decide: {
    deposit: (_state, { amount }: { amount: number }) => event('deposited', { amount }),
    pay(state, { amount, to }: { amount: number; to: string }) {
      if (state.balance < amount) return reject('overdraft')
      return [
        event('paid', { amount }),
        send(contract('account'), to, 'deposit', { amount }),
        publish(moved, { amount, to }),
      ]
    },
    fan: (_state, to: string[]) => [
      event('paid', { amount: 0 }),
      ...to.map(id => send(contract('account'), id, 'deposit', { amount: 1 })),
    ],
    whisper: () => [event('paid', { amount: 0 }), publish(noted, 'undeclared')],
    mute: () => [publish(moved, 'about nothing')],
  },
  evolve: {
    deposited: (state, { amount }: { amount: number }) => ({
      balance: state.balance + amount,
    }),
    paid: (state, { amount }: { amount: number }) => ({
      balance: state.balance - amount,
    }),
  },
})

async function eventsOf(node: Node, id: string): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = []
  for await (const record of node.store.read({ type: 'account', id }))
    if (record.kind === 'event') events.push(record)
  return events
}

/** A reactor that writes down what it gets, into a list that several may share. */
function listener(name: string, topics = [moved], heard: Message[] = []) {
  const reactor = defineReactor({
    name,
    on: topics,
    handle: message => {
      heard.push(message)
    },
  })
  return { heard, reactor }
}

await onEachBackend(t, 'what actors say', async (t, scene) => {
  await t.test('a command in a commit is handled once, under its own id', async t => {
    const { start } = scene(t)
    const node = await start({ actors: [account] })
    const alice = node.spawn(account, 'alice')
    await alice.ask('deposit', { amount: 10 })
    const paid = await alice.ask('pay', { amount: 4, to: 'bob' }, { commandId: 'pay-1' })
    t.equal(paid.ok, true)
    await until(async () => (await eventsOf(node, 'bob')).length === 1, {
      describe: 'bob has it',
    })
    const [got] = await eventsOf(node, 'bob')
    t.match(got, {
      type: 'deposited',
      data: { amount: 4 },
      commandId: 'account/alice/2#0',
      causationId: 'account/alice/2#0',
      correlationId: 'pay-1',
    })
    await until(() => node.stats().courier.handled === 1, { describe: 'it is counted' })
  })

  await t.test(
    'many commands are handled in order while nodes join and leave',
    async t => {
      const { start } = scene(t)
      const nodes = [
        await start({ actors: [account] }),
        await start({ actors: [account] }),
      ]
      const ids = Array.from({ length: 6 }, (_, i) => `a${i}`)
      const sender = await start({ serve: false, actors: [account] })
      for (const id of ids)
        await sender.spawn(account, id).ask('deposit', { amount: 1000 })
      const pay = async (id: string, i: number) => {
        const to = ids[(ids.indexOf(id) + 1) % ids.length]!
        const ref = sender.spawn(account, id)
        for (let n = 1; n <= 20; n++)
          await ref.ask('pay', { amount: n, to }, { commandId: `${id}-${i}-${n}` })
      }
      const paying = Promise.all(ids.map(pay))
      await until(() => nodes.some(node => node.stats().courier.handled > 5), {
        describe: 'some are carried out',
      })
      nodes.push(await start({ actors: [account] }))
      await nodes[0]!.close()
      await paying
      const received = async (id: string) =>
        (await eventsOf(sender, id)).filter(
          ({ type, commandId }) => type === 'deposited' && commandId?.includes('#'),
        )
      for (const id of ids)
        await until(async () => (await received(id)).length >= 20, {
          describe: `${id} has all`,
          timeout: 30_000,
        })
      for (const id of ids)
        t.strictSame(
          (await received(id)).map(({ data }) => (data as { amount: number }).amount),
          Array.from({ length: 20 }, (_, i) => i + 1),
          `${id} got each once, in the order in which they were said`,
        )
    },
  )

  await t.test(
    'a message reaches every group once, including a group created later',
    async t => {
      const { start } = scene(t)
      const first = listener('first')
      const node = await start({ actors: [account], reactors: [first.reactor] })
      const alice = node.spawn(account, 'alice')
      await alice.ask('deposit', { amount: 100 })
      for (let i = 1; i <= 5; i++)
        await alice.ask('pay', { amount: i, to: 'bob' }, { correlationId: `c${i}` })
      await until(() => first.heard.length === 5, {
        describe: 'the first group has five',
      })
      const second = listener('second')
      const other = await start({ reactors: [second.reactor] })
      await until(() => other.members().length === 2, {
        describe: 'a node with nothing but reactors takes part',
      })
      await alice.ask('pay', { amount: 6, to: 'bob' })
      await until(() => second.heard.length === 6 && first.heard.length === 6, {
        describe: 'the second has all of them, too',
      })
      t.strictSame(
        second.heard.map(({ data }) => data),
        [1, 2, 3, 4, 5, 6].map(amount => ({ amount, to: 'bob' })),
      )
      t.match(second.heard[0], {
        id: 'account/alice/2#1',
        topic: 'money.moved',
        version: 1,
        actor: { type: 'account', id: 'alice' },
        correlationId: 'c1',
      })
      t.strictSame(
        first.heard.map(({ id }) => id),
        second.heard.map(({ id }) => id),
      )
    },
  )

  await t.test('two nodes of one group share the messages', async t => {
    const { start } = scene(t)
    // In one list: an actor's partition may move from one node to the other between two messages.
    const all: Message[] = []
    const [one, two] = [listener('pair', [moved], all), listener('pair', [moved], all)]
    const node = await start({ actors: [account], reactors: [one.reactor] })
    const peer = await start({ actors: [account], reactors: [two.reactor] })
    const lanesOf = (one: Node) => one.stats().reactors['pair']!.partitions
    await until(() => lanesOf(node) > 0 && lanesOf(peer) > 0, {
      describe: 'both read some lanes',
      timeout: 30_000,
    })
    const ids = Array.from({ length: 40 }, (_, i) => `a${i}`)
    await Promise.all(
      ids.map(async id => {
        const ref = node.spawn(account, id)
        await ref.ask('deposit', { amount: 3 })
        await ref.ask('pay', { amount: 1, to: 'sink' })
        await ref.ask('pay', { amount: 2, to: 'sink' })
      }),
    )
    await until(() => new Set(all.map(({ id }) => id)).size === 80, {
      describe: 'all are handled',
    })
    const handledBy = (one: Node) => one.stats().reactors['pair']!.handled
    t.ok(handledBy(node) > 0 && handledBy(peer) > 0, 'both had some')
    for (const id of ids) {
      const amounts = all
        .filter(({ actor }) => actor?.id === id)
        .map(({ data }) => (data as { amount: number }).amount)
      if (amounts.indexOf(1) > amounts.indexOf(2)) t.fail(`${id} is out of order`)
    }
  })

  await t.test(
    'messages published outside an actor keep their order per key',
    async t => {
      const { start } = scene(t)
      const { heard, reactor } = listener('readers', [noted])
      const sender = await start({ serve: false })
      const receipt = await sender.publish(noted, { n: 0 }, { id: 'm0', key: 'k' })
      t.match(receipt, { id: 'm0', position: 1, duplicate: false })
      t.type(receipt.at, 'number')
      t.match(await sender.publish(noted, { n: 0 }, { id: 'm0' }), {
        position: 1,
        duplicate: true,
      })
      for (let n = 1; n < 20; n++)
        await sender.publish(noted, { n }, { key: 'k', correlationId: 'story' })
      await start({ reactors: [reactor] })
      await until(() => heard.length === 20, { describe: 'who comes later gets all' })
      t.strictSame(
        heard.map(({ data }) => (data as { n: number }).n),
        Array.from({ length: 20 }, (_, n) => n),
      )
      t.equal(heard[1]!.correlationId, 'story')
    },
  )

  await t.test(
    'a failing message delays no others, and is handled in the end',
    async t => {
      const { start } = scene(t)
      let broken = true
      const handled: string[] = []
      const attempts: number[] = []
      const reactor = defineReactor({
        name: 'fragile',
        on: moved,
        // It must not become a dead letter, however late this test looks.
        retry: { attempts: Infinity, first: 10, max: 50 },
        handle({ actor }, { attempt }) {
          if (actor?.id === 'bad') {
            attempts.push(attempt)
            if (broken) throw new Error('not now')
          }
          handled.push(actor!.id)
        },
      })
      const node = await start({ actors: [account], reactors: [reactor] })
      for (const id of ['bad', 'good']) {
        const ref = node.spawn(account, id)
        await ref.ask('deposit', { amount: 9 })
        for (let i = 0; i < 3; i++) await ref.ask('pay', { amount: 1, to: 'sink' })
      }
      await until(() => handled.length === 3 && attempts.length > 2, {
        describe: 'the good ones are handled, and the bad one is tried',
      })
      t.strictSame(handled, ['good', 'good', 'good'])
      broken = false
      await until(() => handled.length === 6, {
        describe: 'the bad ones are handled, too',
      })
      t.strictSame(attempts.slice(0, 3), [1, 2, 3], 'attempts are counted')
      t.strictSame(attempts.slice(-2), [1, 1], 'and those behind it begin at one')
    },
  )

  await t.test(
    'commands and messages of a handler have its causes, and take effect once',
    async t => {
      const { start } = scene(t)
      let tries = 0
      const reactor = defineReactor({
        name: 'bonus',
        on: moved,
        retry: { first: 5, max: 5 },
        async handle(_message, { spawn, publish }) {
          await spawn(account, 'bonus').ask('deposit', { amount: 1 })
          await spawn(account, 'bonus').send('deposit', { amount: 2 })
          await publish(noted, 'again and again')
          if (++tries < 4) throw new Error('half way')
        },
      })
      const { heard, reactor: notes } = listener('notes', [noted])
      const node = await start({ actors: [account], reactors: [reactor, notes] })
      const alice = node.spawn(account, 'alice')
      await alice.ask('deposit', { amount: 5 })
      await alice.ask('pay', { amount: 5, to: 'bob' }, { correlationId: 'the-story' })
      await until(
        async () =>
          tries === 4 &&
          heard.length === 1 &&
          (await eventsOf(node, 'bonus')).length >= 2,
        { describe: 'all of it has happened' },
      )
      await until(() => node.stats().reactors['bonus']!.handled === 1)
      const events = await eventsOf(node, 'bonus')
      t.strictSame(
        events
          .map(({ data }) => (data as { amount: number }).amount)
          .toSorted((a, b) => a - b),
        [1, 2],
      )
      for (const { correlationId, causationId } of events)
        t.strictSame([correlationId, causationId], ['the-story', 'account/alice/2#1'])
      t.equal(heard[0]!.correlationId, 'the-story')
    },
  )

  await t.test('an undeclared or invalid entry is refused', async t => {
    const { start, namespace, backend } = scene(t)
    const node = await start({ actors: [account] })
    const alice = node.spawn(account, 'alice')
    await t.rejects(alice.ask('whisper'), {
      code: 'invalid-definition',
      message: /notes/,
    })
    await t.rejects(alice.ask('mute'), { code: 'invalid-definition', message: /event/ })
    t.equal((await alice.ask('fan', ['x', 'y', 'z'])).version, 1, 'the actor goes on')
    const many = Array.from({ length: 101 }, (_, i) => `a${i}`)
    await t.rejects(alice.ask('fan', many), {
      code: 'commit-too-large',
      message: /101 effects.*limit is 100: return fewer.*by a later command/,
    })
    const twin = defineTopic('money.moved')
    await t.rejects(
      start({
        namespace,
        store: backend,
        actors: [account],
        reactors: [listener('x', [twin]).reactor],
      }),
      { code: 'invalid-definition', message: /money\.moved/ },
    )
    const same = listener('same').reactor
    await t.rejects(start({ reactors: [same, listener('same').reactor] }), {
      code: 'invalid-definition',
      message: /same/,
    })
  })
})
