// Timers through deaths: of the node that set them, of all nodes, and of the server.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'

import type { Backend } from '../../src/backend/backend.js'
import { embedded } from '../../src/backend/embedded.js'
import { jetstream } from '../../src/backend/jetstream.js'
import type { Node } from '../../src/runtime/node.js'
import { startNode as startHere } from '../../src/runtime/start-node.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { startNode } from './harness.js'

const patience = { timeout: 60_000 }
const program = ['--actors', 'test/support/actors/reminders.mjs']
const idsOf = (prefix: string) => Array.from({ length: 12 }, (_, i) => `${prefix}${i}`)

/** Looks on, and sends commands to whichever node is there. */
async function onlookerOf(t: Test, namespace: string, store: Backend) {
  const node = await startHere({ namespace, store })
  t.teardown(() => node.close())
  const eventsOf = async (id: string): Promise<string[]> => {
    const events: string[] = []
    for await (const stored of node.store.read({ type: 'reminder', id }))
      if (stored.kind === 'event') events.push(`${stored.type} ${stored.data as string}`)
    return events
  }
  const waiting = async () => {
    let count = 0
    for await (const _ of node.timers()) count++
    return count
  }
  /** Waits until the timer of each is set: it waits, or on a slow machine it has fired by now. */
  const allSet = async (ids: readonly string[]) => {
    const fired = async () => {
      const events = await Promise.all(ids.map(eventsOf))
      return events.filter(({ length }) => length > 1).length
    }
    await until(async () => (await waiting()) + (await fired()) >= ids.length, {
      describe: 'all timers are set',
      ...patience,
    })
  }
  return { node, eventsOf, waiting, allSet }
}

async function set(node: Node, ids: readonly string[], at: number): Promise<void> {
  await until(() => node.members().length > 0, {
    describe: 'a node is seen',
    ...patience,
  })
  for (const id of ids)
    await node.ask({ type: 'reminder', id }, 'set', { name: 'deadline', at }, patience)
}

await t.test('the owner and the server die between set and due', async t => {
  await using server = await startNats()
  const store = jetstream({ servers: server.url })
  const flags = ['--ns', 'deaths', '--nats', server.url, ...program]
  const { node, eventsOf, waiting, allSet } = await onlookerOf(t, 'deaths', store)
  await using first = await startNode(...flags, '--id', 'first')

  await t.test('and another node fires each timer once', async t => {
    const ids = idsOf('a')
    await set(node, ids, Date.now() + 3_000)
    await allSet(ids)
    await using second = await startNode(...flags, '--id', 'second')
    await first.kill()
    await server.kill()
    await server.restart()
    for (const id of ids)
      await until(async () => (await eventsOf(id)).length > 1, {
        describe: `${id} has rung`,
        ...patience,
      })
    await until(async () => (await waiting()) === 0, patience)
    for (const id of ids)
      t.strictSame(await eventsOf(id), ['set deadline', 'rung deadline'])
    t.equal(await second.stop(), 0)
  })

  await t.test('with no node there, the next one fires what was due', async t => {
    const ids = idsOf('b')
    const third = await startNode(...flags, '--id', 'third')
    await set(node, ids, Date.now() + 1_000)
    await allSet(ids)
    await third.kill()
    await server.kill()
    await server.restart()
    await until(async () => (await waiting()) === 0, {
      describe: 'the server has made all of them due',
      ...patience,
    })
    await using fourth = await startNode(...flags, '--id', 'fourth')
    for (const id of ids)
      await until(async () => (await eventsOf(id)).length > 1, {
        describe: `${id} has rung`,
        ...patience,
      })
    for (const id of ids)
      t.strictSame(await eventsOf(id), ['set deadline', 'rung deadline'])
    t.equal(await fourth.stop(), 0)
  })
})

await t.test('in a directory, whichever process is left fires', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-timers-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const flags = ['--ns', 'deaths', '--embedded', dir, ...program]
  const { node, eventsOf, waiting, allSet } = await onlookerOf(
    t,
    'deaths',
    embedded({ dir }),
  )
  await using first = await startNode(...flags, '--id', 'first')
  const ids = idsOf('c')
  await set(node, ids, Date.now() + 2_500)
  await allSet(ids)
  await using second = await startNode(...flags, '--id', 'second')
  await first.kill()
  for (const id of ids)
    await until(async () => (await eventsOf(id)).length > 1, {
      describe: `${id} has rung`,
      ...patience,
    })
  t.equal(await waiting(), 0)
  for (const id of ids)
    t.strictSame(await eventsOf(id), ['set deadline', 'rung deadline'])
  t.equal(await second.stop(), 0)
})
