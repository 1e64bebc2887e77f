// Invoked and spawned actors as data: which of them a state asks for.
//
// A fold makes XState's actors, too, and never starts them: they are names. One that is there
// before a step and after it is the same start of it, and keeps its key.

import type { AnyActorRef, AnyMachineSnapshot, AnyStateMachine } from 'xstate'

import { CairnError } from '../model/errors.js'
import { checkLogic, isMachine, logicOf } from './child-logic.js'
import type { Level } from './level.js'
import { unshared } from './refs.js'
import { below } from './timers.js'
import type { MachineChild, MachineState } from './types.js'

/** What a state's children come from. */
export interface Parentage {
  /** The event of the step: children that begin in it are keyed by it. */
  readonly eventId: string
  /** The child machine whose step it is, by ids from the actor's machine down. */
  readonly path: readonly string[]
  /** Before the step. */
  readonly before?: {
    readonly snapshot: AnyMachineSnapshot
    readonly state: MachineState
  }
  /** The child whose end the event was. */
  readonly ended?: string | undefined
}

/** XState's refs carry more than their type says. */
interface ChildRef extends AnyActorRef {
  readonly systemId?: string
  readonly _syncSnapshot?: boolean
}

type Refs = Readonly<Record<string, ChildRef | undefined>>

/** The children that are to run in a state. Throws `invalid-definition` for those that cannot be durable. */
export function childrenOf(
  { machine }: Level,
  snapshot: AnyMachineSnapshot,
  { eventId, path, before, ended }: Parentage,
): Record<string, MachineChild> | undefined {
  // One that is over has stopped them all.
  if (snapshot.status !== 'active') return undefined
  const known = (before?.snapshot.children ?? {}) as Refs
  const children: [string, MachineChild][] = []
  for (const [id, ref] of Object.entries(snapshot.children as Refs)) {
    if (ref === undefined) continue
    const isKnown = known[id] === ref
    const same = isKnown ? before?.state.children?.[id] : undefined
    // XState keeps those that are over. Here it is the machines that a state invokes: what is sent to
    // one by its id is passed over as long as that state lasts, as there.
    const isOver = isKnown && id === ended
    if (isOver && (same?.state === undefined || !isInvoked(snapshot, id))) continue
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

/** What XState makes its children of, when a snapshot is made of a state. */
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

/** A state as XState restores one. */
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
    context: unshared(context as unknown),
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
    throw refuse('it has a systemId, which ends with a process. Use its id.')
  if (typeof src !== 'string')
    throw refuse(
      'its logic has no name to start it by again. Name it in setup({ actors }).',
    )
  const logic = logicOf(machine, src)
  checkLogic(machine, logic, id)
  const heard = ref._syncSnapshot === true && { heard: true }
  if (isMachine(logic)) {
    if (id.includes(below)) throw refuse(`its id has a ${below}. Take it out.`)
    return { src, key, ...heard } // Its state follows from its first step (family.ts).
  }
  const { input } = ref.getSnapshot() as { readonly input?: unknown }
  return {
    src,
    ...(input !== undefined && { input }),
    key,
    ...heard,
  }
}
