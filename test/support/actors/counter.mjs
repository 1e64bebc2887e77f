// Definitions for `--actors`: one alone, one in a list, and something that is neither.

import { defineActor, event } from 'cairn-es'

export const counter = defineActor({
  type: 'counter',
  initialState: 0,
  decide: {
    add: (_state, by) => ({ events: event('added', by), reply: after => after }),
  },
  evolve: { added: (state, by) => state + by },
})

/** Keeps values that JSON cannot write. */
const shelf = defineActor({
  type: 'shelf',
  initialState: { kept: null },
  decide: {
    keep: () =>
      event('kept', {
        at: new Date(0),
        bytes: new Uint8Array([104, 105]),
        big: 12345678901234567890n,
        like: { type: 'Buffer', data: [104, 105] },
      }),
    nothing: () => ({}),
  },
  evolve: { kept: (_state, data) => ({ kept: data }) },
})

export const others = [shelf]

export const version = '1'
