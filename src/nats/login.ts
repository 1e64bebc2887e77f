// The URLs of servers, and the credentials that may stand in them.
//
// LOGIN-1. A text that may hold a secret is in no error: a URL that cannot be read is described by its place in the list.
// LOGIN-2. What leaves this file as a server has no credentials, so it may be in errors, logs and statistics.

import { CairnError } from '../model/errors.js'

/** Servers without credentials (LOGIN-2), and the credentials. */
export interface Servers {
  /** Each as `nats://host:port`, `tls://host:port` or `host:port`. */
  readonly servers: readonly string[]
  readonly user?: string
  readonly password?: string
  readonly token?: string
}

const form = 'nats://host:port, nats://user:password@host:port or nats://token@host:port'
const host = /^(?:\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9_.-]*))(?::\d{1,5})?$/i

/**
 * Reads a list of URLs, or one text with URLs separated by commas. Throws `invalid-option` (LOGIN-1) for one that cannot be
 * read, and for servers with different credentials: there is one login for all of them.
 */
export function readServers(given: string | readonly string[]): Servers {
  const urls = [given].flat().flatMap(split)
  const servers: string[] = []
  let login: string | undefined
  for (const [i, url] of urls.entries()) {
    const [, scheme, rest = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(url)!
    const at = rest.lastIndexOf('@')
    const ofThis = at < 0 ? undefined : rest.slice(0, at)
    const which = urls.length === 1 ? '' : `, number ${i + 1} of ${urls.length},`
    if (scheme !== undefined && scheme !== 'nats' && scheme !== 'tls')
      throw invalid(
        `The URL of a NATS server${which} begins with ${scheme}://: use nats:// or tls://.`,
      )
    if (ofThis !== undefined && (ofThis === '' || /[,/\s]/.test(ofThis)))
      throw invalid(
        `The login in the URL of a NATS server${which} is empty, or has a comma, a slash or a space: percent-encode ` +
          'them (%2C, %2F, %20), and begin each URL of a list with nats://.',
      )
    const named = rest
      .slice(at + 1)
      .split(',')
      .map(name => name.trim().replace(/\/$/, ''))
    if (!named.every(name => host.test(name)))
      throw invalid(
        `The URL of a NATS server${which} cannot be read: use ${form}, with percent-encoding for special characters. ` +
          'It is not repeated here, as it may hold a password.',
      )
    if (ofThis !== undefined && login !== undefined && ofThis !== login)
      throw invalid(
        'The URLs of the NATS servers have different logins: use the same one for all of them.',
      )
    login ??= ofThis
    servers.push(
      ...named.map(name => (scheme === undefined ? name : `${scheme}://${name}`)),
    )
  }
  return { servers, ...(login !== undefined && readLogin(login)) }
}

/**
 * Commas separate URLs; within a URL they separate hosts, or belong to a login that is refused. A host without a scheme has
 * that of the URL before it: after `tls://`, none may be without TLS.
 */
function split(text: string): string[] {
  const urls = text.split(/,(?=\s*(?:[a-z][a-z0-9+.-]*:\/\/|[^@,/]*(?:,|$)))/i)
  let scheme = ''
  return urls
    .map(url => url.trim())
    .filter(url => url !== '')
    .map(url => {
      const [own] = /^[a-z][a-z0-9+.-]*:\/\//i.exec(url) ?? []
      scheme = own ?? scheme
      return own === undefined ? `${scheme}${url}` : url
    })
}

function readLogin(login: string): Omit<Servers, 'servers'> {
  const colon = login.indexOf(':')
  if (colon < 0) return { token: decoded(login) }
  return {
    user: decoded(login.slice(0, colon)),
    password: decoded(login.slice(colon + 1)),
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part // Not percent-encoded.
  }
}

/** A text for people without the credentials of the URLs in it, such as an argument that somebody put in the wrong place. */
export function withoutLogins(text: string): string {
  return text
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^\s"'`]*@/gi, '$1')
    .replaceAll(/[^\s"'`/=]+:[^\s"'`]+@(?=[^\s@])/g, '')
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-option', message)
}
