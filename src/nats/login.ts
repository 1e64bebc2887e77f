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
  const servers = withoutLogin(urls)
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

/** The URL of a server without credentials, for messages. */
export function withoutLogin(url: string): string {
  return url.replaceAll(/[^@,/]*@/g, '')
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part // Not percent-encoded.
  }
}
