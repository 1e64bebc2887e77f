// cairn repair: what is damaged beside the log is listed, and repaired.

import { connect } from 'nats'
import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { publish, schedule } from '../../src/actor/effects.js'
import { event } from '../../src/actor/event.js'
import type { Timer } from '../../src/model/timer.js'
import { defineTopic } from '../../src/model/topic.js'
import { startNode } from '../../src/runtime/start-node.js'
import { encode } from '../../src/codec/msgpack.js'
import { collect } from '../contract/store/support.js'
import { cairn } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { type Home, homesOf, isRefused, jsonLines } from './support.js'

const due = Date.UTC(2099, 0, 1)
const noted = defineTopic('noted')
const pen = defineActor({
  type: 'pen',
  publishes: [noted],
  initialState: 0,
  decide: {
    write: () => [
      event('wrote'),
      publish(noted, 'x'),
      schedule('later', { at: due }, 'write'),
    ],
  },
  evolve: { wrote: n => n + 1 },
})

await using server = await startNats()
const homes = homesOf(server, t.testdir())

/** Three actors with a timer each. */
async function filled(namespace: string, { store }: Home) {
  const node = await startNode({ namespace, store, actors: [pen] })
  for (const id of ['a', 'b', 'c']) await node.spawn(pen, id).ask('write')
  await until(() => node.stats().courier.handled === 3, { timeout: 60_000 })
  await node.close()
}

for (const home of homes)
  await t.test(`cairn repair on ${home.name}`, async t => {
    const namespace = 'damaged'
    const repair = (...args: string[]) =>
      cairn('repair', '--ns', namespace, ...home.flags, ...args)
    isRefused(t, await repair(), { code: 1, says: /There is no namespace "damaged"/ })

    await filled(namespace, home)
    const healthy = await repair()
    t.match(healthy, { code: 0, stdout: '' }, healthy.stderr)
    t.match(healthy.stderr, 'Nothing is damaged beside the log.')

    const open = await home.store.open({ namespace, nodeId: 'test' })
    t.teardown(() => open.close())
    const damaged = [
      'courier.3',
      'reactor.r.log.1',
      'consumer.erp',
      'topics.noted',
      'readers.r',
      'projection.p',
      'publishers',
      'minimum-versions',
    ]
    for (const name of damaged) {
      const key = name.split('.')
      const { revision = 0 } = (await open.documents.get(key)) ?? {}
      await open.documents.put(key, Buffer.from('garbage'), revision)
    }
    const [lost] = (await collect(open.timers.list())) as [Timer]
    await open.timers.cancel(lost.actor, lost.name, lost.generation + 1)

    const dry = await repair('--dry-run', '--json')
    t.equal(dry.code, 0, dry.stderr)
    const found = jsonLines(dry)
    const places = found.map(({ place }) => place)
    t.ok(
      damaged.every(name => places.includes(`document ${name}`)),
      places.join('\n'),
    )
    t.ok(found.every(({ state }) => state === 'found'))
    t.match(dry.stderr, / would be repaired; 0 left as they are/)
    t.equal((await collect(open.timers.list())).length, 2, 'nothing is changed')
    t.ok(await open.documents.get(['consumer', 'erp']))

    const repaired = await repair()
    t.equal(repaired.code, 0, repaired.stderr)
    t.match(
      repaired.lines.join('\n'),
      /document consumer\.erp {2}is damaged {2}repaired: remove it/,
    )
    t.equal(await open.documents.get(['consumer', 'erp']), undefined)
    // The document of the courier was lost with the rest: whether it has set the timer was not known.
    const again = await repair()
    t.equal(again.code, 0, again.stderr)

    const key = ['consumer', 'newer']
    await open.documents.put(key, encode({ version: 99 }), 0)
    const left = await repair('--json')
    t.equal(left.code, 1, left.stderr)
    t.match(jsonLines(left), [{ place: 'document consumer.newer', state: 'left' }])
    t.ok(await open.documents.get(key), 'it is left')
    isRefused(t, await repair('more'), { code: 2, says: /one argument too many/ })
  })

await t.test('cairn repair makes missing streams again', async t => {
  const [home] = homes as [Home]
  const namespace = 'missing'
  const repair = (...args: string[]) =>
    cairn('repair', '--ns', namespace, ...home.flags, ...args)
  await filled(namespace, home)
  const nc = await connect({ servers: server.url })
  t.teardown(() => nc.close())
  const { streams } = await nc.jetstreamManager()
  const lost = ['_INBOX', '_TIMERS'].map(suffix => `CAIRN_${namespace}${suffix}`)
  lost.push(`KV_CAIRN_${namespace}_GROUPS`)
  for (const stream of lost) await streams.delete(stream)

  const dry = await repair('--dry-run', '--json')
  t.equal(dry.code, 0, dry.stderr)
  t.match(
    jsonLines(dry).map(({ place }) => place),
    [...lost, lost[1]],
    'and the timers',
  )
  for (const stream of lost) await t.rejects(streams.info(stream), 'nothing is made')
  const repaired = await repair()
  t.equal(repaired.code, 0, repaired.stderr)
  t.match(repaired.lines.join('\n'), /3 timers are missing {2}repaired: set them again/)
  const open = await home.store.open({ namespace, nodeId: 'test' })
  t.teardown(() => open.close())
  t.equal((await collect(open.timers.list())).length, 3)
  const { state } = await streams.info(lost[0]!)
  t.ok(state.last_seq > 1_000_000, 'positions are beyond those of the lost stream')
  t.match(await repair(), { code: 0, stdout: '' })

  const nowhere = await cairn('repair', '--ns', namespace, '--nats', 'nats://127.0.0.1:1')
  isRefused(t, nowhere, { code: 3, says: /Cannot connect/ })
})
