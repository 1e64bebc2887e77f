// Definitions for `--actors`: an actor that sets itself timers.

import { cancel, defineActor, event, schedule } from 'cairn-es'

export const reminder = defineActor({
  type: 'reminder',
  initialState: { rung: 0 },
  decide: {
    /** @param {{ rung: number }} _state @param {{ name: string, at?: number, every?: number }} timer */
    set: (_state, { name, ...when }) => [
      event('set', name),
      schedule(name, when, 'ring', name),
    ],
    /** @param {{ rung: number }} _state @param {string} name */
    forget: (_state, name) => [event('forgotten', name), cancel(name)],
    /** @param {{ rung: number }} _state @param {string} name */
    ring: (_state, name) => event('rung', name),
  },
  evolve: {
    set: (state, /** @type {string} */ _name) => state,
    forgotten: (state, /** @type {string} */ _name) => state,
    rung: (state, /** @type {string} */ _name) => ({ rung: state.rung + 1 }),
  },
})
