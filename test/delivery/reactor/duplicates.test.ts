// A message is handled again long after the first time: the commands of its handler take effect once.

import t from 'tap'

import { defineActor } from '../../../src/actor/define-actor.js'
import { event } from '../../../src/actor/event.js'
import { defineTopic } from '../../../src/model/topic.js'
import { defineReactor } from '../../../src/delivery/reactor/define-reactor.js'
import { memory } from '../../../src/backend/memory.js'
import { startNode } from '../../../src/runtime/start-node.js'
import { onEachBackend } from '../../support/backends.js'
import { until } from '../../support/wait.js'

const paid = defineTopic('paid')
/** It keeps the ids of its last two commands in memory, and no others. */
const ledger = defineActor({
  type: 'ledger',
  commandWindow: { commands: 2 },
  initialState: 0,
  decide: { add: (_sum, amount: number) => event('added', amount) },
  evolve: { added: (sum, amount: number) => sum + amount },
})

for (const way of ['ask', 'send'] as const)
  await onEachBackend(
    t,
    `a dead letter that is sent again after its command has left the window takes effect once, by ${way}`,
    async (t, on) => {
      const { start } = on(t)
      let isBroken = true
      const books = defineReactor({
        name: 'books',
        on: paid,
        retry: { attempts: 1 },
        async handle({ data }, { spawn }) {
          const ref = spawn(ledger, 'all')
          await (way === 'ask'
            ? ref.ask('add', data as number)
            : ref.send('add', data as number))
          if (isBroken) throw new Error('the printer is out of paper')
        },
      })
      const node = await start({ actors: [ledger], reactors: [books] })
      const all = node.spawn(ledger, 'all')
      const sum = async () => (await all.state()).state
      await node.publish(paid, 100)
      await until(async () => (await sum()) === 100)
      for (let i = 0; i < 10; i++) await all.ask('add', 1)
      const letters = async () => {
        const found = []
        for await (const letter of node.deadLetters.list()) found.push(letter)
        return found
      }
      await until(async () => (await letters()).length === 1)
      isBroken = false
      const handled = () => node.stats().reactors['books']!.handled
      const before = handled()
      await node.deadLetters.retry((await letters())[0]!.position)
      await until(() => handled() > before)
      // After the commands of this attempt.
      await until(() => node.stats().inbox.open === 0)
      await all.ask('add', 1)
      t.equal(await sum(), 111)
    },
  )

await t.test('options that are undefined are as those that are left out', async t => {
  const told = defineTopic('told')
  const ids: string[] = []
  const links: (string | undefined)[] = []
  const all = { commandId: undefined, correlationId: undefined, timeout: undefined }
  const none = { id: undefined, key: undefined, correlationId: undefined }
  const books = defineReactor({
    name: 'books',
    on: paid,
    retry: { attempts: 2, first: 1 },
    async handle({ data }, { spawn, publish, attempt }) {
      const ref = spawn(ledger, 'all')
      const { commandId } = await ref.ask('add', data as number, all)
      await ref.send('add', data as number, all)
      await publish(told, attempt, none)
      ids.push(commandId)
      if (attempt === 1) throw new Error('the printer is out of paper')
    },
  })
  const heard = defineReactor({
    name: 'heard',
    on: told,
    handle: ({ correlationId }) => void links.push(correlationId),
  })
  const store = memory()
  const options = { namespace: 'undefined-options', store, log: undefined, id: undefined }
  const node = await startNode({ ...options, actors: [ledger], reactors: [books, heard] })
  t.teardown(() => node.close())
  await node.publish(paid, 100, { id: 'p-1', correlationId: 'shop-1' })
  await node.settled()
  t.equal(ids.length, 2)
  t.equal(ids[0], ids[1], 'the second attempt sends the same command')
  t.equal((await node.spawn(ledger, 'all').state()).state, 200, 'once each')
  t.strictSame(links, ['shop-1'], 'the message is stored once, with its cause')
})

