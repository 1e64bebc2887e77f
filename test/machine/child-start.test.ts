// When child machines start within a step, and what they get before: as in XState, living and woken from data.

import t from 'tap'
import {
  type AnyStateMachine,
  assign,
  createActor,
  sendParent,
  sendTo,
  setup,
} from 'xstate'

import { foldEvent, initialFoldedState } from '../../src/actor/fold.js'
import { decode, encode } from '../../src/codec/msgpack.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import type { MachineState } from '../../src/machine/types.js'
import type { Behavior } from '../../src/model/behavior.js'
import { carryOut, recorded } from './replaying.js'

/** Says hello to its parent when it starts, and keeps what it gets. */
const child = (name: string) =>
  setup({
    types: {
      context: {} as { got: readonly string[] },
      events: {} as { type: 'first' | 'own' },
    },
  }).createMachine({
    id: name,
    context: { got: [] },
    entry: [
      sendTo(({ self }) => self, { type: 'own' }),
      sendParent({ type: 'hello', name } as never),
    ],
    on: {
      '*': {
        actions: assign({ got: ({ context, event }) => [...context.got, event.type] }),
      },
    },
  })

const common = setup({
  types: {
    context: {} as { heard: readonly string[] },
    events: {} as { type: 'hello'; name: string } | { type: 'go' | 'again' },
  },
  actors: { one: child('one'), two: child('two') },
})
const hear = {
  hello: {
    actions: common.assign({
      heard: ({ context, event }) => [
        ...context.heard,
        (event as unknown as { name: string }).name,
      ],
    }),
  },
} as const

const cases: Readonly<Record<string, AnyStateMachine>> = {
  'an event that is sent before the child starts is its first': common.createMachine({
    id: 'm',
    context: { heard: [] },
    initial: 'idle',
    on: hear,
    states: {
      idle: { on: { go: 'busy' } },
      busy: {
        entry: sendTo('one', { type: 'first' }),
        invoke: { id: 'one', src: 'one' },
        on: { again: { target: 'busy', reenter: true } },
      },
    },
  }),
  'spawned and invoked children start in the order of the effects': common.createMachine({
    id: 'm',
    context: { heard: [] },
    initial: 'idle',
    on: hear,
    states: {
      idle: {
        on: {
          go: {
            target: 'busy',
            actions: [
              ({ self: _self }) => {},
              sendTo(({ self }) => self, { type: 'hello', name: 'before' }),
              assign(({ context, spawn }) => {
                spawn('two', { id: 'two' })
                return context
              }),
            ],
          },
        },
      },
      busy: { invoke: { id: 'one', src: 'one' }, on: { again: 'busy' } },
    },
  }),
  'children of the first step start before its effects': common.createMachine({
    id: 'm',
    context: { heard: [] },
    initial: 'busy',
    on: { ...hear, go: { actions: () => {} } },
    states: {
      busy: {
        entry: [
          sendTo(({ self }) => self, { type: 'hello', name: 'entered' }),
          sendTo('one', { type: 'first' }),
        ],
        invoke: { id: 'one', src: 'one' },
        on: { again: { target: 'busy', reenter: true } },
      },
    },
  }),
}

for (const [title, machine] of Object.entries(cases))
  void t.test(title, t => {
    const live = createActor(machine, { id: 'one' }).start()
    const definition = fromMachine(machine)
    const behavior = definition.behavior as Behavior
    const folding = { actor: { type: 'm', id: 'one' }, behavior }
    let state: unknown = initialFoldedState(folding).state
    let woken = state
    let version = 0
    const same = (found: unknown, what: string) => {
      const { context, children } = live.getSnapshot() as unknown as {
        readonly context: unknown
        readonly children: Readonly<
          Record<string, { getSnapshot(): { readonly context: unknown } }>
        >
      }
      const { context: own, children: below = {} } = found as MachineState
      t.strictSame(own, context, what)
      for (const [id, ref] of Object.entries(children))
        t.strictSame(
          below[id]?.state?.context,
          ref.getSnapshot().context,
          `${what}: ${id}`,
        )
    }
    same(state, 'at the start')
    for (const type of ['go', 'again', 'again']) {
      if (!live.getSnapshot().can({ type })) continue
      live.send({ type })
      const next = carryOut(definition, state, version, { type })
      for (const event of next!.events)
        woken = foldEvent(folding, decode(encode(woken)), recorded('m', event, ++version))
      state = next!.state
      same(state, `living, after ${type}`)
      same(woken, `woken, after ${type}`)
    }
    live.stop()
    t.end()
  })
