// Definitions for `--actors`: a reactor that fails as the events say, and what it has done by its actors.

import { defineActor, defineReactor, event, eventsOf, TerminalError } from 'cairn-es'

/** Said by the test itself: `n` counts its events; `fails` is how many attempts fail, `null` for all. */
export const speaker = defineActor({
  type: 'speaker',
  initialState: 0,
  decide: {
    /** @param {number} _last @param {{ n: number, fails: number | null }} said */
    speak: (_last, said) => event('spoke', said),
  },
  evolve: { spoke: (_last, /** @type {{ n: number }} */ { n }) => n },
})

/** What was heard of a speaker, in the order of its effects. */
export const listener = defineActor({
  type: 'listener',
  initialState: 0,
  decide: {
    /** @param {number} _count @param {number} n */
    hear: (_count, n) => event('heard', n),
  },
  evolve: { heard: (count, /** @type {number} */ _n) => count + 1 },
})

export const hearing = defineReactor({
  name: 'hearing',
  on: eventsOf(speaker),
  retry: { attempts: 10, first: 20, max: 1_000 },
  async handle({ data: { data, actor } }, { attempt, spawn }) {
    const { n, fails } = /** @type {{ n: number, fails: number | null }} */ (data)
    if (fails === null) throw new TerminalError('nobody can hear this')
    if (attempt <= fails) throw new Error('a bad moment')
    await spawn(listener, actor.id).ask('hear', n)
  },
})
