// Foreign commits: another program publishes to an actor's subject without an expectation, on a real server. The owner
// notices by the server's own notice, before any command, and an operator ends it.

import { connect, headers as newHeaders } from 'nats'
import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { encodeCommit } from '../../src/codec/envelope.js'
import { logSubject } from '../../src/nats/subjects.js'
import { startNode } from '../../src/runtime/start-node.js'
import { pinoLines } from '../machine/support.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

const tally = defineActor({
  type: 'tally',
  initialState: 0,
  decide: { add: (_state, by: number) => event('added', by) },
  evolve: { added: (state, by: number) => state + by },
})
const actor = { type: 'tally', id: 'votes' }

await t.test(
  'the owner notices a foreign commit, and an operator removes it',
  async t => {
    await using server = await startNats()
    const { log, lines } = pinoLines()
    const store = jetstream({ servers: server.url })
    const common = { namespace: 'walls', store, actors: [tally], log }
    await using one = await startNode({ ...common, id: 'one' })
    const votes = one.spawn(tally, 'votes')
    for (const by of [1, 2, 3, 4]) await votes.ask('add', by)
    const nc = await connect({ servers: server.url })
    t.teardown(() => nc.close())
    const js = nc.jetstream()
    const lineOf = ({ headers }: ReturnType<typeof encodeCommit>) => {
      const list = newHeaders()
      for (const [name, value] of headers) list.append(name, value)
      return list
    }
    const forged = encodeCommit({
      id: 'forged',
      actor,
      firstVersion: 2,
      events: [
        { type: 'added', data: 50 },
        { type: 'added', data: 60 },
      ],
      at: 1,
      nodeId: 'elsewhere',
    })
    const { seq } = await js.publish(logSubject('walls', actor, 16), forged.body, {
      headers: lineOf(forged),
    })
    const stats = () => one.stats().actors
    await until(async () => stats().discontinuities === 1, { timeout: 60_000 })
    t.equal(stats().parked, 1, 'without any command')
    const parked = {
      code: 'actor-parked',
      message: new RegExp(
        `position ${seq} has versions 2 to 3, and version 5 was expected`,
      ),
    }
    await t.rejects(votes.ask('add', 5), parked)
    const told = lines().filter(({ msg }) => msg.includes(`position ${seq}`))
    t.equal(told.length, 1, 'it is logged once')
    t.match(told, [{ level: 50 }])
    await t.rejects(
      one.supervise(actor).skip({ by: 'ann' }),
      parked,
      'its versions are those of other events, so they cannot be skipped',
    )

    const cold = await startNode({ ...common, id: 'two' })
    t.teardown(() => cold.close())
    await t.rejects(cold.state(actor), parked, 'a node that wakes it later')

    const jsm = await nc.jetstreamManager()
    await jsm.streams.deleteMessage('CAIRN_walls', seq)
    await one.supervise(actor).retry({ by: 'ann', reason: 'removed the foreign record' })
    await until(
      async () => (await votes.ask('add', 5).catch(() => undefined))?.ok === true,
      {
        timeout: 60_000,
      },
    )
    t.match(await votes.state(), { state: 15, version: 5, exists: true })
  },
)
