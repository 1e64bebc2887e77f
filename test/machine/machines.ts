// Machines of the kinds that XState's own documentation shows, as durable actor types.

import {
  type AnyStateMachine,
  and,
  assign,
  cancel,
  emit,
  enqueueActions,
  fromPromise,
  not,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stateIn,
  stopChild,
} from 'xstate'

import type { AnyActorDefinition } from '../../src/actor/definition.js'
import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { actorAt } from '../../src/machine/actor-at.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import type { MachineState } from '../../src/machine/types.js'
import { defineTopic } from '../../src/model/topic.js'

/** Nested states, a final one, onDone, and a way back in. */
export const light = fromMachine(
  setup({
    types: {
      context: {} as { cycles: number },
      events: {} as
        { type: 'timer' } | { type: 'push' } | { type: 'outage' | 'restored' },
      tags: {} as 'stop' | 'go',
    },
    guards: { worn: ({ context }) => context.cycles >= 4 },
  }).createMachine({
    id: 'light',
    context: { cycles: 0 },
    initial: 'green',
    states: {
      green: { tags: 'go', on: { timer: 'yellow' } },
      yellow: { on: { timer: 'red' } },
      red: {
        tags: 'stop',
        initial: 'walk',
        onDone: {
          target: 'green',
          actions: assign({ cycles: ({ context }) => context.cycles + 1 }),
        },
        states: {
          walk: { on: { timer: 'wait' } },
          wait: { tags: 'stop', on: { timer: 'over', push: 'walk' } },
          over: { type: 'final' },
        },
        always: { guard: 'worn', target: 'scrapped' },
      },
      dark: { on: { restored: 'red' } },
      scrapped: { type: 'final' },
    },
    on: { outage: '.dark' },
  }),
)

/** Parallel regions, deep and shallow history, guards that look into the other region. */
export const player = fromMachine(
  setup({
    types: {
      context: {} as { tracks: number; log: string[] },
      events: {} as
        | {
            type:
              'play' | 'pause' | 'stop' | 'resume' | 'peek' | 'mute' | 'louder' | 'softer'
          }
        | { type: 'next'; by: number },
    },
    guards: {
      off: stateIn({ track: 'off' }),
      muted: stateIn({ volume: 'muted' }),
      forward: ({ event }) => event.type === 'next' && event.by > 0,
    },
    actions: {
      note: assign({
        log: ({ context }, params: { what: string }) => [
          ...context.log.slice(-5),
          params.what,
        ],
      }),
    },
  }).createMachine({
    id: 'player',
    context: { tracks: 0, log: [] },
    type: 'parallel',
    states: {
      volume: {
        initial: 'normal',
        states: {
          muted: { on: { louder: 'normal' } },
          normal: { on: { softer: 'muted', louder: 'loud' } },
          loud: {
            on: { softer: 'normal' },
            always: { guard: 'off', target: 'normal' },
          },
        },
        on: { mute: '.muted' },
        exit: { type: 'note', params: { what: 'volume' } },
      },
      track: {
        initial: 'off',
        states: {
          off: { on: { play: 'on', resume: 'on.past', peek: 'on.recent' } },
          on: {
            initial: 'playing',
            entry: { type: 'note', params: { what: 'on' } },
            exit: { type: 'note', params: { what: 'off' } },
            states: {
              playing: {
                initial: 'slow',
                states: {
                  slow: { on: { next: 'fast' } },
                  fast: { on: { next: 'slow' } },
                },
                on: { pause: 'paused' },
              },
              paused: { on: { play: 'playing' } },
              past: { type: 'history', history: 'deep' },
              recent: { type: 'history' },
            },
            on: {
              stop: 'off',
              next: {
                guard: and([not('muted'), 'forward']),
                actions: assign({
                  tracks: ({ context, event: { by } }) => context.tracks + by,
                }),
              },
            },
          },
        },
      },
    },
  }),
)

