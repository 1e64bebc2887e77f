// The options of `jetstream()`.

import type { HeartbeatOptions } from '../cluster/roster.js'
import type { GroupCommitMode } from '../nats/group-commit.js'
import type { LogStreamOptions, NatsOptions } from '../nats/options.js'

export interface JetStreamOptions extends NatsOptions, LogStreamOptions {
  /** Intervals and timeouts of the nodes' heartbeats. */
  readonly heartbeat?: HeartbeatOptions | undefined
  /**
   * Whether commits of different actors that are published at the same time share one atomic
   * batch, so that the server waits for its disk once for all of them. `auto`, the default: on for a
   * stream with one replica whose server waits for its disk, which is measured once a node is busy.
   */
  readonly groupCommit?: GroupCommitMode | undefined
}
