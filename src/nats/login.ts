// What the URL of a server says of who we are.

/**
 * The servers, and what `nats://user:password@host` or `nats://token@host` says of who we
 * are. The client library does not look there; and a secret must not stand in a message
 * that names the server.
 */
export function parseLogin(urls: string | undefined): {
  readonly servers?: string
  readonly user?: string
  readonly password?: string
  readonly token?: string
} {
  if (urls === undefined) return {}
  const login = /^\s*(?:[a-z]+:\/\/)?(?:([^@,/]*)@)/i.exec(urls)?.[1]
  const servers = urls.replaceAll(/[^@,/]*@/g, '')
  if (login === undefined) return { servers }
  const colon = login.indexOf(':')
  return colon < 0
    ? { servers, token: decoded(login) }
    : {
        servers,
        user: decoded(login.slice(0, colon)),
        password: decoded(login.slice(colon + 1)),
      }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part // A lone % stands for itself.
  }
}
