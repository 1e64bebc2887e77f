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
  const load = async (after: string | undefined, signal?: AbortSignal) => {
    try {
      const query = { type: chosen, prefix: wanted, after, limit: pageSize }
      const answer = await get<Answer>(
        url(['actors'], query),
        signal === undefined ? {} : { signal },
      )
      setError(undefined)
      setFound(before =>
        after === undefined || before === undefined
          ? answer
          : { ...answer, actors: [...before.actors, ...answer.actors] },
      )
    } catch (problem) {
      if (signal?.aborted !== true) setError(problem as ApiError)
    }
  }
  useEffect(() => {
    const ended = new AbortController()
    setFound(undefined)
    void load(undefined, ended.signal)
    return () => ended.abort()
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
        {found?.next != null && (
          <button type="button" onClick={() => void load(found.next!)}>
            Show more
          </button>
        )}
      </Card>
    </Page>
  )
}
