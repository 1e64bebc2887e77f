// Where the user is: the fragment of the address, `#/actor/account/alice?v=3`, so that every view has a link.

import { useEffect, useState } from 'preact/hooks'

export interface Place {
  readonly parts: readonly string[]
  readonly query: URLSearchParams
}

function parse(hash: string): Place {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?')
  const parts = path === '' ? [] : path.split('/').map(decodeURIComponent)
  return { parts, query: new URLSearchParams(search) }
}

export function usePlace(): Place {
  const [place, setPlace] = useState(() => parse(location.hash))
  useEffect(() => {
    const update = () => setPlace(parse(location.hash))
    addEventListener('hashchange', update)
    return () => removeEventListener('hashchange', update)
  }, [])
  return place
}

export function link(
  parts: readonly string[],
  query: Readonly<Record<string, string>> = {},
) {
  const search = new URLSearchParams(query).toString()
  return `#/${parts.map(encodeURIComponent).join('/')}${search === '' ? '' : `?${search}`}`
}

/** The place of an actor, TYPE/ID, as the API writes it. */
export function actorLink(actor: string, version?: number): string {
  const at = actor.indexOf('/')
  const parts = ['actor', actor.slice(0, at), actor.slice(at + 1)]
  return link(parts, version === undefined ? {} : { v: String(version) })
}
