// How often each transition of a machine was taken, and how long the machine was in the state before, from a history.

import type { ChartState } from '../types.ts'
import { activeIds, visit } from './active.ts'

export interface Step {
  readonly event: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** The state value after it. */
  readonly value: unknown
}

/** By the key of an edge: `SOURCE EVENT TARGET`. */
export type TransitionStats = ReadonlyMap<
  string,
  { readonly count: number; readonly median: number }
>

export function edgeKey(source: string, event: string, target: string): string {
  return `${source} ${event} ${target}`
}

export function transitionStats(
  chart: ChartState,
  steps: readonly Step[],
): TransitionStats {
  const times = new Map<string, number[]>()
  const transitions: [ChartState, string, string][] = []
  visit(chart, state => {
    for (const { event, targets } of state.transitions)
      for (const target of targets.length > 0 ? targets : [state.id])
        transitions.push([state, event, target])
  })
  /** When each active state was entered. */
  let entered = new Map<string, number>()
  let before: ReadonlySet<string> = new Set()
  for (const { event, at, value } of steps) {
    const now = activeIds(chart, value)
    for (const [source, type, target] of transitions) {
      if (type !== event || !before.has(source.id) || !now.has(target)) continue
      const key = edgeKey(source.id, type, target)
      times.set(key, [...(times.get(key) ?? []), at - (entered.get(source.id) ?? at)])
    }
    entered = new Map([...now].map(id => [id, before.has(id) ? entered.get(id)! : at]))
    before = now
  }
  return new Map(
    [...times].map(([key, all]) => [key, { count: all.length, median: middle(all) }]),
  )
}

function middle(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1]!
}
