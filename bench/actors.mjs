// The actor that is measured: small, so that the figures are Cairn's own and not a decision's.
import { defineActor, event } from 'cairn-es'

/** Adds up numbers; its reply is the sum. */
export const counter = defineActor({
  type: 'counter',
  initialState: { sum: 0 },
  decide: {
    add: (_state, /** @type {{ by: number }} */ { by }) => ({
      events: event('added', { by }),
      reply: after => ({ sum: after.sum }),
    }),
  },
  evolve: {
    added: (state, /** @type {{ by: number }} */ { by }) => ({ sum: state.sum + by }),
  },
})
