// What waking an actor of 100,000 events and 10 MiB of state costs, from a snapshot and from its history. Run by
// `npm run test:evolution`; EVENTS sets how many.

import t from 'tap'

import type { AnyActorDefinition } from '../../../src/actor/definition.js'
import type { Backend } from '../../../src/backend/backend.js'
import { embedded } from '../../../src/backend/embedded.js'
import { jetstream } from '../../../src/backend/jetstream.js'
import { startNode } from '../../../src/runtime/start-node.js'
import { startNats } from '../../support/nats.js'
import { until } from '../../support/wait.js'

const events = Number(process.env['EVENTS'] ?? 100_000)
t.setTimeout(1_800_000)

await using server = await startNats()

const { largeOf } = (await import(
  new URL('../../../../test/support/actors/large.mjs', import.meta.url).href
)) as {
  largeOf(options: { version: number; every: number }): AnyActorDefinition
}
const actor = { type: 'large', id: 'a' }
const namespace = 'large'
const places: Readonly<Record<string, Backend>> = {
  'the embedded store': embedded({ dir: t.testdir() }),
  JetStream: jetstream({ servers: server.url }),
}

for (const [name, store] of Object.entries(places))
  await t.test(`${events} events and 10 MiB of state, on ${name}`, async t => {
    const known = largeOf({ version: 1, every: 1_000 })
    const wake = async (definition: AnyActorDefinition, deadline = 10_000) => {
      await using node = await startNode({ namespace, store, actors: [definition] })
      const since = performance.now()
      const { state } = await node.state(actor, { timeout: deadline })
      const ms = Math.round(performance.now() - since)
      return {
        ms,
        state: state as { count: number },
        used: node.stats().actors.snapshots.used,
      }
    }
    {
      // One event a commit, without the commands that decide them.
      await using open = await store.open({ namespace, nodeId: 'writer' })
      const grown = { type: 'grown', data: { slots: 160, seed: 1 } }
      await open.store.append(actor, [grown], { expected: 'none' })
      const counted = [{ type: 'counted' }]
      // On a server, writers of one actor are in each other's way.
      const writers = name === 'JetStream' ? 1 : 1_000
      let version = 1
      let left = events - 1 - 500
      const write = async () => {
        while (left-- > 0) {
          const expected = writers === 1 ? version++ : 'any'
          const timeout = 60_000
          await open.store.append(actor, counted, { expected, timeout })
        }
      }
      await Promise.all(Array.from({ length: writers }, write))
    }
    const old = await wake(known, 300_000)
    t.comment(`from the first event: ${old.ms} ms`)
    t.equal(old.used, 0)
    {
      await using node = await startNode({ namespace, store, actors: [known] })
      const asks: number[] = []
      for (let i = 0; i < 500; i++) {
        const since = performance.now()
        await node.ask(actor, 'count', undefined, { timeout: 300_000 })
        if (i > 0) asks.push(Math.round(performance.now() - since))
      }
      asks.sort((a, b) => b - a)
      await until(() => node.stats().actors.snapshots.written > 0, {
        describe: 'a snapshot',
        timeout: 60_000,
      })
      const longest = asks.slice(0, 5).join(', ')
      t.comment(`the longest of 499 commands meanwhile: ${longest} ms`)
    }
    const times: number[] = []
    for (let i = 0; i < 5; i++) {
      const woken = await wake(known)
      t.equal(woken.used, 1)
      t.equal(woken.state.count, events - 1)
      times.push(woken.ms)
    }
    times.sort((a, b) => a - b)
    t.comment(`from the snapshot and 499 events after it: ${times.join(', ')} ms`)
  })
