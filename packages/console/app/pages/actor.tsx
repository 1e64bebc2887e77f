// One actor: its state at any version, what led to it, who asked, and what came of it; and what can be done about it.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks'

import { send, url } from '../api.ts'
import { transitionStats } from '../chart/stats.ts'
import { duration, number, quote, time } from '../format.ts'
import { actorLink } from '../router.ts'
import { useCommandLine, useRole } from '../session.tsx'
import type { ChartState, Directives, EventView, MachineState } from '../types.ts'
import { Badge, Card, Empty, Page, Trouble } from '../ui/basics.tsx'
import { type Question, useConfirm } from '../ui/confirm.tsx'
import { Json } from '../ui/json.tsx'
import { Statechart } from '../ui/statechart.tsx'
import { useApi, useLatest } from '../use.ts'
import { Effects } from './effects.tsx'
import { EventDetails } from './event-details.tsx'
import { type History, useEventAt, useHistory, useStateAt } from './history.ts'
import { TryCommand } from './try-command.tsx'

export function ActorPage({
  type,
  id,
  query,
}: {
  readonly type: string
  readonly id: string
  readonly query: URLSearchParams
}) {
  const name = `${type}/${id}`
  const [round, setRound] = useState(0)
  const history = useHistory(type, id, round)
  const directives = useApi<{ directives: Directives }>(
    url(['actors', type, id, 'supervision']),
    4_000,
  )
  const chart = useApi<{ chart: ChartState | null }>(url(['types', type, 'chart']))
  const asked = query.get('v')
  const isFollowing = asked === null
  const version = isFollowing ? history.latest : Math.min(Number(asked), history.latest)
  const event = useEventAt(type, id, version, history)
  const now = useStateAt(type, id, history.isLoaded ? version : -1, history)
  const before = useStateAt(type, id, history.isLoaded ? version - 1 : -1, history)
  const goTo = (to: number | undefined) => showPlace(actorLink(name, to))
  const statechart = chart.value?.chart ?? undefined
  const stats = useStats(statechart, history)
  // A watch of an actor that parks waits for the end of it; reading the state tells.
  const latest = useApi(url(['actors', type, id, 'state'], { freshness: 'local' }), 3_000)
  const parked = latest.error?.code === 'actor-parked' ? latest.error : undefined
  const wasParked = useRef(false)
  useEffect(() => {
    // Mended: what could not be folded can be shown now.
    if (wasParked.current && parked === undefined && latest.value !== undefined)
      setRound(before => before + 1)
    wasParked.current = parked !== undefined
  }, [parked, latest.value])
  const paused = directives.value?.directives.paused ?? undefined
  const refresh = () => {
    directives.reload()
    latest.reload()
    setRound(round + 1)
  }
  const state = now.value?.state as MachineState | undefined
  return (
    <Page
      title={
        <>
          <span class="actor-type">{type}/</span>
          {id}
        </>
      }
      about={
        <>
          {number(history.latest)} {history.latest === 1 ? 'version' : 'versions'}{' '}
          {parked !== undefined && <Badge tone="bad">parked</Badge>}
          {paused !== undefined && <Badge tone="watch">paused by {paused.by}</Badge>}
          {parked === undefined && paused === undefined && history.isLoaded && (
            <Badge tone="good">accepts commands</Badge>
          )}
        </>
      }
      actions={
        <Directions
          name={name}
          type={type}
          id={id}
          isParked={parked !== undefined}
          isPaused={paused !== undefined}
          onDone={refresh}
        />
      }
    >
      {parked !== undefined && <Parked error={parked} onShow={goTo} />}
      {history.error !== undefined && history.error.code !== 'actor-parked' && (
        <Trouble error={history.error} />
      )}
      {history.isLoaded && history.latest === 0 ? (
        <Card>
          <Empty>This actor has no events yet: nothing was ever asked of it.</Empty>
        </Card>
      ) : (
        <>
          <Slider
            history={history}
            version={version}
            isFollowing={isFollowing}
            event={event}
            onChange={goTo}
          />
          <div class="actor-grid">
            <div>
              {statechart !== undefined && (
                <Card
                  title="Statechart"
                  extra={
                    state === undefined ? undefined : (
                      <Badge tone={state.status === 'active' ? 'info' : 'plain'}>
                        {state.status}
                      </Badge>
                    )
                  }
                >
                  <Statechart
                    chart={statechart}
                    value={state?.value}
                    stats={stats}
                    {...(event?.type !== undefined && { lastEvent: event.type })}
                  />
                </Card>
              )}
              <Card title={`State at version ${version}`}>
                {now.error !== undefined ? (
                  <p class="faint">
                    {now.error.code === 'actor-parked'
                      ? 'The state cannot be folded up to this version.'
                      : now.error.message}
                  </p>
                ) : now.value === undefined ? (
                  <p class="faint">…</p>
                ) : (
                  <Json
                    label={`State at version ${version}`}
                    value={now.value.state}
                    {...(before.value !== undefined && {
                      before: { value: before.value.state },
                    })}
                  />
                )}
              </Card>
              <TryCommand type={type} id={id} version={version} state={now.value} />
            </div>
            <div>
              {event !== undefined && <EventDetails event={event} />}
              {event !== undefined && <Effects event={event} />}
              <Timeline
                history={history}
                version={version}
                {...(parked?.details['version'] !== undefined && {
                  poison: Number(parked.details['version']),
                })}
              />
            </div>
          </div>
        </>
      )}
    </Page>
  )
}