/** Eventless loops, raised events, wildcards, reentering: much happens for one event. */
export const loop = fromMachine(
  setup({
    types: {
      context: {} as { count: number; limit: number; entered: number },
      input: {} as { limit: number },
      output: {} as { entered: number },
      events: {} as
        | { type: 'go'; steps: number }
        | { type: 'again' }
        | { type: 'note.a' }
        | { type: 'note.b' }
        | { type: 'finish' },
    },
  }).createMachine({
    id: 'loop',
    context: ({ input }) => ({ count: 0, entered: 0, limit: input.limit }),
    output: ({ context }) => ({ entered: context.entered }),
    initial: 'idle',
    states: {
      idle: {
        on: {
          go: {
            target: 'looping',
            actions: assign({ count: ({ event: { steps } }) => steps }),
          },
          finish: 'ended',
        },
      },
      looping: {
        entry: assign({ entered: ({ context }) => context.entered + 1 }),
        always: [
          {
            guard: ({ context }) => context.count > 0,
            target: 'looping',
            reenter: true,
            actions: assign({ count: ({ context }) => context.count - 1 }),
          },
          { guard: ({ context }) => context.entered > context.limit, target: 'ended' },
        ],
        on: {
          again: { actions: raise({ type: 'go', steps: 2 }), target: 'idle' },
          'note.*': { actions: assign({ limit: ({ context }) => context.limit + 1 }) },
        },
      },
      ended: { type: 'final' },
    },
  }),
  { input: { limit: 30 } },
)

export const account = defineActor({
  type: 'account',
  initialState: { balance: 0 },
  decide: {
    charge: (_state, { amount }: { amount: number }) => event('charged', { amount }),
    close: () => event('closed'),
  },
  evolve: {
    charged: (state, { amount }: { amount: number }) => ({
      balance: state.balance - amount,
    }),
    closed: state => state,
  },
})

export const settled = defineTopic('rides.settled')

/** What its own actions have done, in this process. */
export const done: string[] = []

/** Effects of every kind: own actions, raised, emitted and sent events. */
export const ride = fromMachine(
  setup({
    types: {
      context: {} as { rider: string; price: number },
      events: {} as
        | { type: 'begin'; rider: string }
        | { type: 'drive'; km: number }
        | { type: 'end' }
        | { type: 'checked' }
        | { type: 'explode' }
        | { type: 'sideways' },
      emitted: {} as
        { type: 'settled'; rider: string; price: number } | { type: 'unheard' },
    },
    actions: {
      note: ({ self }, params: { what: string }) =>
        void done.push(`${params.what} ${self.sessionId}`),
      fail: () => {
        throw new Error('the engine is dead')
      },
      failLater: () =>
        Promise.reject(new Error('the battery is flat')) as unknown as void,
      misuse: ({ self }) => self.send({ type: 'end' }),
    },
  }).createMachine({
    id: 'ride',
    context: { rider: '', price: 0 },
    initial: 'free',
    entry: { type: 'note', params: { what: 'built' } },
    states: {
      free: {
        on: {
          begin: {
            target: 'driving',
            actions: [
              { type: 'note', params: { what: 'unlocked' } },
              assign({ rider: ({ event: { rider } }) => rider }),
              { type: 'note', params: { what: 'greeted' } },
            ],
          },
        },
      },
      driving: {
        entry: { type: 'note', params: { what: 'driving' } },
        on: {
          drive: {
            actions: assign({
              price: ({ context, event: { km } }) => context.price + km,
            }),
          },
          end: {
            target: 'settling',
            actions: [
              sendTo(
                ({ context }) => actorAt(account, context.rider),
                ({ context }) => ({ type: 'charge', amount: context.price }),
              ),
              emit(({ context: { rider, price } }) => ({
                type: 'settled',
                rider,
                price,
              })),
            ],
          },
          explode: {
            actions: [
              'fail',
              'failLater',
              'misuse',
              { type: 'note', params: { what: 'last' } },
            ],
          },
          sideways: { actions: emit({ type: 'unheard' }) },
        },
      },
      settling: {
        entry: sendTo(({ self }) => self, { type: 'checked' }),
        on: {
          checked: {
            target: 'free',
            actions: enqueueActions(({ enqueue }) => {
              enqueue.assign({ rider: '', price: 0 })
              enqueue({ type: 'note', params: { what: 'checked' } })
            }),
          },
        },
      },
    },
  }),
  { emits: { settled } },
)

