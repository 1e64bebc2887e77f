// A machine's state as plain data ⇄ XState's snapshot of it.
//
// Data is the one form that is built upon: each step begins with a snapshot made of it, or with one
// that is the same as if it were (Level.reached). So an actor that has lived through all of its
// history, one that woke from a stored state and one that replayed everything stand at the very
// same thing, also in what XState leaves to the order of entering (the order of parallel states, of
// tags, of remembered states).

import type { AnyMachineSnapshot, AnyStateMachine, StateValue } from 'xstate'

import { persisted } from './child-state.js'
import type { StepScope } from './step.js'
import type { MachineState, MachineTimers } from './types.js'

/** Where a state stands in the machine: all that is needed of XState's nodes. */
interface StateNode {
  readonly id: string
  readonly order: number
  readonly states: Readonly<Record<string, StateNode>>
}

/** A snapshot as data, but for its children. */
export function toState(
  machine: AnyStateMachine,
  snapshot: AnyMachineSnapshot,
  timers?: MachineTimers,
): MachineState {
  const { status, value, context, output, error, tags, historyValue } = snapshot
  const history = historyOf(historyValue as Record<string, readonly StateNode[]>)
  return {
    status: status as MachineState['status'],
    value: inOrder(machine.root, value as StateValue),
    context,
    tags: ([...tags] as string[]).toSorted(),
    ...(output !== undefined && { output }),
    ...(error !== undefined && { error }),
    ...(timers !== undefined && { timers }),
    ...(history !== undefined && { history }),
  }
}

/** The snapshot that the data is of. */
export function toSnapshot(
  machine: AnyStateMachine,
  state: MachineState,
  scope: StepScope,
): AnyMachineSnapshot {
  return machine.restoreSnapshot(persisted(state) as never, scope)
}

/** Parallel states in the order in which the machine names them. */
function inOrder({ states }: StateNode, value: StateValue): StateValue {
  if (typeof value === 'string') return value
  const ordered: Record<string, StateValue> = {}
  for (const [key, node] of Object.entries(states)) {
    const inner = value[key]
    if (inner !== undefined) ordered[key] = inOrder(node, inner)
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
