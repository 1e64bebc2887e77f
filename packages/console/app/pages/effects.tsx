// What an event has caused: the events after it with its correlation id, as a tree.

import { url } from '../api.ts'
import { line } from '../format.ts'
import type { EventView } from '../types.ts'
import { Actor, Card, Empty, Trouble } from '../ui/basics.tsx'
import { useApi } from '../use.ts'

/** Events of the log that are looked at. */
const lookMax = 1_000

export function Effects({ event }: { readonly event: EventView }) {
  const { value, error } = useApi<{ events: readonly EventView[] }>(
    url(['events'], { after: event.position, limit: lookMax }),
  )
  const tree = effectsOf(event, value?.events ?? [])
  return (
    <Card title="What it caused">
      <Trouble error={error} />
      {value !== undefined && tree.length === 0 && (
        <Empty>Nothing, among the {lookMax} events that follow.</Empty>
      )}
      <Tree effects={tree} />
    </Card>
  )
}

interface Effect {
  readonly event: EventView
  readonly effects: readonly Effect[]
}

function Tree({ effects }: { readonly effects: readonly Effect[] }) {
  if (effects.length === 0) return null
  return (
    <ul class="tree">
      {effects.map(({ event, effects: more }) => (
        <li key={event.id}>
          <Actor
            name={event.actor!}
            {...(event.version !== undefined && { version: event.version })}
          />{' '}
          <strong>{event.type}</strong> <span class="faint">{line(event.data, 60)}</span>
          <Tree effects={more} />
        </li>
      ))}
    </ul>
  )
}

/**
 * The later events of the same correlation. The cause of a command that an event has sent is the command that led to the
 * event, or a message of its commit; where that is not among them, an effect stands directly below the event.
 */
export function effectsOf(
  root: EventView,
  later: readonly EventView[],
): readonly Effect[] {
  const correlation = root.correlationId ?? root.commandId
  if (correlation === undefined) return []
  const related = later.filter(
    one => one.position > root.position && one.correlationId === correlation,
  )
  const causeOf = (one: EventView): EventView =>
    related.findLast(
      other => other.position < one.position && isCausedBy(one.causationId, other),
    ) ?? root
  const below = (cause: EventView): readonly Effect[] =>
    related
      .filter(one => causeOf(one) === cause)
      .map(one => ({ event: one, effects: below(one) }))
  return below(root)
}

function isCausedBy(causationId: string | undefined, cause: EventView): boolean {
  return [cause.id, cause.commandId, cause.commitId].some(
    id => id !== undefined && causationId?.startsWith(id) === true,
  )
}
