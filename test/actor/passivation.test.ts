// Idle actors leave memory, and callers see no difference.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { createActorHost } from '../../src/actor/host.js'
import { DefinitionRegistry } from '../../src/actor/registry.js'
import { MemoryLog, MemoryStore } from '../../src/store/event-store/memory.js'
import { until } from '../support/wait.js'

const define = (type: string, idleAfter?: number) =>
  defineActor({
    type,
    ...(idleAfter !== undefined && { idleAfter }),
    initialState: 0,
    decide: {
      add: (_state, by: number) => ({
        events: event('added', by),
        reply: after => after,
      }),
    },
    evolve: { added: (state, by: number) => state + by },
  })

function start(now: { ms: number }) {
  const store = new MemoryStore({ namespace: 'ns', nodeId: 'n', log: new MemoryLog() })
  return createActorHost({
    store,
    nodeId: 'n',
    definitions: new DefinitionRegistry([define('brief', 1_000), define('usual')]),
    clock: { now: () => now.ms },
  })
}

await t.test(
  'an actor leaves after its type’s idle time, and is woken by its next command',
  async t => {
    const now = { ms: 1_000_000 }
    const host = start(now)
    await host.ask({ type: 'brief', id: 'a' }, 'add', 1)
    await host.ask({ type: 'usual', id: 'a' }, 'add', 1)
    now.ms += 999
    host.passivate()
    t.equal(host.stats().residents, 2, 'not too early')
    now.ms += 1
    host.passivate()
    t.match(host.stats(), { residents: 1, dismissals: 1 })
    const wakes = host.stats().wakes
    t.match(await host.ask({ type: 'brief', id: 'a' }, 'add', 2), {
      ok: true,
      version: 2,
      reply: 3,
    })
    t.equal(host.stats().wakes, wakes + 1)
    now.ms += 600_000
    host.passivate()
    t.match(host.stats(), { residents: 0, dismissals: 3 }, 'the default is ten minutes')
    await host.close()
  },
)

await t.test('an actor with a command in progress stays in memory', async t => {
  const now = { ms: 1_000_000 }
  const host = start(now)
  const asked = host.ask({ type: 'brief', id: 'a' }, 'add', 1)
  now.ms += 1_000_000
  host.passivate()
  host.dismiss(() => false)
  t.equal(host.stats().residents, 1)
  t.match(await asked, { ok: true, version: 1 })
  await until(() => host.stats().residents === 0, {
    describe: 'it goes after its answer',
  })
  t.equal(host.stats().dismissals, 1)
  // An actor that was to be dismissed stays if the next call to dismiss keeps it.
  const again = host.ask({ type: 'brief', id: 'a' }, 'add', 1)
  host.dismiss(() => false)
  host.dismiss(() => true)
  t.match(await again, { ok: true, version: 2 })
  await until(() => host.stats().busy === 0)
  t.equal(host.stats().residents, 1)
  await host.close()
})

await t.test('an invalid idle time is refused', async t => {
  for (const bad of [0, -1, 1.5, NaN])
    t.throws(() => define('x', bad), { code: 'invalid-definition' })
})
