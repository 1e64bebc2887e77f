// The actor that is measured: small, so that the figures are Cairn's own and not a decision's.
import { defineActor, event } from 'cairn-es'

/** @typedef {{ readonly sum: number }} Sum */

/** What defines the counter, for one with schemas as well. */
export const counterSpec = {
  type: 'counter',
  initialState: { sum: 0 },
  decide: {
    add: (/** @type {Sum} */ _state, /** @type {{ by: number }} */ { by }) => ({
      events: event('added', { by }),
      reply: (/** @type {Sum} */ after) => ({ sum: after.sum }),
    }),
  },
  evolve: {
    added: (/** @type {Sum} */ state, /** @type {{ by: number }} */ { by }) => ({
      sum: state.sum + by,
    }),
  },
}

/** Adds up numbers; its reply is the sum. */
export const counter = defineActor(counterSpec)
