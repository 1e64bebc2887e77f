// The options of the client library's connection, from Cairn's.

import { checkServerIdentity, type PeerCertificate } from 'node:tls'

import type { ConnectionOptions, TlsOptions as NatsTlsOptions } from 'nats'

import { defined } from '../model/defined.js'
import { authenticatorOf } from './credentials.js'
import type { Servers } from './login.js'
import type { NatsOptions } from './options.js'

export const connectTimeoutDefault = 5_000
/** Milliseconds between attempts to connect again, at least. */
const reconnectDelay = 200
/** The same while the server refuses the login: only another file or another server's mind can change that. */
const refusedDelay = 2_000

/**
 * Throws `invalid-option` for credentials that cannot be used.
 *
 * @param isRefused whether the server refuses the login at the moment
 */
export function connectionOptions(
  options: NatsOptions,
  { servers, ...login }: Servers,
  inboxPrefix: string,
  name: string,
  isRefused: () => boolean,
): ConnectionOptions {
  const { connectTimeout = connectTimeoutDefault, ignoreClusterUpdates } = options
  const authenticator = authenticatorOf(options, login)
  const tls = tlsOf(options, servers)
  return {
    servers: servers.map(withoutScheme),
    name,
    inboxPrefix,
    timeout: connectTimeout,
    maxReconnectAttempts: -1,
    // A user that is refused may be accepted later, with other credentials from the same file.
    ignoreAuthErrorAbort: true,
    reconnectDelayHandler: () =>
      isRefused() ? refusedDelay : reconnectDelay + Math.random() * 100,
    // Two unanswered pings end a connection that died silently.
    pingInterval: 10_000,
    maxPingOut: 2,
    noAsyncTraces: true,
    ...defined({ authenticator, tls }),
    ...(ignoreClusterUpdates === true && { ignoreClusterUpdates }),
  }
}

function withoutScheme(server: string): string {
  return server.replace(/^\w+:\/\//, '')
}

/** With these the client library uses TLS, or fails; without them it follows the server. */
function tlsOf(
  { tls }: NatsOptions,
  servers: readonly string[],
): NatsTlsOptions | undefined {
  if (tls === undefined && !servers.some(server => server.startsWith('tls://')))
    return undefined
  const { ca: caFile, cert: certFile, key: keyFile, handshakeFirst } = tls ?? {}
  const hosts = servers.map(server => new URL(`http://${withoutScheme(server)}`).hostname)
  const addresses = hosts.map(name => name.replace(/^\[|\]$/g, ''))
  return {
    ...defined({ caFile, certFile, keyFile, handshakeFirst }),
    // The library passes no name for a server that is given by its address, and "localhost" would be checked.
    checkServerIdentity: (name: string, certificate: PeerCertificate) => {
      if (name !== 'localhost' || addresses.includes(name))
        return checkServerIdentity(name, certificate)
      const errors = addresses.map(address => checkServerIdentity(address, certificate))
      return errors.includes(undefined) ? undefined : errors[0]
    },
  } as NatsTlsOptions
}
