// cairn timers: pending timers are listed with no node running.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { schedule } from '../../src/actor/effects.js'
import { startNode } from '../../src/runtime/start-node.js'
import { cairn } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { homesOf, jsonLines } from './support.js'

const due = Date.UTC(2099, 0, 1)

const meter = defineActor({
  type: 'meter',
  initialState: 0,
  decide: {
    start: () => [
      event('started'),
      schedule('once', { at: due, late: 'skip' }, 'sample', { n: 1 }),
      schedule('again', { at: due, every: 60_000 }, 'sample'),
    ],
    sample: () => event('sampled'),
  },
  evolve: { started: n => n, sampled: n => n + 1 },
})

await using server = await startNats()
const dir = t.testdir()
const homes = homesOf(server, dir)

for (const { name, store, flags } of homes)
  await t.test(`cairn timers on ${name}`, async t => {
    const timers = (...args: string[]) =>
      cairn('timers', '--ns', 'listed', ...flags, ...args)
    t.match(await timers(), { code: 1, stderr: /no namespace "listed"/ })
    await cairn('namespaces', 'create', 'listed', ...flags)
    t.match(await timers(), {
      code: 0,
      stdout: '',
      stderr: 'No timer is set in this namespace.\n',
    })

    const node = await startNode({ namespace: 'listed', store, actors: [meter] })
    t.teardown(() => node.close())
    await node.spawn(meter, 'm 1').ask('start')
    await node.spawn(meter, 'm2').ask('start')
    await until(() => node.stats().courier.handled === 2, { timeout: 60_000 })
    await node.close()

    const all = await timers()
    t.equal(all.code, 0, all.stderr)
    t.strictSame(all.lines.sort(), [
      '2099-01-01T00:00:00.000Z  meter/m 1  again  sample  null  every 60000 ms',
      '2099-01-01T00:00:00.000Z  meter/m 1  once  sample  {"n":1}',
      '2099-01-01T00:00:00.000Z  meter/m2  again  sample  null  every 60000 ms',
      '2099-01-01T00:00:00.000Z  meter/m2  once  sample  {"n":1}',
    ])
    const one = await timers('meter/m2', '--json')
    const common = {
      actor: 'meter/m2',
      due: '2099-01-01T00:00:00.000Z',
      command: 'sample',
    }
    t.strictSame(jsonLines<{ name: string }>(one).sort(byName), [
      { ...common, name: 'again', data: null, every: 60_000, occurrence: 0 },
      { ...common, name: 'once', data: { n: 1 }, skipAfter: 10_000 },
    ])
    const wrong = await timers('nonsense')
    t.equal(wrong.code === 0, false)
    t.match(wrong.stderr, /nonsense/)
  })

function byName(one: { name: string }, other: { name: string }): number {
  return one.name.localeCompare(other.name)
}
