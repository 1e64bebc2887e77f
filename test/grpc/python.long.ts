// 100,000 events through a Python reactor that is killed meanwhile, and what a command to a Python actor costs.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { pythonIsMissing } from '../support/python.js'
import { until } from '../support/wait.js'
import { pythonScene } from './python-scene.js'

const actors = 1_000
const events = Number(process.env['EVENTS'] ?? 100_000)

const local = defineActor({
  type: 'local',
  initialState: { total: 0 },
  decide: {
    add: (_, { amount }: { amount: number }) => event('added', { amount }),
  },
  evolve: {
    added: (state, { amount }: { amount: number }) => ({ total: state.total + amount }),
  },
})

await t.test(
  `${events} events reach a Python reactor, each once or told as a repeat`,
  { skip: pythonIsMissing },
  async t => {
    const { node, start, lines } = await pythonScene(t, [local], { WORK_MAX: '1000' })
    for (let stored = 0; stored < events; stored += 1_000)
      await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          node.store.append(
            { type: 'pot', id: `a${(stored / 10 + i) % actors}` },
            Array.from({ length: 10 }, () => ({ type: 'added', data: { amount: 1 } })),
          ),
        ),
      )
    const host = start()
    await host.registered(1)
    const startedAt = performance.now()
    const count = async () => (await lines('hint')).length
    await until(async () => (await count()) > events / 3, {
      timeout: 600_000,
      interval: 500,
    })
    process.kill(host.pid(), 'SIGKILL')
    const seen = () => lines('hint').then(list => new Set(list.map(({ id }) => id)))
    await until(async () => (await seen()).size >= events, {
      timeout: 600_000,
      interval: 1_000,
    })
    const seconds = (performance.now() - startedAt) / 1_000
    t.comment(
      `${Math.round(events / seconds)} events a second, its death and restart included`,
    )
    const first = new Set<string>()
    let repeats = 0
    for (const { id, isRepeat } of await lines('hint')) {
      if (first.has(id)) {
        repeats++
        if (!isRepeat) t.fail(`${id} came again and was not told as a repeat`)
      }
      first.add(id)
    }
    t.equal(first.size, events)
    t.comment(`${repeats} came again`)

    for (const type of ['local', 'pot']) {
      const ask = (id: string) => node.ask({ type, id }, 'add', { amount: 1 })
      for (let i = 0; i < 100; i++) await ask('one')
      const times: number[] = []
      for (let i = 0; i < 500; i++) {
        const before = performance.now()
        await ask('one')
        times.push(performance.now() - before)
      }
      times.sort((a, b) => a - b)
      const before = performance.now()
      const asking = Array.from({ length: 50 }, async (_, i) => {
        for (let n = 0; n < 40; n++) await ask(`many-${i}`)
      })
      await Promise.all(asking)
      const rate = 2_000 / ((performance.now() - before) / 1_000)
      t.comment(
        `${type}: p50 ${times[250]!.toFixed(2)} ms, ${Math.round(rate)} a second, 50 at a time`,
      )
    }
  },
)
