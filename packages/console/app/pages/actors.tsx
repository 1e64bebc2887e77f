// Finds actors: by type and by how their ids begin, a page at a time.

import { useEffect, useState } from 'preact/hooks'

import { type ApiError, get, url } from '../api.ts'
import { usePlace, link } from '../router.ts'
import { useSession } from '../session.tsx'
import { Actor, Card, Empty, Page, Trouble } from '../ui/basics.tsx'
import { useSettled } from '../use.ts'

interface Answer {
  readonly actors: readonly {
    readonly actor: string
    readonly type: string
    readonly id: string
  }[]
  readonly next: string | null
}

const pageSize = 100

export function ActorsPage() {
  const { self } = useSession()
  const chosen = usePlace().query.get('type') ?? ''
  const [prefix, setPrefix] = useState('')
  const wanted = useSettled(prefix)
  const [found, setFound] = useState<Answer>()
  const [error, setError] = useState<ApiError>()
  /** Where the pages begin up to the one that is shown; the first begins at the beginning. */
  const [starts, setStarts] = useState<readonly (string | undefined)[]>([undefined])
  const load = async (after: string | undefined, signal?: AbortSignal) => {
    try {
      const query = { type: chosen, prefix: wanted, after, limit: pageSize }
      const answer = await get<Answer>(
        url(['actors'], query),
        signal === undefined ? {} : { signal },
      )
      setError(undefined)
      setFound(answer)
    } catch (problem) {
      if (signal?.aborted !== true) setError(problem as ApiError)
    }
  }
  useEffect(() => {
    const ended = new AbortController()
    void load(starts.at(-1), ended.signal)
    return () => ended.abort()
  }, [chosen, wanted, starts])
  useEffect(() => {
    setFound(undefined)
    setStarts([undefined])
  }, [chosen, wanted])
  const types = self.actors.map(({ type }) => type)
  return (
    <Page
      title="Actors"
      about="Every actor that has events; open one to see how it came to its state."
    >
      <form class="filters" onSubmit={event => event.preventDefault()}>
        <label class="field">
          <span>Type</span>
          <select
            value={chosen}
            onChange={event => {
              const type = event.currentTarget.value
              location.hash = link(['actors'], type === '' ? {} : { type })
            }}
          >
            <option value="">All types</option>
            {[...new Set([...types, ...(chosen === '' ? [] : [chosen])])].map(type => (
              <option key={type}>{type}</option>
            ))}
          </select>
        </label>
        <label class="field grow">
          <span>Id begins with</span>
          <input
            type="search"
            value={prefix}
            onInput={event => setPrefix(event.currentTarget.value)}
          />
        </label>
      </form>
      <Trouble error={error} />
      <Card>
        {found?.actors.length === 0 && <Empty>There is no such actor.</Empty>}
        <ul class="actors">
          {(found?.actors ?? []).map(({ actor }) => (
            <li key={actor}>
              <Actor name={actor} />
            </li>
          ))}
        </ul>
        {found !== undefined && (starts.length > 1 || found.next != null) && (
          <nav class="actions" aria-label="Pages of actors">
            <button
              type="button"
              disabled={starts.length === 1}
              onClick={() => setStarts(starts.slice(0, -1))}
            >
              Previous {pageSize}
            </button>
            <span class="faint" role="status">
              Page {starts.length}
            </span>
            <button
              type="button"
              disabled={found.next == null}
              onClick={() => setStarts([...starts, found.next!])}
            >
              Next {pageSize}
            </button>
          </nav>
        )}
      </Card>
    </Page>
  )
}
