// How to reach NATS, in words of our own: public signatures name these, and no type of the
// client library.

import { CairnError } from '../model/errors.js'

export interface NatsOptions {
  /** One URL or several: `nats://host:port`. Default: `NATS_URL`, else `nats://127.0.0.1:4222`. */
  readonly servers?: string | readonly string[]
  /** Path of a credentials file (`.creds`). */
  readonly creds?: string
  readonly user?: string
  readonly password?: string
  readonly token?: string
  /** TLS with the system's authorities, or with the given files. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  /** Milliseconds to establish the connection at start. Default 5,000. */
  readonly connectTimeout?: number
  /** Stay with the servers given, whatever others the cluster announces. Default false. */
  readonly ignoreClusterUpdates?: boolean
}

export interface LogStreamOptions {
  /** Copies of the stream, for a stream that is created here. Default 1; 3 in a cluster. */
  readonly replicas?: 1 | 3 | 5
  /** Lanes, for a stream that is created here. Default 16. */
  readonly partitions?: number
}

export const defaultServer = 'nats://127.0.0.1:4222'

/** The servers meant by the options and the environment. */
export function serversOf(options: NatsOptions): string[] {
  const given = options.servers ?? process.env.NATS_URL ?? defaultServer
  const list = typeof given === 'string' ? given.split(',') : [...given]
  const servers = list.map(server => server.trim()).filter(server => server !== '')
  if (servers.length === 0)
    throw new CairnError(
      'invalid-option',
      'No NATS server is given: pass servers, or set NATS_URL.',
    )
  return servers
}
