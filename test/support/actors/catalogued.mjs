// Definitions for `cairn events --actors`: what they know differs from what is stored.

import { defineActor, event } from 'cairn-es'
import { z } from 'zod'

export const purse = defineActor({
  type: 'purse',
  version: 2,
  upcast: { spent: [(/** @type {object} */ data) => event('spent', data)] },
  schemas: {
    events: {
      filled: z.object({ cents: z.number().int(), note: z.string().optional() }),
    },
  },
  initialState: 0,
  decide: { fill: (_state, /** @type {number} */ cents) => event('filled', { cents }) },
  evolve: {
    filled: (state, { cents }) => state + cents,
    spent: state => state,
    closed: state => state,
  },
})
