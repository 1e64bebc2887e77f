// Long-running handlers and retry delays during interruptions: repeated reads, new members, a server restart.

import t, { type Test } from 'tap'

import { defineActor } from '../../../src/actor/define-actor.js'
import { event } from '../../../src/actor/event.js'
import type { Backend } from '../../../src/backend/backend.js'
import { jetstream } from '../../../src/backend/jetstream.js'
import { newId } from '../../../src/model/id.js'
import { deferred } from '../../../src/model/wait.js'
import { defineReactor } from '../../../src/delivery/reactor/define-reactor.js'
import { eventsOf } from '../../../src/delivery/messages/event-topic.js'
import {
  decodePartitionState,
  type DeferredKey,
} from '../../../src/delivery/group/partition-state.js'
import type { NodeOptions } from '../../../src/runtime/options.js'
import { startNode } from '../../../src/runtime/start-node.js'
import { startNats } from '../../support/nats.js'
import { observed } from '../../support/observed-backend.js'
import { until } from '../../support/wait.js'

const patience = { timeout: 60_000 }
t.setTimeout(240_000)

const trip = defineActor({
  type: 'trip',
  initialState: 0,
  decide: { drive: (_state, km: number) => event('driven', km) },
  evolve: { driven: sum => sum + 1 },
})
const other = defineActor({
  type: 'other',
  initialState: 0,
  decide: { be: () => event('been') },
  evolve: { been: state => state + 1 },
})

interface Seen {
  readonly id: string
  readonly attempt: number
  readonly at: number
}

async function scene(t: Test) {
  const server = await startNats()
  t.teardown(() => server[Symbol.asyncDispose]())
  const namespace = `i-${newId().slice(0, 8)}`
  const backend = jetstream({ servers: server.url })
  const start = async (options: Partial<NodeOptions>, store: Backend = backend) => {
    const node = await startNode({ namespace, store, ...options })
    t.teardown(() => node.close())
    return node
  }
  return { server, namespace, backend, start }
}

await t.test('a message is not redelivered while its slow handler runs', async t => {
  const { server, backend, start } = await scene(t)
  const watched = observed(backend)
  const gate = deferred<void>()
  t.teardown(() => gate.resolve())
  const seen: Seen[] = []
  const reactor = defineReactor({
    name: 'slow',
    on: eventsOf(trip),
    timeout: Infinity,
    async handle({ id }, { attempt }) {
      seen.push({ id, attempt, at: Date.now() })
      if (id === 'trip/slow/1') await gate.promise
    },
  })
  const node = await start({ actors: [trip], reactors: [reactor] }, watched.backend)
  const drive = (id: string, commandId: string) =>
    node
      .spawn(trip, id)
      .ask('drive', 1, { commandId })
      .catch(() => undefined)
  const handled = (count: number) => () => node.stats().reactors['slow']!.handled >= count
  await drive('slow', 'slow-1')
  await drive('slow', 'slow-2')
  for (let i = 0; i < 50; i++) await drive(`t${i}`, 'a')
  await until(handled(50), { describe: 'the others go on', ...patience })
  // The log is polled even without a notice.
  const looks = watched.counts.lastPosition
  await until(() => watched.counts.lastPosition > looks, patience)
  // Members change, so partitions may too: the source is read again.
  const second = await start({ actors: [other] })
  await until(() => node.members().length === 2, patience)
  await second.close()
  // Every client reconnects.
  await server.restart()
  await until(() => drive('t0', 'after the restart'), patience)
  await until(handled(51), { describe: 'it goes on', ...patience })
  t.strictSame(
    seen.filter(({ id }) => id.startsWith('trip/slow/')).map(({ id }) => id),
    ['trip/slow/1'],
    'it was started once, and the messages after it wait',
  )
  gate.resolve()
  await until(handled(53), patience)
  const ids = seen.map(({ id }) => id)
  t.equal(new Set(ids).size, ids.length, 'each is handled once')
  t.ok(seen.every(({ attempt }) => attempt === 1))
  t.equal(ids.at(-1), 'trip/slow/2', 'in order')
})

await t.test(
  'a server restart during a retry delay keeps the attempts and the delay, and loses nothing',
  async t => {
    const { server, namespace, backend, start } = await scene(t)
    const seen: Seen[] = []
    const make = () =>
      defineReactor({
        name: 'mails',
        on: eventsOf(trip),
        retry: { attempts: 5, kind: 'fixed', first: 2_000 },
        handle({ id }, { attempt }) {
          seen.push({ id, attempt, at: Date.now() })
          if (id === 'trip/a/1' && attempt < 3) throw new Error('not yet')
        },
      })
    const failing = async (attempts: number): Promise<DeferredKey> => {
      await using open = await backend.open({ namespace, nodeId: 'looker' })
      return await until(
        async () => {
          for (const key of await open.documents.list(['reactor', 'mails', 'log'])) {
            const found = await open.documents.get(key)
            const state = found && decodePartitionState(found.value, key.join('.'))
            const one = state?.deferred.find(held => held.attempts === attempts)
            if (one !== undefined) return one
          }
          return undefined
        },
        { describe: `attempt ${attempts} is written down`, ...patience },
      )
    }
    const first = await start({ actors: [trip], reactors: [make()] })
    for (const id of ['a', 'a', 'b']) await first.spawn(trip, id).ask('drive', 1)
    const one = await failing(1)
    await server.restart()
    // The same process waits during the restart.
    const two = await failing(2)
    await server.restart()
    // Another process does too.
    await first.close()
    await start({ actors: [trip], reactors: [make()] })
    await until(() => seen.some(({ id }) => id === 'trip/a/2'), patience)
    const attempts = seen.filter(({ id }) => id === 'trip/a/1')
    t.strictSame(
      attempts.map(({ attempt }) => attempt),
      [1, 2, 3],
    )
    // Timers and clocks may differ slightly.
    t.ok(attempts[1]!.at >= one.nextAt - 10, 'the second is not tried before its time')
    t.ok(attempts[2]!.at >= two.nextAt - 10, 'nor is the third')
    t.ok(one.nextAt - one.firstAt >= 2_000)
    t.strictSame(
      seen.filter(({ id }) => id === 'trip/b/1').length,
      1,
      'the others are handled once',
    )
  },
)
