// The options of the client library's connection, from Cairn's.

import { readFile } from 'node:fs/promises'

import { type ConnectionOptions, credsAuthenticator } from 'nats'

import { defined } from '../model/defined.js'
import { CairnError, messageOf } from '../model/errors.js'
import type { NatsOptions } from './options.js'

export const connectTimeoutDefault = 5_000

/** Throws `invalid-option` for a credentials file that cannot be read. */
export async function connectionOptions(
  options: NatsOptions,
  servers: string[],
  inboxPrefix: string,
  name: string,
): Promise<ConnectionOptions> {
  const {
    creds,
    user,
    password,
    token,
    tls,
    connectTimeout = connectTimeoutDefault,
    ignoreClusterUpdates,
  } = options
  return {
    servers,
    name,
    inboxPrefix,
    timeout: connectTimeout,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 200,
    reconnectJitter: 100,
    // Two unanswered pings end a connection that died silently.
    pingInterval: 10_000,
    maxPingOut: 2,
    noAsyncTraces: true,
    ...(creds !== undefined && {
      authenticator: credsAuthenticator(await readCreds(creds)),
    }),
    ...(user !== undefined && { user }),
    ...(password !== undefined && { pass: password }),
    ...(token !== undefined && { token }),
    ...(tls !== undefined && {
      tls: defined({ caFile: tls.ca, certFile: tls.cert, keyFile: tls.key }),
    }),
    ...(ignoreClusterUpdates === true && { ignoreClusterUpdates }),
  }
}

async function readCreds(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new CairnError(
      'invalid-option',
      `The credentials file ${path} cannot be read: ${messageOf(error)}.`,
      { cause: error },
    )
  }
}
