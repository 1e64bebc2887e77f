// A command that is sent as soon as a node has started, or as soon as a host of its actor's type has.

import t from 'tap'

import { defineActor, event } from '../../src/index.js'
import { onEachBackend } from '../support/backends.js'

const countingAs = (type: string) =>
  defineActor({
    type,
    initialState: 0,
    decide: { count: () => event('counted') },
    evolve: { counted: n => n + 1 },
  })
const [tally, other] = [countingAs('tally'), countingAs('other')]

await onEachBackend(
  t,
  'a node knows the members once it has started',
  async (t, scene) => {
    const { start } = scene(t)
    const ids = (node: Awaited<ReturnType<typeof start>>) =>
      node.members().map(({ id }) => id)
    await start({ id: 'host', actors: [tally] })
    const second = await start({ id: 'second', actors: [other] })
    t.strictSame(ids(second), ['host', 'second'])
    for (const version of [1, 2, 3]) {
      const client = await start({ id: `client-${version}` })
      t.strictSame(ids(client), ['host', 'second'])
      t.match(await client.ask({ type: 'tally', id: 'x' }, 'count'), {
        ok: true,
        version,
      })
    }
    await second.close()
    t.strictSame(ids(await start({ id: 'third' })), ['host'], 'and not one that has left')
  },
)

await onEachBackend(
  t,
  'a command finds a host that has just started, and a type without a host has none',
  async (t, scene) => {
    const { start } = scene(t)
    const client = await start({ id: 'client' })
    const actor = { type: 'tally', id: 'x' }
    await t.rejects(client.ask(actor, 'count'), { code: 'no-node' })
    const host = await start({ id: 'host', actors: [tally] })
    t.match(await client.ask(actor, 'count'), { ok: true, version: 1 })
    await t.rejects(client.ask({ ...actor, type: 'other' }, 'count'), { code: 'no-node' })
    await host.close()
    await t.rejects(client.ask(actor, 'count'), { code: 'no-node' })
    await start({ id: 'next', actors: [other, tally] })
    // Again and again, and never with a wait in between.
    for (const version of [2, 3, 4])
      t.match(await client.ask(actor, 'count'), { ok: true, version })
  },
)
