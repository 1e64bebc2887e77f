// A machine's state as plain data ⇄ XState's snapshot of it.
//
// Data is the only form that steps build on: each step starts from a snapshot restored from data, or from one that
// equals it (MachineNode.remember). An actor that has lived through its whole history, one that woke from a stored state
// and one that replayed every event therefore reach the same state, also where XState depends on the order of entering
// (parallel states, tags, remembered states).

import type { AnyMachineSnapshot, AnyStateMachine, StateValue } from 'xstate'

import { persisted } from './child-state.js'
import type { StepScope } from './step.js'
import type { MachineState, MachineTimers } from './types.js'

/** The part of XState's state nodes that is used here. */
interface StateNode {
  readonly id: string
  readonly order: number
  readonly states: Readonly<Record<string, StateNode>>
}

/** A snapshot as data, without its children. */
export function toState(
  machine: AnyStateMachine,
  snapshot: AnyMachineSnapshot,
  timers?: MachineTimers,
): MachineState {
  const { status, value, context, output, error, tags, historyValue } = snapshot
  const history = historyOf(historyValue as Record<string, readonly StateNode[]>)
  return {
    status: status as MachineState['status'],
    value: inDeclaredOrder(machine.root, value as StateValue),
    context,
    tags: ([...tags] as string[]).toSorted(),
    ...(output !== undefined && { output }),
    ...(error !== undefined && { error }),
    ...(timers !== undefined && { timers }),
    ...(history !== undefined && { history }),
  }
}

/** Restores the snapshot of a state. */
export function toSnapshot(
  machine: AnyStateMachine,
  state: MachineState,
  scope: StepScope,
): AnyMachineSnapshot {
  return machine.restoreSnapshot(persisted(state) as never, scope)
}

/** Sorts parallel states in the order in which the machine declares them. */
export function inDeclaredOrder({ states }: StateNode, value: StateValue): StateValue {
  if (typeof value === 'string') return value
  const ordered: Record<string, StateValue> = {}
  for (const [key, node] of Object.entries(states)) {
    const inner = value[key]
    if (inner !== undefined) ordered[key] = inDeclaredOrder(node, inner)
  }
  return ordered
}

function historyOf(
  remembered: Readonly<Record<string, readonly StateNode[]>>,
): Record<string, string[]> | undefined {
  const entries = Object.entries(remembered)
  if (entries.length === 0) return undefined
  return Object.fromEntries(
    entries
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([id, nodes]) => [
        id,
        nodes.toSorted((a, b) => a.order - b.order).map(node => node.id),
      ]),
  )
}
