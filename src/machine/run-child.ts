// Running a child: XState runs its logic, and everything that it tells goes to the machine.
//
// A machine of nothing but that one child stands in for the durable one: so all that XState does
// for children, of whatever logic, is done as it does it.

import { type AnyActorLogic, createActor, createMachine, type EventObject } from 'xstate'

import type { ChildPorts, RunningChild } from '../model/child.js'
import { endOf, snapshotOf } from './child-events.js'
import { payloadOf } from './payload.js'
import type { MachineChild } from './types.js'

export function runChild(
  logic: AnyActorLogic,
  id: string,
  { input, key, heard = false }: MachineChild,
  ports: ChildPorts,
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
