// The process that builds a projection is killed, again and again, over a few thousand events: the
// rows equal the fold of the log in the end, event for event.

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { embedded } from '../../src/backend/embedded.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { newId } from '../../src/model/id.js'
import { defineProjection } from '../../src/projection/define-projection.js'
import { startNode } from '../../src/runtime/start-node.js'
import { run } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

const patience = { timeout: 60_000 }
const events = 2_000
const deaths = 3

const account = defineActor({
  type: 'account',
  initialState: 0,
  decide: { deposit: (_state, amount: number) => event('deposited', amount) },
  evolve: { deposited: (state, amount: number) => state + amount },
})
const sums = defineProjection({
  name: 'sums',
  from: account,
  initial: { sum: 0, count: 0 },
  when: {
    deposited: ({ sum, count }, { data }) => ({ sum: sum + data, count: count + 1 }),
  },
})

await using server = await startNats()
const dir = t.testdir()
const homes = [
  {
    name: 'JetStream',
    store: jetstream({ servers: server.url }),
    where: { servers: server.url },
  },
  { name: 'the embedded store', store: embedded({ dir }), where: { dir } },
]

for (const { name, store, where } of homes)
  await t.test(`its process is killed while it builds, on ${name}`, async t => {
    const namespace = `dead-${newId().slice(0, 8)}`
    const journal = join(t.testdir(), 'journal')
    await writeFile(journal, '')
    const lines = async () => (await readFile(journal, 'utf8')).split('\n').length
    const build = (i: number) => {
      const options = { ...where, namespace, id: `builder-${i}`, journal }
      const program = run([
        'test/support/programs/projecting.mjs',
        JSON.stringify(options),
      ])
      t.teardown(() => program.child.kill('SIGKILL'))
      return program
    }
    await using node = await startNode({ namespace, store, actors: [account] })
    // Two at a time: one builds, and the next one is there to take over.
    let [current, next] = [build(0), build(1)]
    const expected = new Map<string, { sum: number; count: number }>()
    let last = 0
    let killed = 0
    const deposit = async (n: number) => {
      const id = `a${n % 11}`
      const told = await node.spawn(account, id).ask('deposit', n)
      last = Math.max(last, told.position)
      const { sum, count } = expected.get(id) ?? { sum: 0, count: 0 }
      expected.set(id, { sum: sum + n, count: count + 1 })
    }
    const killAll = async () => {
      for (; killed < deaths; killed++) {
        const before = await lines()
        await until(async () => (await lines()) >= before + 2, patience)
        current.child.kill('SIGKILL')
        await current.ended
        ;[current, next] = [next, build(killed + 2)]
      }
    }
    const depositAll = async () => {
      for (let n = 0; n < events || killed < deaths; n += 20)
        await Promise.all(Array.from({ length: 20 }, (_, i) => deposit(n + i)))
    }
    await Promise.all([depositAll(), killAll()])

    const reader = node.projection(sums)
    await reader.waitFor(last, patience)
    for (const [id, sum] of expected) t.strictSame(await reader.get(id), sum, id)
    const { builds } = await reader.status()
    t.match(builds, [{ state: 'live', number: 1 }], 'one build throughout')
    for (const { child, ended } of [current, next]) {
      child.kill('SIGTERM')
      await ended
    }
    t.comment(`${last} commits, ${killed} deaths`)
  })
