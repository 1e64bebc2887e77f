// What the test of a slow hearer and its process share.

import { defineActor, defineProjection, defineTopic, event } from '../../src/index.js'

export const counter = defineActor({
  type: 'counter',
  initialState: 0,
  decide: { add: (_state, by: number) => event('added', by) },
  evolve: { added: (state, by: number) => state + by },
})

export const sums = defineProjection({
  name: 'sums',
  from: counter,
  initial: 0,
  when: { added: (sum, { data }) => sum + data },
})

export const notes = defineTopic('notes')

export type Order =
  { readonly kind: 'block'; readonly ms: number } | { readonly kind: 'report' | 'stop' }

/** What the process has heard, by each way. */
export interface Heard {
  readonly watched: Record<string, number[]>
  readonly followed: number[]
  /** How often each event was handled. */
  readonly reacted: Record<string, number>
  readonly consumed: number[]
  readonly rows: Record<string, number | undefined>
  readonly cached: Record<string, number | undefined>
  interruptions: number
}
