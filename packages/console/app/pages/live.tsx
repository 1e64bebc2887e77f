// Events as they are stored, filtered. Only the last ones are kept, however many come.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks'

import type { ApiError } from '../api.ts'
import { line, number, rate, time } from '../format.ts'
import { useSession } from '../session.tsx'
import { readStream } from '../stream.ts'
import type { EventView } from '../types.ts'
import { Actor, Badge, Card, Empty, Page, Table, Trouble } from '../ui/basics.tsx'

/** Events that are kept, and that are drawn. */
const keptMax = 1_000
const shownMax = 200
/** Milliseconds between two drawings. */
const drawEvery = 250

export function LivePage() {
  const { self } = useSession()
  const [type, setType] = useState('')
  const [text, setText] = useState('')
  const [isPaused, setPaused] = useState(false)
  const { events, perSecond, total, isOpen, error } = useFeed(type, isPaused)
  const wanted = text.toLowerCase()
  const shown = useMemo(
    () =>
      events
        .filter(one => wanted === '' || textOf(one).includes(wanted))
        .slice(-shownMax)
        .toReversed(),
    [events, wanted],
  )
  return (
    <Page
      title="Live"
      about="Events of all nodes, as they are stored."
      actions={
        <>
          <Badge tone={isPaused ? 'watch' : isOpen ? 'good' : 'bad'}>
            {isPaused ? 'paused' : isOpen ? `${rate(perSecond)} a second` : 'connecting'}
          </Badge>
          <button
            type="button"
            aria-pressed={isPaused}
            onClick={() => setPaused(!isPaused)}
          >
            {isPaused ? 'Continue' : 'Pause'}
          </button>
        </>
      }
    >
      <form class="filters" onSubmit={event => event.preventDefault()}>
        <label class="field">
          <span>Type</span>
          <select value={type} onChange={event => setType(event.currentTarget.value)}>
            <option value="">All types</option>
            {self.actors.map(one => (
              <option key={one.type}>{one.type}</option>
            ))}
          </select>
        </label>
        <label class="field grow">
          <span>Contains</span>
          <input
            type="search"
            value={text}
            placeholder="an actor, an event, a principal, data"
            onInput={event => setText(event.currentTarget.value)}
          />
        </label>
      </form>
      <Trouble error={error} />
      <Card flush>
        {shown.length === 0 ? (
          <Empty>
            {total === 0
              ? 'Nothing has been stored since this page was opened.'
              : 'No event matches.'}
          </Empty>
        ) : (
          <Table
            label="Events"
            head={['Time', 'Actor', 'Event', 'Version', 'Data', 'Who']}
          >
            {shown.map(one => (
              <tr key={one.id ?? one.position}>
                <td class="time">{time(one.at)}</td>
                <td>
                  {one.actor === undefined ? (
                    '—'
                  ) : (
                    <Actor
                      name={one.actor}
                      {...(one.version !== undefined && { version: one.version })}
                    />
                  )}
                </td>
                <td>
                  {one.malformed === true ? (
                    <Badge tone="bad">{one.reason}</Badge>
                  ) : (
                    <strong>{one.type}</strong>
                  )}
                </td>
                <td class="num">{one.version}</td>
                <td class="data">{line(one.data)}</td>
                <td class="faint">{one.principal ?? one.nodeId}</td>
              </tr>
            ))}
          </Table>
        )}
      </Card>
      <p class="hint">
        {number(total)} events since this page was opened; the last {number(keptMax)} are
        kept.
      </p>
    </Page>
  )
}

function textOf({ actor, type, principal, data, nodeId }: EventView): string {
  return `${actor} ${type} ${principal} ${nodeId} ${JSON.stringify(data)}`.toLowerCase()
}

interface Feed {
  readonly events: readonly EventView[]
  readonly total: number
  readonly perSecond: number
}

function useFeed(type: string, isPaused: boolean) {
  const [feed, setFeed] = useState<Feed>({ events: [], total: 0, perSecond: 0 })
  const [isOpen, setOpen] = useState(false)
  const [error, setError] = useState<ApiError>()
  const fresh = useRef<EventView[]>([])
  const paused = useRef(isPaused)
  paused.current = isPaused
  useEffect(() => {
    const ended = new AbortController()
    let count = 0
    let drawnAt = performance.now()
    setFeed({ events: [], total: 0, perSecond: 0 })
    setError(undefined)
    const draw = () => {
      const events = fresh.current
      const now = performance.now()
      const perSecond = (count * 1_000) / (now - drawnAt)
      drawnAt = now
      const came = count
      count = 0
      if (paused.current) return
      fresh.current = []
      setFeed(before => ({
        events:
          events.length === 0
            ? before.events
            : [...before.events, ...events].slice(-keptMax),
        total: before.total + came,
        perSecond: before.perSecond * 0.7 + perSecond * 0.3,
      }))
    }
    const timer = setInterval(draw, drawEvery)
    readStream(
      `/v1/events/stream${type === '' ? '' : `?type=${encodeURIComponent(type)}`}`,
      {
        signal: ended.signal,
        onState: setOpen,
        onEvent({ data }) {
          count++
          fresh.current.push(data as EventView)
          if (fresh.current.length > keptMax) fresh.current.shift()
        },
      },
    ).catch((problem: unknown) => setError(problem as ApiError))
    return () => {
      ended.abort()
      clearInterval(timer)
      fresh.current = []
    }
  }, [type])
  return { ...feed, isOpen, error }
}
