// Definitions for `--actors`: an actor that publishes, and a reactor that some messages end its process with.

import { defineActor, defineReactor, defineTopic, event, publish } from 'cairn-es'

const placed = defineTopic('orders.placed')

export const order = defineActor({
  type: 'order',
  publishes: [placed],
  initialState: { placed: 0 },
  decide: {
    /** @param {{ placed: number }} _state @param {string} what */
    place: (_state, what) => [event('placed', what), publish(placed, what)],
  },
  evolve: {
    placed: (state, /** @type {string} */ _what) => ({ placed: state.placed + 1 }),
  },
})

export const shipped = defineActor({
  type: 'shipped',
  initialState: 0,
  decide: {
    /** @param {number} _state @param {string} what */
    add: (_state, what) => event('added', what),
  },
  evolve: { added: (state, /** @type {string} */ _what) => state + 1 },
})

export const shipping = defineReactor({
  name: 'shipping',
  on: placed,
  retry: { attempts: 3, first: 50 },
  async handle({ data, actor }, { spawn }) {
    if (data === 'poison') process.kill(process.pid, 'SIGKILL')
    await spawn(shipped, actor?.id ?? 'nobody').ask('add', String(data))
  },
})
