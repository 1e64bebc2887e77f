// Invoked and spawned actors as data: which of them a state asks for.
//
// A fold makes XState's actors, too, and never starts them: they are names. One that is there
// before a step and after it is the same start of it, and keeps its key.

import type { AnyActorRef, AnyMachineSnapshot, AnyStateMachine } from 'xstate'

import { CairnError } from '../model/errors.js'
import { checkLogic, logicOf } from './child-logic.js'
import type { MachineChild, MachineState } from './types.js'

/** What a state's children come from. */
export interface Parentage {
  /** The event of the step: children that begin in it are keyed by it. */
  readonly eventId: string
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
  machine: AnyStateMachine,
  snapshot: AnyMachineSnapshot,
  { eventId, before, ended }: Parentage,
): Record<string, MachineChild> | undefined {
  // One that is over has stopped them all.
  if (snapshot.status !== 'active') return undefined
  const known = (before?.snapshot.children ?? {}) as Refs
  const children: [string, MachineChild][] = []
  for (const [id, ref] of Object.entries(snapshot.children as Refs)) {
    if (ref === undefined) continue
    const isKnown = known[id] === ref
    if (isKnown && id === ended) continue
    const same = isKnown ? before?.state.children?.[id] : undefined
    children.push([id, same ?? childOf(machine, id, ref, `${eventId}#${id}`)])
  }
  if (children.length === 0) return undefined
  return Object.fromEntries(children.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** What XState makes its children of, when a snapshot is made of a state. */
export function restoredChildren({
  children = {},
}: MachineState): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(children).map(([id, { src, input, heard = false }]) => {
      const snapshot = { status: 'active', output: undefined, error: undefined, input }
      return [id, { src, snapshot, syncSnapshot: heard }]
    }),
  )
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
  if (ref.id !== id) throw refuse('it has no id. Give it one: spawnChild(src, { id }).')
  if (systemId !== undefined)
    throw refuse('it has a systemId, which ends with a process. Use its id.')
  if (typeof src !== 'string')
    throw refuse(
      'its logic has no name to start it by again. Name it in setup({ actors }).',
    )
  checkLogic(machine, logicOf(machine, src), id)
  const { input } = ref.getSnapshot() as { readonly input?: unknown }
  return {
    src,
    ...(input !== undefined && { input }),
    key,
    ...(ref._syncSnapshot === true && { heard: true }),
  }
}
