// The states that a machine is in, from its state value.

import type { ChartState } from '../types.ts'

/** Ids of all active states, those that hold others included; the root is not one of them. */
export function activeIds(chart: ChartState, value: unknown): ReadonlySet<string> {
  const found = new Set<string>()
  collect(chart, value, found)
  return found
}

function collect(state: ChartState, value: unknown, found: Set<string>): void {
  const inside =
    typeof value === 'string'
      ? [[value, undefined] as const]
      : Object.entries((value ?? {}) as Record<string, unknown>)
  for (const [key, deeper] of inside) {
    const child = state.states.find(one => one.key === key)
    if (child === undefined) continue
    found.add(child.id)
    collect(child, deeper, found)
  }
}

export function visit(state: ChartState, look: (state: ChartState) => void): void {
  look(state)
  for (const one of state.states) visit(one, look)
}
