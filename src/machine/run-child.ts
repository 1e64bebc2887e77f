// Running a child: XState runs its logic, and everything that it tells goes to the machine.
//
// A machine of nothing but that one child stands in for the durable one: so all that XState does
// for children, of whatever logic, is done as it does it.

import { type AnyActorLogic, createActor, createMachine, type EventObject } from 'xstate'

import type { ChildSpec, ChildContext, RunningChild } from '../model/child.js'
import { endOf, snapshotOf, toChild } from './child-events.js'
import { checkLogic, logicOf } from './child-logic.js'
import type { Level } from './level.js'
import { payloadOf } from './payload.js'
import type { MachineChild, MachineState } from './types.js'

/** What is to run beside a machine in a state, and beside the child machines within it. */
export function childrenToRun(
  level: Level,
  { children = {} }: MachineState,
  parent?: MachineChild,
): ChildSpec[] {
  const { machine } = level
  return Object.entries(children).flatMap(([id, child]): ChildSpec[] => {
    const below = level.child(child.src)
    if (below !== undefined)
      return child.state === undefined ? [] : childrenToRun(below, child.state, child)
    const start = (ports: ChildContext): RunningChild => {
      const logic = logicOf(machine, child.src)
      checkLogic(machine, logic, id)
      return runChild(
        logic,
        id,
        child,
        parent === undefined ? ports : portsOf(parent, ports),
      )
    }
    return [{ key: child.key, start }]
  })
}

/** What the child of a child machine sends is for that one. */
function portsOf({ key }: MachineChild, ports: ChildContext): ChildContext {
  return {
    ...ports,
    tell: (type, data) =>
      type.startsWith('xstate.snapshot.')
        ? ports.tell(type, data)
        : ports.tell(toChild, { key, event: { ...(data as object | undefined), type } }),
  }
}

function runChild(
  logic: AnyActorLogic,
  id: string,
  { input, key, heard = false }: MachineChild,
  ports: ChildContext,
): RunningChild {
  const ends = [`xstate.done.actor.${id}`, `xstate.error.actor.${id}`]
  const hear = ({ event }: { event: EventObject }) => {
    const { type } = event
    if (ends.includes(type)) return ports.end(endOf(event, id, key))
    if (type !== `xstate.snapshot.${id}`) return ports.tell(type, payloadOf(event))
    const { snapshot } = event as EventObject & { readonly snapshot?: unknown }
    return ports.tell(type, { key, snapshot: snapshotOf(snapshot) })
  }
  const host = createActor(
    createMachine({
      invoke: {
        id,
        src: logic,
        input: () => input,
        ...(heard && { onSnapshot: { actions: hear } }),
      },
      on: { '*': { actions: hear } },
    }),
  )
  host.subscribe({ error: error => ports.failed('running a child', error) })
  // The name that survives: the logic finds it as self.sessionId.
  Object.assign(host.getSnapshot().children[id] ?? {}, { sessionId: key })
  host.start()
  return { stop: () => void host.stop() }
}