/** What is invoked and spawned, and never ends by itself here: its ends are drawn. */
export const crew = fromMachine(
  setup({
    types: {
      context: {} as { seen: string[] },
      events: {} as { type: 'hire' | 'fire' | 'temp' | 'dismiss' | 'swap' },
    },
    actors: { work: fromPromise(() => new Promise<number>(() => {})) },
    actions: {
      see: assign({
        seen: ({ context, event }) => [...context.seen.slice(-5), JSON.stringify(event)],
      }),
    },
  }).createMachine({
    id: 'crew',
    context: { seen: [] },
    initial: 'empty',
    states: {
      empty: { on: { hire: 'busy' } },
      busy: {
        invoke: [
          { id: 'one', src: 'work', onDone: { actions: 'see' }, onError: 'empty' },
          { id: 'two', src: 'work', onDone: { target: 'empty', actions: 'see' } },
        ],
        on: { fire: 'empty', swap: { target: 'busy', reenter: true } },
      },
    },
    on: {
      temp: { actions: [stopChild('temp'), spawnChild('work', { id: 'temp' })] },
      dismiss: { actions: stopChild('temp') },
    },
  }),
)

/** Delays of every kind, longer than any test. Which of them are due is drawn. */
export const egg = fromMachine(
  setup({
    types: {
      context: {} as { turns: number; seen: string[] },
      events: {} as { type: 'cook' | 'turn' | 'hurry' | 'stop' | 'ring' | 'tap' },
    },
    delays: { soft: 3_600_000, hard: ({ context }) => 3_600_000 * (2 + context.turns) },
    actions: {
      see: assign({
        seen: ({ context, event }) => [...context.seen.slice(-5), event.type],
      }),
    },
  }).createMachine({
    id: 'egg',
    context: { turns: 0, seen: [] },
    initial: 'raw',
    states: {
      raw: { on: { cook: 'boiling' } },
      boiling: {
        initial: 'soft',
        after: { hard: { target: 'burnt', guard: ({ context }) => context.turns > 1 } },
        states: {
          soft: { after: { soft: 'firm' } },
          firm: {
            after: { 7_200_000: { target: 'firm', reenter: true, actions: 'see' } },
          },
        },
        on: {
          turn: {
            actions: [
              assign({ turns: ({ context }) => (context.turns + 1) % 4 }),
              raise({ type: 'ring' }, { delay: 3_600_000, id: 'bell' }),
              raise({ type: 'tap' }, { delay: 3_600_000 }),
            ],
          },
          hurry: { actions: cancel('bell') },
          ring: { actions: 'see' },
          stop: 'raw',
        },
      },
      burnt: { on: { stop: 'raw' }, entry: 'see' },
    },
  }),
)

/** Fits into any of the machines with a log. */
const log = (what: string) =>
  assign({
    log: ({ context }: { context: { log: readonly string[] } }) => [
      ...context.log.slice(-40),
      what,
    ],
  }) as never

/** Counts what its worker tells it, and fails at the fifth. */
const counter = setup({
  types: { context: {} as { n: number }, events: {} as { type: 'count' | 'clear' } },
}).createMachine({
  id: 'counter',
  context: { n: 0 },
  entry: sendParent({ type: 'counting' }),
  on: {
    count: [
      {
        guard: ({ context }) => {
          if (context.n === 4) throw new Error('too much to count')
          return context.n % 2 === 1
        },
        actions: [
          assign({ n: ({ context }) => context.n + 1 }),
          sendParent(({ context }) => ({ type: 'even', n: context.n })),
        ],
      },
      { actions: assign({ n: ({ context }) => context.n + 1 }) },
    ],
  },
})

/** Works step by step, counts by a child of its own, and tells its team. */
const worker = setup({
  types: {
    context: {} as { of: string; log: readonly string[] },
    input: {} as { of: string },
    output: {} as { log: readonly string[] },
    events: {} as
      | { type: 'work' | 'rest' | 'count' | 'counting' | 'quit' | 'again' }
      | { type: 'even'; n: number },
  },
  actors: { counter },
}).createMachine({
  id: 'worker',
  context: ({ input }) => ({ of: input.of, log: [] }),
  output: ({ context }) => ({ log: context.log }),
  invoke: { src: 'counter', id: 'counter', onError: { actions: log('lost count') } },
  initial: 'fresh',
  states: {
    fresh: {
      on: {
        work: {
          target: 'tired',
          actions: [
            sendTo('counter', { type: 'count' }),
            sendParent(({ context }) => ({ type: 'progress', of: context.of })),
            sendTo(({ self }) => self, { type: 'again' }),
          ],
        },
      },
    },
    tired: { on: { rest: 'fresh', work: 'fresh', again: { actions: log('again') } } },
    gone: { type: 'final' },
  },
  on: {
    count: { actions: sendTo('counter', { type: 'count' }) },
    counting: { actions: log('counting') },
    even: { actions: log('even') },
    quit: '.gone',
  },
})

