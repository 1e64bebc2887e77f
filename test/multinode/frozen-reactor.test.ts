// A process that is frozen until the others have given it up, and goes on: it finds that its partitions were taken before
// it handles, as the first, what the next owner has handled.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { startNode as startHere } from '../../src/runtime/start-node.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { startNode } from './harness.js'

interface Attempt {
  readonly pid: number
  /** Of the message. */
  readonly id: string
  readonly mayBeRepeat: boolean
  readonly epoch: number
}

const patience = { timeout: 120_000 }
t.setTimeout(300_000)

await t.test('at most one attempt is told that it is the first', async t => {
  await using server = await startNats()
  const namespace = 'frozen-reactor'
  const file = join(t.testdir({ attempts: '' }), 'attempts')
  process.env.ATTEMPTS_FILE = file
  const flags = ['--ns', namespace, '--nats', server.url]
  const actors = ['--actors', 'test/support/actors/recording.mjs']
  const store = jetstream({ servers: server.url })
  await using looker = await startHere({ namespace, store })
  const attempts = () =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Attempt)
  const orders = Array.from({ length: 32 }, (_, i) => ({ type: 'order', id: `o${i}` }))
  const versions = new Map<string, number>()
  const append = async () => {
    for (const actor of orders) {
      const appended = await looker.store.append(actor, [{ type: 'placed', data: 'x' }])
      if (appended.ok) versions.set(actor.id, appended.version)
    }
  }
  const areHandled = () => {
    const ids = new Set(attempts().map(({ id }) => id))
    return orders.every(({ id }) => {
      const last = versions.get(id)!
      return Array.from({ length: last }, (_, i) => i + 1).every(version =>
        ids.has(`order/${id}/${version}`),
      )
    })
  }

  await using one = await startNode(...flags, ...actors, '--id', 'one')
  await using two = await startNode(...flags, ...actors, '--id', 'two')
  await append()
  await until(areHandled, patience)
  await until(async () => {
    await append()
    return new Set(attempts().map(({ pid }) => pid)).size === 2
  }, patience)

  process.kill(one.pid, 'SIGSTOP')
  await append()
  await until(areHandled, { describe: 'the other has taken over', ...patience })
  const before = attempts().length
  process.kill(one.pid, 'SIGCONT')
  await append()
  await until(areHandled, patience)
  await until(async () => {
    await append()
    return attempts()
      .slice(before)
      .some(({ pid }) => pid === one.pid)
  }, patience)

  const firsts = new Map<string, number>()
  for (const { id, mayBeRepeat } of attempts())
    if (!mayBeRepeat) firsts.set(id, (firsts.get(id) ?? 0) + 1)
  const twice = [...firsts].filter(([, count]) => count > 1)
  t.strictSame(twice, [], 'no message is handled as the first time twice')
  const ofOne = attempts().filter(({ pid }) => pid === one.pid)
  const epochs = new Set(ofOne.map(({ epoch }) => epoch))
  t.ok(epochs.size > 1, 'the frozen one has higher tokens when it is an owner again')
  t.equal(await two.stop(), 0)
  t.equal(await one.stop(), 0)
})
