// Another definition of the same type as in counter.mjs.

import { defineActor } from 'cairn-es'

export const counter = defineActor({
  type: 'counter',
  initialState: 0,
  decide: {},
  evolve: {},
})