/** Machines that a machine invokes and spawns, with a child of their own. */
export const team = fromMachine(
  setup({
    types: {
      context: {} as { log: readonly string[] },
      events: {} as
        | { type: 'open' | 'close' | 'work' | 'rest' | 'count' | 'quit' }
        | { type: 'hire' | 'fire' }
        | { type: 'progress'; of: string },
    },
    actors: { worker },
  }).createMachine({
    id: 'team',
    context: { log: [] },
    initial: 'closed',
    states: {
      closed: { on: { open: 'opened' } },
      opened: {
        invoke: {
          src: 'worker',
          id: 'first',
          input: { of: 'first' },
          onSnapshot: {
            actions: assign({
              log: ({ context, event: { snapshot } }) => [
                ...context.log.slice(-40),
                `first is ${String((snapshot as { context: { log: readonly unknown[] } }).context.log.length)}`,
              ],
            }),
          },
          onDone: { target: 'closed', actions: log('first has quit') },
        },
        on: {
          close: 'closed',
          work: { actions: sendTo('first', { type: 'work' }) },
          rest: { actions: sendTo('first', { type: 'rest' }) },
          count: {
            actions: [
              sendTo('first', { type: 'count' }),
              sendTo('first', { type: 'unheard of' }),
            ],
          },
          quit: { actions: sendTo('first', { type: 'quit' }) },
        },
      },
    },
    on: {
      hire: { actions: spawnChild('worker', { id: 'second', input: { of: 'second' } }) },
      fire: { actions: stopChild('second') },
      progress: {
        actions: assign({
          log: ({ context, event: { of } }) => [
            ...context.log.slice(-40),
            `progress of ${of}`,
          ],
        }),
      },
    },
  }),
)

/** An event as a machine has it. */
export interface Incoming {
  readonly type: string
  readonly [field: string]: unknown
}

const pick = <T>(list: readonly T[], random: () => number): T =>
  list[Math.floor(random() * list.length)]!

const simply =
  (types: readonly string[]) =>
  (random: () => number): Incoming => ({
    type: pick(types, random),
  })

/** Every machine, with a way to draw events for it. */
export const fixtures: readonly {
  readonly definition: AnyActorDefinition & { readonly machine: AnyStateMachine }
  readonly input?: unknown
  readonly draw: (random: () => number, state: MachineState) => Incoming
}[] = [
  {
    definition: light as never,
    draw: simply(['timer', 'timer', 'timer', 'push', 'outage', 'restored']),
  },
  {
    definition: player as never,
    draw(random) {
      const types = [
        'play',
        'pause',
        'stop',
        'resume',
        'peek',
        'mute',
        'louder',
        'softer',
        'next',
      ]
      const type = pick(types, random)
      return type === 'next' ? { type, by: Math.floor(random() * 3) } : { type }
    },
  },
  {
    definition: loop as never,
    input: { limit: 30 },
    draw(random) {
      const type = pick(
        ['go', 'go', 'again', 'note.a', 'note.b', 'note.a', 'finish'],
        random,
      )
      return type === 'go' ? { type, steps: Math.floor(random() * 4) } : { type }
    },
  },
  {
    definition: egg as never,
    draw(random, { timers = {} }) {
      const due = pick([...Object.keys(timers), 'xstate.after.soft.egg.boiling'], random)
      return random() < 0.5
        ? { type: timers[due]?.event?.type ?? due, timer: due }
        : { type: pick(['cook', 'cook', 'turn', 'turn', 'hurry', 'stop'], random) }
    },
  },
  {
    definition: team as never,
    draw: simply(
      'open open close work work work rest count count quit hire fire progress'.split(
        ' ',
      ),
    ),
  },
  {
    definition: crew as never,
    draw(random, { children = {} }) {
      const type = pick(
        ['hire', 'hire', 'fire', 'temp', 'dismiss', 'swap', 'end', 'end', 'end'],
        random,
      )
      if (type !== 'end') return { type }
      const id = pick(['one', 'one', 'two', 'temp'], random)
      const key = random() < 0.2 ? 'crew/one/1#old' : children[id]?.key
      // Of a failure that nothing takes there is a test of its own: it ends all.
      return id === 'one' && random() < 0.5
        ? { type: `xstate.error.actor.${id}`, key, error: { message: 'no' } }
        : { type: `xstate.done.actor.${id}`, key, output: 7 }
    },
  },
]
