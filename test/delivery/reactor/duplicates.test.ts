// A message is handled again long after the first time: the commands of its handler take effect once.

import t from 'tap'

import { defineActor } from '../../../src/actor/define-actor.js'
import { event } from '../../../src/actor/event.js'
import { defineTopic } from '../../../src/model/topic.js'
import { defineReactor } from '../../../src/delivery/reactor/define-reactor.js'
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
