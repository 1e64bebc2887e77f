// Definitions for `--actors`: a reactor that appends a line for each attempt to the file ATTEMPTS_FILE.

import { appendFileSync } from 'node:fs'

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

export const recording = defineReactor({
  name: 'recording',
  on: eventsOf(order),
  handle({ id }, { mayBeRepeat, fencingToken: { epoch } }) {
    const line = JSON.stringify({ pid: process.pid, id, mayBeRepeat, epoch })
    appendFileSync(/** @type {string} */ (process.env.ATTEMPTS_FILE), `${line}\n`)
  },
})
