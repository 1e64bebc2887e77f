// An application that has changed in every way that its histories may not survive: EVOLVED=yes is the later one.

import { defineActor, event, fromMachine, schedule } from 'cairn-es'
import { fromPromise, setup } from 'xstate'

const isLater = process.env['EVOLVED'] === 'yes'
const forever = fromPromise(() => new Promise(() => {}))

const first = setup({
  actors: { pump: forever },
  delays: { hour: 3_600_000 },
}).createMachine({
  id: 'valve',
  initial: 'idle',
  states: {
    idle: { on: { open: 'running', burst: 'broken', park: 'parked', fill: 'filling' } },
    running: { on: { close: 'idle' } },
    broken: { on: { repair: 'idle' } },
    parked: { on: { close: 'idle' }, after: { hour: 'idle' } },
    filling: { invoke: { src: 'pump', id: 'pump' }, on: { close: 'idle' } },
    ended: { type: 'final' },
  },
})

// No way out of `broken`, no state `parked` with its delay, and no pump.
const later = setup({}).createMachine({
  id: 'valve',
  initial: 'idle',
  states: {
    idle: { on: { open: 'running', burst: 'broken', fill: 'filling', park: 'running' } },
    running: { on: { close: 'idle' } },
    broken: { on: { knock: { actions: () => {} } } },
    filling: { on: { close: 'idle' } },
    ended: { type: 'final' },
  },
})

export const valve = isLater
  ? fromMachine(later, {
      version: 2,
      // As it was: those of `parked` and of `filling` are not states of this machine.
      migrateState: state => /** @type {any} */ (state),
    })
  : fromMachine(first)

/** @param {{ n: number }} data */
const upcastAdded = ({ n }) => {
  if (n < 0) throw new Error('a negative number')
  return event('added', { cents: n * 100 })
}

export const order = isLater
  ? defineActor({
      type: 'order',
      version: 2,
      upcast: { added: [upcastAdded] },
      migrateState: (/** @type {{ n: number }} */ { n }) => {
        if (n === 13) throw new Error('an unlucky state')
        return { cents: n * 100 }
      },
      initialState: { cents: 0 },
      decide: { add: (_state, /** @type {number} */ cents) => event('added', { cents }) },
      evolve: {
        added: (state, /** @type {{ cents: number }} */ { cents }) => ({
          cents: state.cents + cents,
        }),
        remembered: state => state,
      },
    })
  : defineActor({
      type: 'order',
      initialState: { n: 0 },
      decide: {
        add: (_state, /** @type {number[]} */ all) => all.map(n => event('added', { n })),
        remember: () => [
          event('remembered'),
          schedule('later', { after: 3_600_000 }, 'expire'),
        ],
        keep: () => [
          event('remembered'),
          schedule('later', { after: 3_600_000 }, 'add', [5]),
        ],
        expire: () => event('expired'),
      },
      evolve: {
        added: (state, /** @type {{ n: number }} */ { n }) => ({ n: state.n + n }),
        remembered: state => state,
        expired: state => state,
      },
    })
