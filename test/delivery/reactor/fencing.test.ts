// The fencing tokens of handlers: their epoch grows with each owner of the partition, whatever happens to its checkpoint.

import t from 'tap'

import { defineActor } from '../../../src/actor/define-actor.js'
import { event } from '../../../src/actor/event.js'
import {
  defineReactor,
  type FencingToken,
} from '../../../src/delivery/reactor/define-reactor.js'
import { eventsOf } from '../../../src/delivery/messages/event-topic.js'
import { onEachBackend } from '../../support/backends.js'
import { until } from '../../support/wait.js'

const patience = { timeout: 60_000 }

const account = defineActor({
  type: 'account',
  initialState: 0,
  decide: { deposit: (_state, amount: number) => event('deposited', amount) },
  evolve: { deposited: (sum, amount: number) => sum + amount },
})

await onEachBackend(
  t,
  'the token of a later owner is higher, also after its checkpoint was lost',
  async (t, on) => {
    const { start, backend, namespace } = on(t)
    const tokens: FencingToken[] = []
    const reactor = defineReactor({
      name: 'r',
      on: eventsOf(account),
      handle: (_message, { fencingToken }) => void tokens.push(fencingToken),
    })
    const options = { actors: [account], reactors: [reactor] }
    const deposit = async (times: number) => {
      const node = await start(options)
      const before = tokens.length
      let last = 0
      for (let i = 0; i < times; i++)
        last = (await node.spawn(account, 'alice').ask('deposit', 1)).position
      await until(() => tokens.at(-1)?.position === last, patience)
      await node.close()
      return tokens.slice(before)
    }
    const first = await deposit(2)
    t.strictSame(new Set(first.map(({ epoch }) => epoch)).size, 1)
    t.ok(first[0]!.position < first[1]!.position)
    const [second] = await deposit(1)
    t.equal(second!.epoch, first[0]!.epoch + 1)

    await using open = await backend.open({ namespace, nodeId: 'test' })
    const { documents } = open
    for (const key of await documents.list(['reactor', 'r', 'log']))
      await documents.remove(key, (await documents.get(key))!.revision)
    const third = await deposit(1)
    t.ok(third.every(({ epoch }) => epoch > second!.epoch))
  },
)
