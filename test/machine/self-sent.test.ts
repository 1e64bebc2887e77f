// What a machine sends to itself comes before any later command: living, after a crash and when it is replayed.

import t from 'tap'
import { assign, createActor, sendTo, setup } from 'xstate'

import { verifyHistory } from '../../src/actor/verify.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import type { Behavior } from '../../src/model/behavior.js'
import { onEachBackend } from '../support/backends.js'

/** Each order is checked by an event that the machine sends to itself, which ships it. */
const desk = setup({
  types: {
    context: {} as { trail: readonly string[] },
    events: {} as
      | { type: 'order'; name: string }
      | { type: 'check' | 'ship'; name: string }
      | { type: 'ignored' },
  },
}).createMachine({
  id: 'desk',
  context: { trail: [] },
  entry: sendTo(({ self }) => self, { type: 'check', name: 'opening' }),
  on: {
    order: {
      actions: [
        sendTo(
          ({ self }) => self,
          ({ event }) => ({ type: 'check', name: event.name }) as never,
        ),
        sendTo(({ self }) => self, { type: 'ignored' }),
        assign({
          trail: ({ context, event }) => [...context.trail, `ordered ${event.name}`],
        }),
      ],
    },
    check: {
      actions: [
        assign({
          trail: ({ context, event }) => [...context.trail, `checked ${event.name}`],
        }),
        sendTo(
          ({ self }) => self,
          ({ event }) => ({ type: 'ship', name: event.name }) as never,
        ),
      ],
    },
    ship: {
      actions: assign({
        trail: ({ context, event }) => [...context.trail, `shipped ${event.name}`],
      }),
    },
  },
})

await onEachBackend(t, 'what a machine sends to itself comes first', async (t, scene) => {
  const definition = fromMachine(desk)
  const at = scene(t)
  const first = await at.start({ actors: [definition] })
  const live = createActor(desk).start()
  const names = Array.from({ length: 20 }, (_, i) => `o${i}`)
  t.match((await first.spawn(definition, 'd').state()).state.context, {
    trail: live.getSnapshot().context.trail,
  })
  // They all wait in the mailbox at once, and may share commits.
  const asked = names.map(name => first.spawn(definition, 'd').ask('order', { name }))
  const answers = await Promise.all(asked)
  for (const name of names) live.send({ type: 'order', name })
  const { trail } = live.getSnapshot().context
  t.equal(answers.at(-1)!.version, 3 + 3 * names.length)
  t.strictSame((await first.spawn(definition, 'd').state()).state.context.trail, trail)
  await first.close({ timeout: 0 })
  const next = await at.start({ actors: [definition] })
  t.strictSame((await next.spawn(definition, 'd').state()).state.context.trail, trail)
  const verdict = await verifyHistory({
    store: next.store,
    actor: { type: 'desk', id: 'd' },
    behavior: definition.behavior as Behavior,
    signal: new AbortController().signal,
  })
  t.match(verdict, { kind: 'folds', version: 3 + 3 * names.length })
  t.equal((await next.spawn(definition, 'd').state()).version, verdict.version)
})
