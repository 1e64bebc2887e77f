// Runs a child that is not a machine: XState runs its logic, and what it reports goes to the durable machine.
//
// A host machine with only that child stands in for the durable machine, so that XState treats children of every kind
// of logic as usual.

import { type AnyActorLogic, createActor, createMachine, type EventObject } from 'xstate'

import { detachPlain } from '../actor/detach.js'
import type { ChildContext, ChildSpec, RunningChild } from '../model/child.js'
import { endOf, snapshotOf, childEventType } from './child-events.js'
import { checkLogic, isPromiseLogic, logicOf } from './child-logic.js'
import type { MachineNode } from './machine-node.js'
import { payloadOf } from './payload.js'
import type { MachineChild, MachineState } from './types.js'

/** The children to run for a state, including those of its child machines. */
export function childrenToRun(
  node: MachineNode,
  { children = {} }: MachineState,
  parent?: MachineChild,
): ChildSpec[] {
  const { machine } = node
  return Object.entries(children).flatMap(([id, child]): ChildSpec[] => {
    const below = node.child(child.src)
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

/** Ports that address a child's events to the child machine that owns it. */
function portsOf({ key }: MachineChild, ports: ChildContext): ChildContext {
  return {
    ...ports,
    tell: (type, data) =>
      type.startsWith('xstate.snapshot.')
        ? ports.tell(type, data)
        : ports.tell(childEventType, {
            key,
            event: { ...(data as object | undefined), type },
          }),
  }
}

function runChild(
  logic: AnyActorLogic,
  id: string,
  { input, key, heard = false }: MachineChild,
  ports: ChildContext,
): RunningChild {
  // The state keeps the input. The child's logic may change its own.
  const ownInput = detachPlain(input)
  const ends = [`xstate.done.actor.${id}`, `xstate.error.actor.${id}`]
  const report = ({ event }: { event: EventObject }) => {
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
        input: () => ownInput,
        ...(heard && { onSnapshot: { actions: report } }),
      },
      on: { '*': { actions: report } },
    }),
  )
  host.subscribe({ error: error => ports.failed('running a child', error) })
  // The key survives a restart: the logic reads it as self.sessionId.
  Object.assign(host.getSnapshot().children[id] ?? {}, { sessionId: key })
  host.start()
  return { endsByItself: isPromiseLogic(logic), stop: () => void host.stop() }
}
