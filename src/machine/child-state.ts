// Invoked and spawned actors as data: which children a state asks for.
//
// The fold makes XState's actors too, but never starts them: they serve as names. An actor that exists before and after
// a step is the same start of the same child, and keeps its key.

import type { AnyActorRef, AnyMachineSnapshot, AnyStateMachine } from 'xstate'

import { CairnError } from '../model/errors.js'
import { checkLogic, isMachine, logicOf } from './child-logic.js'
import { copyForRevival } from './refs.js'
import { pathSeparator } from './timers.js'
import type { MachineChild, MachineState } from './types.js'

/** The step whose children are collected. */
export interface StepChildren {
  /** The event of the step: it is part of the keys of children that start in it. */
  readonly eventId: string
  /** The machine whose step it is: ids of children from the actor's machine down. */
  readonly path: readonly string[]
  /** Before the step. */
  readonly before?: {
    readonly snapshot: AnyMachineSnapshot
    readonly state: MachineState
  }
  /** The child that ended by the event. */
  readonly ended?: string | undefined
}

/** XState's references have fields that their type does not declare. */
interface ChildRef extends AnyActorRef {
  readonly systemId?: string
  readonly _syncSnapshot?: boolean
}

type Refs = Readonly<Record<string, ChildRef | undefined>>

/** The children of a state. Throws `invalid-definition` for a child that cannot be durable. */
export function childrenOf(
  machine: AnyStateMachine,
  snapshot: AnyMachineSnapshot,
  { eventId, path, before, ended }: StepChildren,
): Record<string, MachineChild> | undefined {
  // A machine that has ended has stopped all its children.
  if (snapshot.status !== 'active') return undefined
  const known = (before?.snapshot.children ?? {}) as Refs
  const children: [string, MachineChild][] = []
  for (const [id, ref] of Object.entries(snapshot.children as Refs)) {
    if (ref === undefined) continue
    const isKnown = known[id] === ref
    const same = isKnown ? before?.state.children?.[id] : undefined
    // XState keeps ended children. Here only invoked machines are kept, so that an event sent to one by its id is
    // dropped while the invoking state lasts, as in XState.
    const hasEnded = isKnown && id === ended
    if (hasEnded && (same?.state === undefined || !isInvoked(snapshot, id))) continue
    const key = `${eventId}#${[...path, id].join('/')}`
    children.push([id, same ?? childOf(machine, id, ref, key)])
  }
  if (children.length === 0) return undefined
  return Object.fromEntries(children.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function isInvoked(snapshot: AnyMachineSnapshot, child: string): boolean {
  const { _nodes: nodes } = snapshot as unknown as {
    readonly _nodes: readonly { readonly invoke: readonly { readonly id: string }[] }[]
  }
  return nodes.some(({ invoke }) => invoke.some(({ id }) => id === child))
}

/** The children in the form that XState restores them from. */
export function restoredChildren({
  children = {},
}: MachineState): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(children).map(([id, { src, input, heard = false, state }]) => {
      const snapshot =
        state === undefined
          ? { status: 'active', output: undefined, error: undefined, input }
          : persisted(state)
      return [id, { src, snapshot, syncSnapshot: heard }]
    }),
  )
}

/** A state in the form that XState restores it from. */
export function persisted(state: MachineState) {
  const { status, value, context, output, error, history = {} } = state
  const historyValue = Object.fromEntries(
    Object.entries(history).map(([id, states]) => [
      id,
      states.map(remembered => ({ id: remembered })),
    ]),
  )
  const children = restoredChildren(state)
  return {
    status,
    value,
    context: copyForRevival(context as unknown, state.children ?? {}),
    output,
    error,
    children,
    historyValue,
  }
}

function childOf(
  machine: AnyStateMachine,
  id: string,
  ref: ChildRef,
  key: string,
): MachineChild {
  const { src, systemId } = ref
  const refuse = (why: string) =>
    new CairnError('invalid-definition', `Machine ${machine.id}, child ${id}: ${why}`, {
      details: { machine: machine.id, child: id },
    })
  if (ref.id !== id || id === ref.sessionId)
    throw refuse('it has no id. Give it one: spawnChild(src, { id }).')
  if (systemId !== undefined)
    throw refuse('it has a systemId, which is lost when the process ends. Use its id.')
  if (typeof src !== 'string')
    throw refuse(
      'its logic has no name, so no node could start it again. Name it in setup({ actors }).',
    )
  const logic = logicOf(machine, src)
  checkLogic(machine, logic, id)
  const heard = ref._syncSnapshot === true && { heard: true }
  if (isMachine(logic)) {
    if (id.includes(pathSeparator))
      throw refuse(`its id contains ${pathSeparator}. Use an id without it.`)
    return { src, key, ...heard } // Its first step makes its state (step-effects.ts).
  }
  const { input } = ref.getSnapshot() as { readonly input?: unknown }
  return {
    src,
    ...(input !== undefined && { input }),
    key,
    ...heard,
  }
}
