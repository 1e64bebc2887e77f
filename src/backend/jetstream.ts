// Namespaces on NATS JetStream: any number of nodes on any number of machines.

import type { HeartbeatOptions } from '../cluster/roster.js'
import { checkNamespace } from '../model/address.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import type { GroupCommitMode } from '../nats/group-commit.js'
import type { LogStreamOptions, NatsOptions } from '../nats/options.js'
import type { Backend } from './backend.js'

export interface JetStreamOptions extends NatsOptions, LogStreamOptions {
  /** Intervals and timeouts of the nodes' heartbeats. */
  readonly heartbeat?: HeartbeatOptions
  /**
   * Whether commits of different actors that are published at the same time share one atomic
   * batch, so that the server waits for its disk once for all of them. `auto`, the default: on for a
   * stream with one replica whose server waits for its disk, which is measured once a node is busy.
   */
  readonly groupCommit?: GroupCommitMode
}

const optionNames: OptionNames<JetStreamOptions> = {
  servers: true,
  creds: true,
  user: true,
  password: true,
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
