// The statechart of a machine as plain data, for those who draw it.

import type { AnyStateMachine, AnyStateNode } from 'xstate'

import type { AnyActorDefinition } from '../actor/definition.js'

/** A state of a statechart. Ids are those of XState; the root's is the machine's. */
export interface ChartState {
  readonly id: string
  readonly key: string
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history'
  readonly tags: readonly string[]
  /** The logic that it invokes, by name. */
  readonly invokes: readonly string[]
  /** The id of the state that it starts in. */
  readonly initial?: string
  readonly transitions: readonly ChartTransition[]
  readonly states: readonly ChartState[]
}

export interface ChartTransition {
  /** The event; `xstate.after…`, `xstate.done…` and so on for those of XState, empty for an eventless one. */
  readonly event: string
  /** The ids of the states that it leads to; none for one that only runs actions. */
  readonly targets: readonly string[]
  /** Milliseconds, or the name of the delay. */
  readonly delay?: number | string
  /** The name of its guard. */
  readonly guard?: string
  /** The names of its actions. */
  readonly actions: readonly string[]
}

/** The statechart of an actor type; `undefined` for one that is no machine. */
export function chartOf(definition: AnyActorDefinition): ChartState | undefined {
  const { machine } = definition as { readonly machine?: AnyStateMachine }
  return machine === undefined ? undefined : stateOf(machine.root)
}

function stateOf(node: AnyStateNode): ChartState {
  const [initial] = node.type === 'compound' ? node.initial.target : []
  const transitions = [...node.transitions.values(), node.always ?? []].flat()
  return {
    id: node.id,
    key: node.key,
    type: node.type,
    tags: node.tags,
    invokes: node.invoke.map(({ src }) => nameOf(src)),
    ...(initial !== undefined && { initial: initial.id }),
    transitions: transitions.map(transition => ({
      event: transition.eventType,
      targets: (transition.target ?? []).map(({ id }) => id),
      ...('delay' in transition && {
        delay: transition.delay as number | string,
      }),
      ...(transition.guard !== undefined && { guard: nameOf(transition.guard) }),
      actions: transition.actions.map(nameOf),
    })),
    states: Object.values(node.states).map(stateOf),
  }
}

/** A reference to an implementation: its name, or the function itself. */
function nameOf(given: unknown): string {
  if (typeof given === 'string') return given
  if (typeof given === 'function') return given.name
  const { type } = given as { readonly type?: string }
  return type ?? ''
}