/** Without a new entry for each step of the slider. */
function showPlace(hash: string): void {
  window.history.replaceState(null, '', hash)
  dispatchEvent(new HashChangeEvent('hashchange'))
}

function useStats(chart: ChartState | undefined, { events, states }: History) {
  return useMemo(() => {
    if (chart === undefined) return undefined
    const steps = [...states].flatMap(([version, state]) => {
      const event = events.get(version)
      const { value } = state as MachineState
      return event?.type === undefined || event.at === undefined
        ? []
        : [{ event: event.type, at: Date.parse(event.at), value }]
    })
    return transitionStats(chart, steps)
  }, [chart, events, states])
}

function Parked({
  error,
  onShow,
}: {
  readonly error: {
    readonly details: Readonly<Record<string, unknown>>
    readonly message: string
  }
  onShow(version: number): void
}) {
  const { reason, version } = error.details
  return (
    <div class="note bad" role="alert">
      <strong>Parked: it fails every command and stores nothing</strong>
      <span>{typeof reason === 'string' ? reason : error.message}</span>
      {typeof version === 'number' && (
        <span>
          <button type="button" onClick={() => onShow(version)}>
            Show the event of version {version}
          </button>
        </span>
      )}
    </div>
  )
}

function Slider({
  history,
  version,
  isFollowing,
  event,
  onChange,
}: {
  readonly history: History
  readonly version: number
  readonly isFollowing: boolean
  readonly event: EventView | undefined
  onChange(version: number | undefined): void
}) {
  const { latest } = history
  const [isPlaying, setPlaying] = useState(false)
  const at = useLatest({ version, latest, onChange })
  useEffect(() => {
    if (!isPlaying) return
    const timer = setInterval(() => {
      const { version: shown, latest: end, onChange: go } = at.current
      if (shown >= end) setPlaying(false)
      else go(shown + 1 >= end ? undefined : shown + 1)
    }, 700)
    return () => clearInterval(timer)
  }, [isPlaying])
  return (
    <section class="card slider" aria-label="Version">
      <div class="slider-row">
        <button
          type="button"
          class="primary play"
          onClick={() => {
            if (!isPlaying && version >= latest) onChange(0)
            setPlaying(!isPlaying)
          }}
        >
          {isPlaying ? 'Stop' : 'Play'}
        </button>
        <input
          type="range"
          min={0}
          max={Math.max(1, latest)}
          step={1}
          value={version}
          aria-label="Version"
          aria-valuetext={`version ${version} of ${latest}${event?.type === undefined ? '' : `, ${event.type}`}`}
          style={{ '--at': `${latest === 0 ? 0 : (100 * version) / latest}%` }}
          onInput={({ currentTarget: { value } }) => {
            setPlaying(false)
            onChange(Number(value) >= latest ? undefined : Number(value))
          }}
        />
        <output>
          <b>{number(version)}</b> / {number(latest)}
        </output>
      </div>
      <div class="slider-row under">
        <span class="faint">
          {version === 0
            ? 'before the first event'
            : `${event?.type ?? ''} ${time(event?.at)}`}
        </span>
        {isFollowing ? (
          <Badge tone="good">live</Badge>
        ) : (
          <button type="button" class="quiet" onClick={() => onChange(undefined)}>
            Go to the latest
          </button>
        )}
      </div>
    </section>
  )
}

