// Which names a request may use for this server, and from which sites a browser may send one.
//
// A page of a stranger may make a browser send requests here: by the address of this server (seen by `Origin`), or by a
// name of the page's own that it has pointed here (seen by `Host`). The second is DNS rebinding; it needs a name, so an
// address as host is none.

import { isIP } from 'node:net'

import { Problem } from './problem.js'

export interface AllowedSites {
  /** Names of this server, beside `localhost` and addresses; `'*'` for any. */
  readonly hosts: readonly string[]
  /** Origins whose pages may send requests, such as `https://console.example`, beside this server's own. */
  readonly origins: readonly string[]
}

/** Throws a problem for a request under a foreign name. */
export function checkHost(request: Request, { hosts }: AllowedSites): void {
  const name = hostnameOf(request)
  if (isAddress(name) || name === 'localhost' || name.endsWith('.localhost')) return
  if (hosts.includes('*') || hosts.includes(name)) return
  throw new Problem(
    'foreign-host',
    `${JSON.stringify(name)} is not a name of this server: use its address, or allow the name (--http-host, or hosts).`,
  )
}

/**
 * The origin of a page that may read the answer, if a page of another site has sent the request. Throws a problem for a
 * page that may not send one.
 */
export function allowedOrigin(
  request: Request,
  { origins }: AllowedSites,
): string | undefined {
  const origin = request.headers.get('origin')
  if (origin === null) {
    // Navigations and embedded resources of other sites have no origin, but browsers tell where they come from.
    const site = request.headers.get('sec-fetch-site')
    if (site === null || site === 'same-origin' || site === 'none') return undefined
    throw foreign('a page of another site')
  }
  if (origins.includes(origin)) return origin
  if (origin === originOf(request)) return undefined
  throw foreign(JSON.stringify(origin.slice(0, 256)))
}

function foreign(what: string): Problem {
  return new Problem(
    'foreign-origin',
    `The request comes from ${what}: only pages of this server may send any, and those of allowed origins ` +
      '(--http-origin, or origins).',
  )
}

function originOf(request: Request): string {
  const { protocol } = new URL(request.url)
  return `${protocol}//${request.headers.get('host') ?? new URL(request.url).host}`
}

function hostnameOf(request: Request): string {
  const host = request.headers.get('host') ?? new URL(request.url).host
  return host.replace(/:\d+$/, '').toLowerCase()
}

function isAddress(name: string): boolean {
  return isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0
}
