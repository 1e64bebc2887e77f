// A machine with whatever statecharts have: nested and parallel states, a history, always, onDone,
// onError, a delay, promises, a spawned callback, and a spawned machine with a delay of its own. What runs in it goes on when a file says so, in
// the directory that GATES names.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fromMachine } from 'cairn-es'
import {
  assign,
  fromCallback,
  fromPromise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate'

const isOpen = (/** @type {string} */ gate) =>
  existsSync(join(process.env['GATES'] ?? '', gate))

const guide = setup({
  types: {
    context: /** @type {{ stops: number }} */ ({}),
    input: /** @type {{ stops: number }} */ ({}),
    events: /** @type {{ type: 'greet' }} */ ({}),
    output: /** @type {{ stops: number }} */ ({}),
  },
  delays: { walk: 2_000 },
}).createMachine({
  id: 'guide',
  context: ({ input }) => input,
  output: ({ context }) => context,
  initial: 'walking',
  states: {
    walking: {
      after: {
        walk: {
          target: 'there',
          actions: assign({ stops: ({ context }) => context.stops + 1 }),
        },
      },
    },
    there: { entry: sendParent({ type: 'arrived' }), on: { greet: 'home' } },
    home: { type: 'final' },
  },
})

const machine = setup({
  types: {
    context: /** @type {{ notes: string[], helped: boolean }} */ ({}),
    events:
      /** @type {{ type: 'submit' | 'arrive' | 'next' | 'pause' | 'resume' | 'helped' | 'arrived' | 'greet' }} */ ({}),
    tags: 'busy',
  },
  actors: {
    guide,
    check: fromPromise(async ({ input, signal }) => {
      const gate = /** @type {string} */ (input)
      while (!isOpen(gate)) await sleep(20, undefined, { signal })
      if (gate.endsWith(' check')) throw new Error('not good enough')
      return 'good'
    }),
    helper: fromCallback(({ sendBack, input }) => {
      const timer = setInterval(() => {
        if (!isOpen(/** @type {string} */ (input))) return
        clearInterval(timer)
        sendBack({ type: 'helped' })
      }, 20)
      return () => clearInterval(timer)
    }),
  },
  actions: {
    note: assign({
      notes: ({ context }, /** @type {{ what: string }} */ { what }) => [
        ...context.notes,
        what,
      ],
    }),
  },
  guards: { isHelped: ({ context }) => context.helped },
  delays: { shipping: 2_000 },
}).createMachine({
  id: 'journey',
  context: { notes: [], helped: false },
  output: ({ context }) => context.notes,
  initial: 'draft',
  states: {
    draft: { on: { submit: 'working' } },
    working: {
      type: 'parallel',
      tags: 'busy',
      states: {
        parts: {
          initial: 'ordered',
          states: {
            ordered: {
              after: {
                shipping: {
                  target: 'shipped',
                  actions: { type: 'note', params: { what: 'shipped' } },
                },
              },
            },
            shipped: { on: { arrive: 'here' } },
            here: { type: 'final' },
          },
        },
        paper: {
          initial: 'writing',
          states: {
            writing: {
              initial: 'outline',
              states: {
                outline: { on: { next: 'text' } },
                text: { on: { next: 'done' } },
                done: { type: 'final' },
              },
              onDone: 'signed',
            },
            signed: { type: 'final' },
          },
        },
        past: { type: 'history', history: 'deep' },
      },
      on: { pause: 'paused' },
      onDone: {
        target: 'checking',
        actions: { type: 'note', params: { what: 'worked' } },
      },
    },
    paused: { on: { resume: 'working.past' } },
    checking: {
      invoke: {
        id: 'check',
        src: 'check',
        input: ({ self }) => `${self.id} check`,
        onDone: 'over',
        onError: {
          target: 'mending',
          actions: { type: 'note', params: { what: 'bad' } },
        },
      },
    },
    mending: {
      entry: spawnChild('helper', {
        id: 'helper',
        input: ({ self }) => `${self.id} helper`,
      }),
      exit: stopChild('helper'),
      on: { helped: { actions: assign({ helped: true }) } },
      always: { guard: 'isHelped', target: 'rechecking' },
    },
    rechecking: {
      invoke: {
        id: 'check',
        src: 'check',
        input: ({ self }) => `${self.id} recheck`,
        onDone: 'touring',
      },
      exit: { type: 'note', params: { what: 'good' } },
    },
    touring: {
      entry: spawnChild('guide', { id: 'guide', input: { stops: 6 } }),
      initial: 'away',
      states: {
        away: { on: { arrived: 'there' } },
        there: { on: { greet: { actions: sendTo('guide', { type: 'greet' }) } } },
      },
      on: /** @type {any} */ ({
        'xstate.done.actor.guide': {
          target: 'over',
          actions: assign({
            notes: (/** @type {any} */ { context, event }) => [
              ...context.notes,
              `${event.output.stops} stops`,
            ],
          }),
        },
      }),
    },
    over: { type: 'final' },
  },
})

export const journey = fromMachine(machine)
