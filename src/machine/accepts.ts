// Which events a machine accepts: by its definition, and in one state.

import { type AnyMachineSnapshot, type EventObject, getNextTransitions } from 'xstate'

/** Whether an event type is the machine's own; XState's own types start with `xstate.`. */
export function isOwnEvent(type: string): boolean {
  return type !== '' && !type.startsWith('xstate.')
}

/** Whether an event type matches a transition's descriptor: the type itself, `*`, or a prefix such as `file.*`. */
export function matchesDescriptor(type: string, descriptor: string): boolean {
  if (descriptor === type || descriptor === '*') return true
  return descriptor.endsWith('.*') && `${type}.`.startsWith(descriptor.slice(0, -1))
}

/** Whether a transition takes the event; throws what its guard throws. */
export function accepts(snapshot: AnyMachineSnapshot, event: EventObject): boolean {
  return snapshot.status === 'active' && snapshot.can(event)
}

/** Whether a child machine takes the event: it also gets an event whose guard throws, and fails by it. */
export function acceptsOrFails(
  snapshot: AnyMachineSnapshot,
  event: EventObject,
): boolean {
  try {
    return accepts(snapshot, event)
  } catch {
    return true
  }
}

/** The event types that have a transition in this state, guards aside. */
export function acceptedTypes(snapshot: AnyMachineSnapshot): string[] {
  if (snapshot.status !== 'active') return []
  const types = getNextTransitions(snapshot)
    .filter(({ target, actions }) => target !== undefined || actions.length > 0)
    .map(({ eventType }) => eventType)
  return [...new Set(types.filter(isOwnEvent))]
}
