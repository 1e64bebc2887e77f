// What is wrong with the state of a machine's actor, as the machine is today: states that it does not have, children whose logic
// it does not know, and dead ends.
//
// A dead end is a state that is not final and that nothing leads out of: no event, delay or end of a child has a transition to a
// state that is not active already. Guards count as passed, since what they look at may change. A machine whose active states
// are all that it has is in no dead end as long as it accepts something.

import type { AnyStateMachine, AnyStateNode, StateValue } from 'xstate'

import type { AnyActorDefinition } from '../actor/definition.js'
import { show } from '../model/show.js'
import { logicOf, isMachine } from './child-logic.js'
import type { MachineState } from './types.js'

export interface StateFault {
  readonly kind: 'dead-end' | 'missing-state' | 'unknown-child'
  /** What is wrong, and what to do. */
  readonly text: string
}

/**
 * The faults of a state; none for a definition that is no machine.
 * @param ends ids of states that are meant to be ends, such as `door.broken`
 */
export function stateFaults(
  definition: AnyActorDefinition,
  state: unknown,
  ends: ReadonlySet<string>,
): StateFault[] {
  const { machine } = definition as { readonly machine?: AnyStateMachine }
  if (machine === undefined) return []
  if (!isMachineState(state))
    return [
      {
        kind: 'missing-state',
        text: `its stored state, ${show(state)}, is not one of a machine: raise the version of the definition, so that it is folded again.`,
      },
    ]
  return [...faultsOf(machine, state, ends, '')]
}

function isMachineState(state: unknown): state is MachineState {
  return (
    typeof state === 'object' && state !== null && 'status' in state && 'value' in state
  )
}

function* faultsOf(
  machine: AnyStateMachine,
  state: MachineState,
  ends: ReadonlySet<string>,
  where: string,
): Generator<StateFault> {
  if (state.status !== 'active') return
  const value = JSON.stringify(state.value)
  const active = new Set<AnyStateNode>()
  const missing = collect(machine.root, state.value as StateValue, active)
  if (missing !== undefined) {
    const text = `${where}it is in state ${value}, and the machine has no ${show(missing)}: keep that state, or give the states of earlier versions another one with migrateState or migrate.`
    return yield { kind: 'missing-state', text }
  }
  for (const [id, child] of Object.entries(state.children ?? {})) {
    const logic = knownLogic(machine, child.src)
    const inChild = `${where}in its child ${show(id)}, `
    if (logic === undefined) {
      const text = `${where}its child ${show(id)} runs ${show(child.src)}, which the machine does not know: keep it in setup({ actors }).`
      yield { kind: 'unknown-child', text }
    } else if (isMachine(logic) && child.state !== undefined)
      yield* faultsOf(logic, child.state, ends, inChild)
  }
  if ([...active].some(({ id }) => ends.has(id))) return
  const ways = waysOf(active, state)
  if (ways.leads || (ways.accepts && countLeaves(machine.root) === leavesOf(active)))
    return
  const ending = [...active].find(({ type }) => type === 'atomic')?.id ?? machine.id
  const stays = ways.accepts ? ', although it accepts events' : ''
  const text = `${where}it is in state ${value}, which is not final and which nothing leads out of${stays}: add a transition, make it final, or say that it is meant so: --end ${ending}`
  yield { kind: 'dead-end', text }
}

/**
 * Collects the nodes of a state value; returns the id of the first one that does not exist. A state that has got states of its own
 * since is in its first one, as XState restores it.
 */
function collect(
  node: AnyStateNode,
  value: StateValue,
  active: Set<AnyStateNode>,
): string | undefined {
  active.add(node)
  const named = typeof value === 'string' ? { [value]: {} } : value
  for (const [key, below] of Object.entries(named) as [string, StateValue][]) {
    const child = Object.hasOwn(node.states, key) ? node.states[key] : undefined
    if (child === undefined) return `${node.id}.${key}`
    const found = collect(child, below, active)
    if (found !== undefined) return found
  }
  for (const unnamed of entered(node))
    if (node.type === 'parallel' || Object.keys(named).length === 0)
      if (!active.has(unnamed)) collect(unnamed, {}, active)
  return undefined
}

/** The states that a node is in where nothing says another one. */
function entered(node: AnyStateNode): readonly AnyStateNode[] {
  if (node.type === 'parallel')
    return (Object.values(node.states) as AnyStateNode[]).filter(
      ({ type }) => type !== 'history',
    )
  return node.type === 'compound' ? node.initial.target : []
}

interface Ways {
  /** Something leads to a state that is not active. */
  readonly leads: boolean
  /** Some event is accepted. */
  readonly accepts: boolean
}

function waysOf(active: ReadonlySet<AnyStateNode>, state: MachineState): Ways {
  let [leads, accepts, mayPass] = [false, false, false]
  for (const node of active) {
    // Its region is at its end, and waits for the others.
    if (node.type === 'final') continue
    const always = (node.always ?? []) as readonly Transition[]
    if (always.some(one => leaves(one, active))) mayPass = true
    for (const [event, transitions] of node.transitions as Map<
      string,
      readonly Transition[]
    >) {
      if (event === '' || !canHappen(event, state)) continue
      accepts = true
      if (transitions.some(one => leaves(one, active))) leads = true
    }
  }
  // An eventless transition is tried after each event that is accepted.
  return { leads: leads || (accepts && mayPass), accepts }
}

interface Transition {
  readonly target?: readonly AnyStateNode[] | undefined
}

function leaves({ target }: Transition, active: ReadonlySet<AnyStateNode>): boolean {
  return target?.some(node => !active.has(node)) === true
}

/** Whether an event of XState's own can still come; any other can. */
function canHappen(event: string, { timers = {}, children = {} }: MachineState): boolean {
  // Taken when the last state within becomes final, which then is the way out.
  if (event.startsWith('xstate.done.state.')) return false
  if (event.startsWith('xstate.after.')) return Object.hasOwn(timers, event)
  for (const end of ['xstate.done.actor.', 'xstate.error.actor.', 'xstate.snapshot.'])
    if (event.startsWith(end)) return Object.hasOwn(children, event.slice(end.length))
  return true
}

function countLeaves(node: AnyStateNode): number {
  const below = Object.values(node.states) as AnyStateNode[]
  if (below.length === 0) return node.type === 'history' ? 0 : 1
  return below.reduce((sum, one) => sum + countLeaves(one), 0)
}

function leavesOf(active: ReadonlySet<AnyStateNode>): number {
  return [...active].filter(({ states }) => Object.keys(states).length === 0).length
}

/** Not there for a name of logic that was written in a state which no longer exists. */
function knownLogic(machine: AnyStateMachine, src: string) {
  try {
    return logicOf(machine, src)
  } catch {
    return undefined
  }
}
