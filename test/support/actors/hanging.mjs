// Definitions for `--actors`: a reactor whose handler never ends in a node of the id `hanging`.

import { defineActor, defineReactor, event, eventsOf } from 'cairn-es'

export const order = defineActor({
  type: 'order',
  initialState: 0,
  decide: {
    /** @param {number} _state @param {string} what */
    place: (_state, what) => event('placed', what),
  },
  evolve: { placed: (state, /** @type {string} */ _what) => state + 1 },
})

export const parcel = defineActor({
  type: 'parcel',
  initialState: 0,
  decide: {
    pack: () => event('packed'),
    /** @param {number} _state @param {object} how */
    ship: (_state, how) => event('shipped', how),
  },
  evolve: {
    packed: state => state + 1,
    shipped: (state, /** @type {object} */ _how) => state + 1,
  },
})

export const shipping = defineReactor({
  name: 'shipping',
  on: eventsOf(order),
  timeout: Infinity,
  async handle({ data: { actor } }, { attempt, mayBeRepeat, spawn }) {
    const ref = spawn(parcel, actor.id)
    await ref.ask('pack')
    if (process.argv.includes('hanging')) await new Promise(() => {})
    await ref.ask('ship', { attempt, mayBeRepeat })
  },
})
