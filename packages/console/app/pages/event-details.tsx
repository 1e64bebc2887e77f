// One event: what it says, who asked for it, and where it is stored.

import { short, time } from '../format.ts'
import type { EventView } from '../types.ts'
import { Actor, Card } from '../ui/basics.tsx'
import { Json } from '../ui/json.tsx'

export function EventDetails({ event }: { readonly event: EventView }) {
  const { version, type, data, principal, nodeId, commandId } = event
  const { correlationId, causationId, position, at } = event
  const cause = actorOf(causationId)
  return (
    <Card title={`Event of version ${version}`}>
      <p class="event-name">{type}</p>
      <dl class="facts">
        <dt>Who asked</dt>
        <dd>{principal ?? <span class="faint">not known by name</span>}</dd>
        {causationId !== undefined && (
          <>
            <dt>Caused by</dt>
            <dd title={causationId}>
              {cause === undefined ? short(causationId) : <Actor {...cause} />}
            </dd>
          </>
        )}
        <dt>When</dt>
        <dd>{time(at)}</dd>
        <dt>Node</dt>
        <dd>{nodeId}</dd>
        <dt>Position</dt>
        <dd>{position}</dd>
        <dt>Command</dt>
        <dd>{commandId}</dd>
        {correlationId !== undefined && (
          <>
            <dt>Correlation</dt>
            <dd title={correlationId}>{short(correlationId)}</dd>
          </>
        )}
      </dl>
      {data !== null && data !== undefined && (
        <Json label={`Data of ${type}`} value={data} />
      )}
    </Card>
  )
}

/** Ids of events are `TYPE/ID/VERSION`. */
export function actorOf(
  id: string | undefined,
): { readonly name: string; readonly version: number } | undefined {
  const [, name, version] = /^([^/]+\/.+)\/(\d+)(?:[#/].*)?$/.exec(id ?? '') ?? []
  return name === undefined ? undefined : { name, version: Number(version) }
}
