// Credentials in the URL of a server.

/**
 * Splits `nats://user:password@host` or `nats://token@host` into the server and the credentials. The client library
 * does not read credentials from the URL, and error messages name the server, so it must not contain a secret.
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
    return part // Not percent-encoded.
  }
}
