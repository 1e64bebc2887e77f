// Children that have ended or were stopped, and that a machine's context still refers to.
//
// As in XState, such a reference keeps the child's id and its last snapshot, and what is sent to it is dropped. XState's
// actors in a snapshot serve as references here, too: they are made when the snapshot is, and never started.

import {
  type AnyActorRef,
  type AnyStateMachine,
  createActor,
  fromTransition,
} from 'xstate'

import { logicOf } from './child-logic.js'
import { persisted } from './child-state.js'
import type { EndedChild, MachineChild, MachineState } from './types.js'

interface Known {
  readonly key: string
  readonly child: EndedChild
}

/** What the references are to. */
const known = new WeakMap<object, Known>()

/** Logic for a child whose own logic is gone. */
const nothing = fromTransition((state: null) => state, null)

/** What a reference to an ended child is to; `undefined` for any other reference. */
export function endedBehind(ref: unknown): Known | undefined {
  return typeof ref === 'object' && ref !== null ? known.get(ref) : undefined
}

/** Makes a reference to an ended child. */
export function endedRef(
  { machine, self }: { readonly machine: AnyStateMachine; readonly self: AnyActorRef },
  key: string,
  // States of earlier builds name the child by its id, and keep nothing else of it.
  child: EndedChild = { id: key, src: '', status: 'stopped' },
): AnyActorRef {
  const { id, src, status, output, error, state } = child
  const snapshot =
    state === undefined
      ? { status, output, error, input: undefined }
      : { ...persisted(state), status }
  const logic = logicOf(machine, src) ?? nothing
  const options = { id, src, parent: self, snapshot: snapshot as never }
  const ref = createActor(logic, options) as AnyActorRef
  // The same in every process (STEP-2).
  Object.assign(ref, { sessionId: key })
  known.set(ref, { key, child })
  return ref
}

/** A child as it is when it ends: by itself, or because it is stopped. */
export function endedChild(
  id: string,
  { src, state }: Pick<MachineChild, 'src' | 'state'>,
  end: Pick<EndedChild, 'status' | 'output' | 'error'>,
): EndedChild {
  if (state === undefined) return { id, src, ...end }
  const { children: _children, timers: _timers, ...last } = state
  const status = last.status === 'active' ? 'stopped' : last.status
  return { id, src, status, state: last satisfies MachineState }
}
