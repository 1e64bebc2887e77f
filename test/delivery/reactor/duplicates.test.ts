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
