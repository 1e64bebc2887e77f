// Reactors and consumers of the events of actors, without a topic of their own.

import t from 'tap'

import { defineActor } from '../../../src/actor/define-actor.js'
import { event } from '../../../src/actor/event.js'
import { defineConsumer } from '../../../src/delivery/consumer/define-consumer.js'
import { backlogs } from '../../../src/delivery/backlog.js'
import { defineReactor } from '../../../src/delivery/reactor/define-reactor.js'
import { eventsOf } from '../../../src/delivery/messages/event-topic.js'
import { onEachBackend } from '../../support/backends.js'
import { until } from '../../support/wait.js'

const patience = { timeout: 60_000 }

interface Seen {
  readonly id: string
  readonly type: string
  readonly amount: unknown
  readonly correlationId: string | undefined
}

const account = defineActor({
  type: 'account',
  initialState: 0,
  decide: {
    deposit: (_state, amount: number) => event('deposited', amount),
    close: () => [event('interest-paid', 1), event('closed')],
  },
  evolve: {
    deposited: (sum, amount: number) => sum + amount,
    'interest-paid': (sum, amount: number) => sum + amount,
    closed: () => 0,
  },
})
const ledger = defineActor({
  type: 'ledger',
  initialState: 0,
  decide: { add: (_state, amount: number) => event('added', amount) },
  evolve: { added: (sum, amount: number) => sum + amount },
})

await onEachBackend(
  t,
  'a reactor gets every event of an actor type, from the first one on, in order per actor',
  async (t, on) => {
    const { start } = on(t)
    const seen: Seen[] = []
    const sums = defineReactor({
      name: 'sums',
      on: eventsOf(account),
      async handle({ id, data, correlationId, actor }, { spawn }) {
        t.strictSame(data.actor, actor)
        t.equal(data.id, id)
        seen.push({ id, type: data.type, amount: data.data, correlationId })
        if (data.type === 'deposited') await spawn(ledger, 'all').ask('add', data.data)
      },
    })
    const before = await start({ actors: [account, ledger] })
    await before.spawn(account, 'alice').ask('deposit', 1)
    const node = await start({ actors: [account, ledger], reactors: [sums] })
    const alice = node.spawn(account, 'alice')
    const asked = [2, 3, 4, 5].map(amount =>
      alice.ask('deposit', amount, { correlationId: `request-${String(amount)}` }),
    )
    await Promise.all([...asked, node.spawn(account, 'bob').ask('deposit', 10)])
    await alice.ask('close')
    await until(() => seen.length >= 8, patience)
    const ofAlice = seen.filter(({ id }) => id.startsWith('account/alice/'))
    t.strictSame(
      ofAlice.map(({ id }) => id),
      [1, 2, 3, 4, 5, 6, 7].map(version => `account/alice/${version}`),
    )
    t.strictSame(
      ofAlice.slice(-2).map(({ type }) => type),
      ['interest-paid', 'closed'],
    )
    t.strictSame(
      ofAlice.slice(1, 5).map(({ correlationId }) => correlationId),
      ofAlice.slice(1, 5).map(({ amount }) => `request-${String(amount)}`),
    )
    const sum = async () => (await node.spawn(ledger, 'all').state()).state
    await until(async () => (await sum()) === 25, patience)
    t.equal(seen.length, 8, 'the events of the ledger are none of its')
  },
)

await onEachBackend(
  t,
  'an event whose handler fails for good becomes a dead letter, and can be sent again',
  async (t, on) => {
    const { start, backend, namespace } = on(t)
    const handled: string[] = []
    let isBroken = true
    const mails = defineReactor({
      name: 'mails',
      on: eventsOf(account),
      retry: { attempts: 2, first: 1 },
      handle({ id, data }) {
        if (data.type === 'closed' && isBroken) throw new Error('no such address')
        handled.push(id)
      },
    })
    const node = await start({ actors: [account], reactors: [mails] })
    const alice = node.spawn(account, 'alice')
    await alice.ask('close')
    await alice.ask('deposit', 1)
    await until(() => handled.length >= 2, patience)
    t.strictSame(handled, ['account/alice/1', 'account/alice/3'])
    const letters = []
    for await (const letter of node.deadLetters.list()) letters.push(letter)
    t.strictSame(
      letters.map(({ message }) => [message.id, message.topic]),
      [['account/alice/2', 'cairn-events.account']],
    )
    t.match(letters[0]!.message.data, { type: 'closed', version: 2 })
    const open = await backend.open({ namespace, nodeId: 'looker' })
    t.teardown(() => open.close())
    const waitingAndDead = async () => {
      for await (const { source, waiting, dead } of backlogs(open))
        if (source === 'log') return [waiting, dead].join()
      return undefined
    }
    await until(async () => (await waitingAndDead()) === '0,1', patience)
    // No node handles the next events.
    await node.close()
    const later = await start({ actors: [account] })
    await later.spawn(account, 'bob').ask('close')
    t.equal(await waitingAndDead(), '2,1', 'its two events wait')
    isBroken = false
    const last = await start({ actors: [account], reactors: [mails] })
    await until(() => handled.length >= 4, patience)
    await last.deadLetters.retry(letters[0]!.position)
    await until(() => handled.length >= 5, patience)
    t.equal(handled[4], 'account/alice/2')
  },
)

await onEachBackend(
  t,
  'a consumer receives events too; publishing on their topic is rejected',
  async (t, on) => {
    const { start } = on(t)
    const erp = defineConsumer({ name: 'erp', on: eventsOf(account) })
    const node = await start({ actors: [account] })
    await node.spawn(account, 'alice').ask('deposit', 7)
    const consumer = node.consumer(erp)
    const [message] = await consumer.consume({ batch: 1, maxWait: 30_000 })
    t.equal(message?.headers['Cairn-Message'], 'account/alice/1')
    t.match(message?.payload, { type: 'deposited', data: 7 })
    await t.rejects(node.publish(eventsOf(account), undefined as never), {
      code: 'invalid-message',
      message: /events of account .*defineTopic/,
    })
  },
)