const rowsMax = 60

function Timeline({
  history,
  version,
  poison,
}: {
  readonly history: History
  readonly version: number
  readonly poison?: number
}) {
  const { events, latest } = history
  const first = Math.max(1, Math.min(version - rowsMax / 3, latest - rowsMax + 1))
  const shown = [...events.values()]
    .filter(one => (one.version ?? 0) >= first && (one.version ?? 0) < first + rowsMax)
    .toReversed()
  return (
    <Card title="Timeline">
      <ol class="timeline">
        {shown.map(one => {
          const previous = events.get((one.version ?? 0) - 1)
          const since =
            previous?.at === undefined || one.at === undefined
              ? undefined
              : Date.parse(one.at) - Date.parse(previous.at)
          return (
            <li key={one.id} class={one.version === poison ? 'poison' : undefined}>
              <a
                href={actorLink(one.actor!, one.version)}
                aria-current={one.version === version ? 'step' : undefined}
              >
                <span class="num">{one.version}</span>
                <strong>{one.type}</strong>
                <span class="faint">
                  {one.version === poison
                    ? 'cannot be folded'
                    : since === undefined
                      ? time(one.at)
                      : `+${duration(since)}`}
                </span>
              </a>
            </li>
          )
        })}
      </ol>
    </Card>
  )
}

function Directions({
  name,
  type,
  id,
  isParked,
  isPaused,
  onDone,
}: {
  readonly name: string
  readonly type: string
  readonly id: string
  readonly isParked: boolean
  readonly isPaused: boolean
  onDone(): void
}) {
  const isOperator = useRole('operator')
  const commandLine = useCommandLine()
  const ask = useConfirm()
  if (!isOperator) return null
  const give = (
    verb: 'pause' | 'resume' | 'retry' | 'skip',
    question: Pick<Question, 'title' | 'text' | 'verb' | 'isDangerous'>,
  ) => (
    <button
      type="button"
      class={question.isDangerous === true ? 'danger' : ''}
      onClick={() =>
        ask({
          ...question,
          wantsReason: true,
          commandLine: reason =>
            commandLine(
              `actor ${verb} ${quote(name)}${reason === '' ? '' : ` --reason ${quote(reason)}`}`,
            ),
          async run(reason) {
            await send(url(['actors', type, id, 'supervision', verb]), {
              method: 'POST',
              body: reason === '' ? {} : { reason },
            })
            onDone()
          },
        })
      }
    >
      {question.verb}…
    </button>
  )
  return (
    <>
      {isParked &&
        give('retry', {
          title: 'Read the actor again?',
          text: 'Its history is folded again, by the code that its node runs now.',
          verb: 'Read again',
        })}
      {isParked &&
        give('skip', {
          title: 'Skip the event that it is parked on?',
          text: 'From now on, every node folds the state without this event. The event stays in the history.',
          verb: 'Skip the event',
          isDangerous: true,
        })}
      {isPaused
        ? give('resume', {
            title: 'Resume the actor?',
            text: 'It accepts commands again, on every node.',
            verb: 'Resume',
          })
        : give('pause', {
            title: 'Pause the actor?',
            text: 'After the running command it accepts none, on any node, until it is resumed.',
            verb: 'Pause',
          })}
    </>
  )
}
