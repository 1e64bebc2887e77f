// Namespaces on NATS JetStream: any number of nodes on any number of machines.

import { checkNamespace } from '../model/address.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import type { Backend } from './backend.js'
import type { JetStreamOptions } from './jetstream-options.js'

export type { JetStreamOptions }

const optionNames: OptionNames<JetStreamOptions> = {
  servers: true,
  creds: true,
  nkey: true,
  user: true,
  password: true,
  passwordFile: true,
  token: true,
  tls: true,
  connectTimeout: true,
  ignoreClusterUpdates: true,
  replicas: true,
  partitions: true,
  heartbeat: true,
  groupCommit: true,
}

/**
 * Stores namespaces on NATS JetStream.
 *
 * An acknowledged commit survives a crash of any node. Whether it survives a crash of the server
 * depends on the server's settings: with `sync_interval: always` (as `npm run nats` and the
 * shipped compose file set it) every commit is fsynced first; without it, a power failure
 * can lose up to the interval on a stream with one replica.
 *
 * Opening throws `store-unreachable`, `unauthorized`, `server-too-old`, `no-jetstream`,
 * `foreign-stream` or `invalid-namespace`.
 */
export function jetstream(options: JetStreamOptions = {}): Backend {
  checkOptions('jetstream', options, optionNames)
  // Loaded when needed: a process starts sooner without the libraries of stores that it does not use.
  const load = () => import('./jetstream-namespace.js')
  return {
    kind: 'jetstream',
    namespaces: async () => (await load()).namespacesAt(options),
    async remove(namespace) {
      checkNamespace(namespace)
      await (await load()).removeNamespace(options, namespace)
    },
    async open(opening) {
      checkNamespace(opening.namespace)
      return await (await load()).openJetStream(options, opening)
    },
  }
}
