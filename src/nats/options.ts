// Options of the connection to NATS. Public signatures use these types and none of the client library's.

import { CairnError } from '../model/errors.js'
import { readServers, type Servers } from './login.js'

export interface NatsOptions {
  /**
   * One URL or several: `nats://host:port`, or `tls://host:port` for TLS and nothing else. A login may stand in them
   * (`nats://user:password@host`, `nats://token@host`); other credentials here take its place. Default: `NATS_URL`, else
   * `nats://127.0.0.1:4222`.
   */
  readonly servers?: string | readonly string[] | undefined
  /** Path of a credentials file (`.creds`), which is read again for each connection. */
  readonly creds?: string | undefined
  /** Path of a file with the seed of an nkey, which is read again for each connection. */
  readonly nkey?: string | undefined
  readonly user?: string | undefined
  readonly password?: string | undefined
  /** Path of a file with the password, which is read again for each connection. */
  readonly passwordFile?: string | undefined
  readonly token?: string | undefined
  /** TLS with the system's certificate authorities, or with the given files. */
  readonly tls?: TlsOptions | undefined
  /** Milliseconds to establish the connection at start. Default 5,000. */
  readonly connectTimeout?: number | undefined
  /** Use only the given servers, and ignore others that the cluster announces. Default false. */
  readonly ignoreClusterUpdates?: boolean | undefined
}

export interface TlsOptions {
  /** Path of a file with the certificates of the authorities. */
  readonly ca?: string | undefined
  /** Path of a file with the client's certificate. */
  readonly cert?: string | undefined
  /** Path of a file with the key of the client's certificate. */
  readonly key?: string | undefined
  /** For servers with `handshake_first`: TLS begins before the server says anything. */
  readonly handshakeFirst?: boolean | undefined
}

export interface LogStreamOptions {
  /** Replicas of the stream, if it is created. Default 1; use 3 in a cluster. */
  readonly replicas?: 1 | 3 | 5 | undefined
  /** Partitions of the namespace, if its stream is created. Default 16. */
  readonly partitions?: number | undefined
}

export const defaultServer = 'nats://127.0.0.1:4222'

/** The servers from the options, else from the environment, else the default. Throws `invalid-option`. */
export function serversOf(options: NatsOptions): Servers {
  const given = options.servers ?? process.env.NATS_URL ?? defaultServer
  const read = readServers(given)
  if (read.servers.length === 0)
    throw new CairnError(
      'invalid-option',
      'The list of NATS servers is empty: pass servers, or set NATS_URL.',
    )
  return read
}
