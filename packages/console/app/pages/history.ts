// The history of one actor: its last events with the state after each, and what comes.
//
// Owns the events and states that are in memory, and the stream of those to come.
// HISTORY-VIEW-1. At most `eventsMax` events are kept, the last ones; others are loaded when they are looked at.
// HISTORY-VIEW-2. An actor whose states cannot be folded has its events nevertheless.

import { useEffect, useState } from 'preact/hooks'

import { type ApiError, get, url } from '../api.ts'
import { readStream } from '../stream.ts'
import type { EventView } from '../types.ts'
import { useApi } from '../use.ts'

const eventsMax = 500

export interface History {
  readonly events: ReadonlyMap<number, EventView>
  readonly states: ReadonlyMap<number, unknown>
  /** 0 for an actor without events. */
  readonly latest: number
  readonly isLoaded: boolean
  /** Why its states cannot be shown: it is parked, or this node does not host its type. */
  readonly error?: ApiError
}

const nothing: History = {
  events: new Map(),
  states: new Map(),
  latest: 0,
  isLoaded: false,
}

export function useHistory(type: string, id: string, round: number): History {
  const [history, setHistory] = useState(nothing)
  useEffect(() => {
    const ended = new AbortController()
    const { signal } = ended
    void follow(type, id, signal, change =>
      setHistory(before => (signal.aborted ? before : bounded(change(before)))),
    )
    return () => ended.abort()
  }, [type, id, round])
  return history
}

type Change = (before: History) => History

async function follow(
  type: string,
  id: string,
  signal: AbortSignal,
  update: (change: Change) => void,
): Promise<void> {
  const base = ['actors', type, id]
  const loadEvents = async () => {
    const query = { backwards: true, limit: eventsMax }
    const { events } = await get<{ events: readonly EventView[] }>(
      url([...base, 'events'], query),
      { signal },
    )
    update(before => ({
      ...before,
      isLoaded: true,
      events: new Map(
        events.toReversed().map(one => [one.version ?? 0, one] as [number, EventView]),
      ),
      latest: events[0]?.version ?? 0,
    }))
    return events
  }
  let events: readonly EventView[]
  try {
    events = await loadEvents()
    const from = (events.at(-1)?.version ?? 1) - 1
    await readStream(url([...base, 'watch'], { from }), {
      signal,
      onEvent({ data }) {
        const { version, state, event } = data as {
          readonly version: number
          readonly state: unknown
          readonly event: EventView | null
        }
        update(before => ({
          isLoaded: true,
          latest: Math.max(before.latest, version),
          states: new Map([...before.states, [version, state]]),
          events:
            event === null
              ? before.events
              : new Map([...before.events, [version, event]]),
        }))
      },
    })
  } catch (error) {
    if (!signal.aborted)
      update(before => ({ ...before, isLoaded: true, error: error as ApiError }))
  }
}

/** HISTORY-VIEW-1. */
function bounded(history: History): History {
  const { events, states, latest } = history
  const isOld = (version: number) => version <= latest - eventsMax * 1.5
  if (events.size <= eventsMax * 1.5 && states.size <= eventsMax * 1.5) return history
  const keep = <T>(map: ReadonlyMap<number, T>) =>
    new Map([...map].filter(([version]) => !isOld(version)))
  return { ...history, events: keep(events), states: keep(states) }
}

/** The state at a version: from the history, or asked for. */
export function useStateAt(
  type: string,
  id: string,
  version: number,
  { states }: History,
) {
  const isKnown = states.has(version)
  const asked = useApi<{ state: unknown }>(
    isKnown || version < 0 ? undefined : url(['actors', type, id, 'state'], { version }),
  )
  if (isKnown) return { value: { state: states.get(version) } }
  return {
    ...(asked.value !== undefined && { value: asked.value }),
    ...(asked.error !== undefined && { error: asked.error }),
  }
}

/** The event of a version: from the history, or asked for. */
export function useEventAt(
  type: string,
  id: string,
  version: number,
  { events }: History,
) {
  const known = events.get(version)
  const asked = useApi<{ events: readonly EventView[] }>(
    known !== undefined || version < 1
      ? undefined
      : url(['actors', type, id, 'events'], { from: version, to: version }),
  )
  return known ?? asked.value?.events[0]
}
