// Options of the connection to NATS. Public signatures use these types and none of the client library's.

import { CairnError } from '../model/errors.js'

export interface NatsOptions {
  /** One URL or several: `nats://host:port`. Default: `NATS_URL`, else `nats://127.0.0.1:4222`. */
  readonly servers?: string | readonly string[]
  /** Path of a credentials file (`.creds`). */
  readonly creds?: string
  readonly user?: string
  readonly password?: string
  readonly token?: string
  /** TLS with the system's certificate authorities, or with the given files. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  /** Milliseconds to establish the connection at start. Default 5,000. */
  readonly connectTimeout?: number
  /** Use only the given servers, and ignore others that the cluster announces. Default false. */
  readonly ignoreClusterUpdates?: boolean
}

export interface LogStreamOptions {
  /** Replicas of the stream, if it is created. Default 1; use 3 in a cluster. */
  readonly replicas?: 1 | 3 | 5
  /** Partitions of the namespace, if its stream is created. Default 16. */
  readonly partitions?: number
}

export const defaultServer = 'nats://127.0.0.1:4222'

/** The servers from the options, else from the environment, else the default. Throws `invalid-option` for none. */
export function serversOf(options: NatsOptions): string[] {
  const given = options.servers ?? process.env.NATS_URL ?? defaultServer
  const list = typeof given === 'string' ? given.split(',') : [...given]
  const servers = list.map(server => server.trim()).filter(server => server !== '')
  if (servers.length === 0)
    throw new CairnError(
      'invalid-option',
      'The list of NATS servers is empty: pass servers, or set NATS_URL.',
    )
  return servers
}
