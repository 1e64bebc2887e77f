// Where the log and the code differ: events that the code does not know, later versions than the code's, and events that were
// never stored.

import type { AnyActorDefinition } from '../../actor/definition.js'
import type { CatalogueEntry } from './catalogue.js'

export type Drift = 'unknown' | 'newer' | 'never'

/**
 * How an event differs from a definition; `undefined` if it does not. A machine's events of earlier versions may be mapped by
 * `migrate`, which nobody can ask: they are `unknown` here, and "cairn verify" tells whether they fold.
 */
export function driftOf(
  { behavior }: AnyActorDefinition,
  { event, versions }: CatalogueEntry,
): Drift | undefined {
  const known = Math.max(...Object.keys(versions).map(Number))
  const own = behavior.schemaVersionOf?.(event) ?? 1
  const { eventTypes, upcastTypes = [] } = behavior
  const isKnown =
    eventTypes === undefined ||
    eventTypes.includes(event) ||
    upcastTypes.includes(event) ||
    (behavior.knows !== undefined && (isOfMachines(event) || behavior.knows(event)))
  if (!isKnown) return 'unknown'
  return known > own ? 'newer' : undefined
}

/** The event types of a definition that are not in the log. */
export function neverSeen(
  { type, behavior }: AnyActorDefinition,
  entries: readonly CatalogueEntry[],
): string[] {
  const seen = new Set(
    entries.filter(({ actorType }) => actorType === type).map(({ event }) => event),
  )
  return (behavior.eventTypes ?? [])
    .filter(event => !seen.has(event) && !isPattern(event))
    .toSorted()
}

/** Events of XState's own: of delays, children and the start. */
function isOfMachines(event: string): boolean {
  return event.startsWith('xstate.')
}

/** A transition of a machine for events of many names. */
function isPattern(event: string): boolean {
  return event === '*' || event.endsWith('.*')
}
