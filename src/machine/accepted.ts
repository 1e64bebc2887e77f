// Which events a machine takes: by its whole definition, and in one state.

import { type AnyMachineSnapshot, type EventObject, getNextTransitions } from 'xstate'

/** Whether an event is of the machine's own, and none of those that XState makes. */
export function isOwn(type: string): boolean {
  return type !== '' && !type.startsWith('xstate.')
}

/** Whether a type is what a transition is written for: itself, `*`, or a beginning as `file.*`. */
export function isMeant(type: string, descriptor: string): boolean {
  if (descriptor === type || descriptor === '*') return true
  return descriptor.endsWith('.*') && `${type}.`.startsWith(descriptor.slice(0, -1))
}

/** Whether a transition takes the event; throws what its guard throws. */
export function accepts(snapshot: AnyMachineSnapshot, event: EventObject): boolean {
  return snapshot.status === 'active' && snapshot.can(event)
}

/** The same of a child machine: one whose guard throws fails by the event, and has to get it. */
export function concerns(snapshot: AnyMachineSnapshot, event: EventObject): boolean {
  try {
    return accepts(snapshot, event)
  } catch {
    return true
  }
}

/** What has a transition in this state, whatever its guard says. */
export function acceptedTypes(snapshot: AnyMachineSnapshot): string[] {
  if (snapshot.status !== 'active') return []
  const types = getNextTransitions(snapshot)
    .filter(({ target, actions }) => target !== undefined || actions.length > 0)
    .map(({ eventType }) => eventType)
  return [...new Set(types.filter(isOwn))]
}