await onEachBackend(
  t,
  'calls of a second attempt are those of the first by receiver and name, in whatever order they come',
  async (t, on) => {
    const { start } = on(t)
    const rung = defineTopic<string>('rung')
    const box = defineActor({
      type: 'box',
      initialState: { put: 0, counted: 0, closed: 0 },
      decide: {
        put: () => event('put'),
        count: () => event('counted'),
        close: () => event('closed'),
      },
      evolve: {
        put: state => ({ ...state, put: state.put + 1 }),
        counted: state => ({ ...state, counted: state.counted + 1 }),
        closed: state => ({ ...state, closed: state.closed + 1 }),
      },
    })
    const heard: string[] = []
    let attempts = 0
    const filler = defineReactor({
      name: 'filler',
      on: paid,
      retry: { attempts: 2, first: 1 },
      async handle(_message, { spawn, publish }) {
        const isFirst = ++attempts === 1
        // One has left before the second attempt, and the others come the other way round.
        const ids = isFirst ? ['a', 'b', 'c', 'd'] : ['d', 'c', 'a']
        const fill = async (id: string) => {
          const { duplicate } = await spawn(box, id).ask('put')
          t.equal(duplicate, !isFirst)
          await spawn(box, id).send('count')
        }
        if (isFirst) for (const id of ids) await fill(id)
        else await Promise.all(ids.map(fill))
        if (isFirst) {
          await publish(rung, 'begun')
          throw new Error('the box is stuck')
        }
        // What the first attempt did not come to.
        t.equal((await spawn(box, 'a').ask('close')).duplicate, false)
        await publish(paidAgain, 'done')
        await publish(rung, 'again, by another text')
      },
    })
    const paidAgain = defineTopic<string>('paid-again')
    const listener = defineReactor({
      name: 'listener',
      on: [rung, paidAgain],
      handle: ({ data }) => void heard.push(data),
    })
    const node = await start({ actors: [box], reactors: [filler, listener] })
    await node.publish(paid, 1)
    await until(() => node.stats().reactors['filler']!.handled === 1)
    await until(() => node.stats().inbox.open === 0 && heard.length === 2)
    await node.settled()
    const states = await Promise.all(
      ['a', 'b', 'c', 'd'].map(async id => (await node.spawn(box, id).state()).state),
    )
    t.strictSame(states, [
      { put: 1, counted: 1, closed: 1 },
      { put: 1, counted: 1, closed: 0 },
      { put: 1, counted: 1, closed: 0 },
      { put: 1, counted: 1, closed: 0 },
    ])
    t.strictSame(heard.toSorted(), ['begun', 'done'])
  },
)

await t.test(
  'names of commands of any length and with any sign are part of ids',
  async t => {
    const names = ['>#', 'é'.repeat(128), 'a.0', '%']
    const odd = defineActor({
      type: 'odd',
      initialState: 0,
      decide: Object.fromEntries(names.map(name => [name, () => event('done')])),
      evolve: { done: (count: number) => count + 1 },
    })
    const ids: string[] = []
    const caller = defineReactor({
      name: 'caller',
      on: paid,
      async handle(_message, { spawn }) {
        for (const name of names)
          ids.push((await spawn(odd, 'o').ask(name, undefined as never)).commandId)
      },
    })
    await using node = await startNode({
      namespace: 'odd',
      store: memory(),
      actors: [odd],
      reactors: [caller],
    })
    await node.publish(paid, 1, { id: 'm' })
    await until(() => ids.length === names.length)
    t.match(ids[0], 'paid:m>caller#%3E%23.0')
    t.match(ids[1], /^paid:m>caller#sha256:[0-9a-f]{32}\.0$/)
    t.match(ids[2], 'paid:m>caller#a.0.0')
    t.equal(new Set(ids).size, names.length)
  },
)
