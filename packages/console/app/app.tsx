// The frame of the console: who is logged in, where one can go, and the page that is open.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks'

import { token } from './api.ts'
import { ActorPage } from './pages/actor.tsx'
import { ActorsPage } from './pages/actors.tsx'
import { DeadLettersPage } from './pages/dead-letters.tsx'
import { LivePage } from './pages/live.tsx'
import { LoginPage } from './pages/login.tsx'
import { OverviewPage } from './pages/overview.tsx'
import { ProjectionsPage } from './pages/projections.tsx'
import { ReactorsPage } from './pages/reactors.tsx'
import { TimersPage } from './pages/timers.tsx'
import { link, type Place, usePlace } from './router.ts'
import { SessionContext } from './session.tsx'
import { Badge, Empty, Trouble } from './ui/basics.tsx'
import { ConfirmProvider } from './ui/confirm.tsx'
import { applyTheme, savedTheme, type Theme } from './ui/theme.ts'
import type { Me, Self } from './types.ts'
import { useApi } from './use.ts'

const pages = [
  { key: '', name: 'Overview' },
  { key: 'live', name: 'Live' },
  { key: 'actors', name: 'Actors' },
  { key: 'reactors', name: 'Reactors' },
  { key: 'dead-letters', name: 'Dead letters' },
  { key: 'projections', name: 'Projections' },
  { key: 'timers', name: 'Timers' },
] as const

export function App() {
  const place = usePlace()
  const [login, setLogin] = useState(0)
  const me = useApi<Me>(`/v1/me?${login}`.replace(/\?.*$/, ''))
  const self = useApi<Self>('/v1/node', 3_000)
  useEffect(() => applyTheme(savedTheme()), [])
  const session = useMemo(
    () =>
      me.value === undefined || self.value === undefined
        ? undefined
        : { me: me.value, self: self.value },
    [me.value, self.value],
  )
  const needsLogin = [me.error, self.error].some(error => error?.status === 401)
  if (needsLogin)
    return (
      <LoginPage
        onToken={() => {
          setLogin(login + 1)
          me.reload()
          self.reload()
        }}
      />
    )
  if (session === undefined)
    return (
      <main class="start">
        <Trouble error={me.error ?? self.error} />
      </main>
    )
  return (
    <SessionContext.Provider value={session}>
      <ConfirmProvider>
        <a
          class="skip"
          href="#main"
          onClick={event => {
            event.preventDefault()
            document.querySelector<HTMLElement>('h1')?.focus()
          }}
        >
          Skip to the page
        </a>
        <div class="frame">
          <Side place={place} isLost={self.error !== undefined} />
          <main id="main">
            {self.error !== undefined && <Trouble error={self.error} />}
            <Current place={place} />
          </main>
        </div>
      </ConfirmProvider>
    </SessionContext.Provider>
  )
}

function Side({ place, isLost }: { readonly place: Place; readonly isLost: boolean }) {
  const current = place.parts[0] === 'actor' ? 'actors' : (place.parts[0] ?? '')
  return (
    <header class="side">
      <a class="brand" href="#/">
        <img src="/icon.svg" alt="" width="28" height="28" />
        <span>Cairn</span>
      </a>
      <nav aria-label="Pages">
        <ul>
          {pages.map(({ key, name }) => (
            <li key={key}>
              <a
                href={key === '' ? '#/' : link([key])}
                aria-current={current === key ? 'page' : undefined}
              >
                {name}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <SessionContext.Consumer>
        {session => (
          <div class="side-foot">
            <div class="where">
              <span class="namespace">{session!.self.namespace}</span>
              <Badge tone={isLost ? 'bad' : 'good'}>
                {isLost ? 'no answer' : session!.self.id}
              </Badge>
            </div>
            <div class="who">
              <span>{session!.me.id}</span>
              <span class="faint">{rolesOf(session!.me)}</span>
            </div>
            <ThemeChoice />
            {token.get() !== '' && (
              <button
                type="button"
                class="quiet"
                onClick={() => {
                  token.clear()
                  location.reload()
                }}
              >
                Log out
              </button>
            )}
          </div>
        )}
      </SessionContext.Consumer>
    </header>
  )
}

function rolesOf({ roles }: Me): string {
  const more = roles.filter(role => role !== 'reader')
  return more.length === 0 ? 'read-only' : more.join(', ')
}

function ThemeChoice() {
  const [theme, setTheme] = useState<Theme>(savedTheme)
  return (
    <label class="theme">
      <span class="hidden">Colors</span>
      <select
        value={theme}
        onChange={event => {
          const chosen = event.currentTarget.value as Theme
          setTheme(chosen)
          applyTheme(chosen)
        }}
      >
        <option value="system">System colors</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  )
}

function Current({ place }: { readonly place: Place }) {
  const [page = '', ...rest] = place.parts
  const title = useRef('')
  useEffect(() => {
    const { name = rest.join('/') } = pages.find(({ key }) => key === page) ?? {}
    document.title = `${name} · Cairn`
    // A reader of the screen hears where it is; the first page keeps the focus where it was.
    if (title.current !== '' && title.current !== document.title)
      document.querySelector<HTMLElement>('h1')?.focus()
    title.current = document.title
  }, [page, rest.join('/')])
  const [type, id] = rest
  switch (page) {
    case '':
      return <OverviewPage />
    case 'live':
      return <LivePage />
    case 'actors':
      return <ActorsPage />
    case 'actor':
      return type !== undefined && id !== undefined ? (
        <ActorPage key={`${type}/${id}`} type={type} id={id} query={place.query} />
      ) : (
        <ActorsPage />
      )
    case 'reactors':
      return <ReactorsPage />
    case 'dead-letters':
      return <DeadLettersPage reactor={place.query.get('reactor') ?? ''} />
    case 'projections':
      return <ProjectionsPage />
    case 'timers':
      return <TimersPage />
    default:
      return (
        <>
          <h1 tabIndex={-1}>Nothing here</h1>
          <Empty>There is no such page.</Empty>
        </>
      )
  }
}
