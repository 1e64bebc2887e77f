// A backend stores namespaces. It opens the ports of a namespace together: the store, its
// notices, queues, timers, documents and read models, and the transport to the other nodes.

import { CairnError } from '../model/errors.js'
import { didYouMean } from '../model/nearest.js'
import { show } from '../model/show.js'
import type { NoticeBus } from '../bus/bus.js'
import type { Member, Membership } from '../cluster/membership.js'
import type { Transport } from '../cluster/transport.js'
import type { DamageReports } from '../model/damage.js'
import { programs } from '../model/programs.js'
import type { Documents } from '../store/documents/documents.js'
import type { ConnectionChange, ConnectionStats } from '../nats/connection-state.js'
import type { GroupCommitStats } from '../nats/group-commit.js'
import type { LogReport } from '../nats/log-report.js'
import type { Queue, QueueName } from '../store/queue/queue.js'
import type { ReadModels } from '../store/read-models/read-models.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { Timers } from '../store/timers/timers.js'
import type { VersionCacheLimits } from '../store/version-cache.js'

export interface OpenOptions {
  readonly namespace: string
  /** Written in every commit that is stored through this opening. */
  readonly nodeId: string
  /** Bounds of the version cache. Default: 100,000 entries, 32 MiB. */
  readonly cache?: VersionCacheLimits
  /**
   * Whether what does not exist is created. Default true. With false, opening an unknown namespace throws
   * `unknown-namespace`, and what is missing beside the log is reported as damage.
   */
  readonly create?: boolean
}

/** The queues of a namespace, by name. */
export type Queues = Readonly<Record<Exclude<QueueName, 'due'>, Queue>>

/** An open namespace. Closing it closes all of its parts. */
export interface OpenNamespace extends AsyncDisposable {
  readonly namespace: string
  /** Whether this opening has created the namespace. */
  readonly isNew?: boolean
  readonly store: EventStore
  readonly bus: NoticeBus
  readonly transport: Transport
  readonly queues: Queues
  readonly documents: Documents
  /** The read models of projections that do not name a store of their own. */
  readonly readModels: ReadModels
  readonly timers: Timers
  /** Damage beside the log that was noticed since it was opened. */
  readonly damage: DamageReports
  /** On JetStream: checks whether streams that were missing exist again. */
  readonly checkMissing?: (signal: AbortSignal) => Promise<void>
  /** On JetStream: asks the server about the log; the answer is in {@link connection} from then on. */
  readonly readLogReport?: (signal: AbortSignal) => Promise<LogReport | undefined>
  /** On JetStream: statistics of group commit. */
  readonly groupCommit?: () => GroupCommitStats
  /** On JetStream: what the connection to NATS is like. */
  readonly connection?: () => ConnectionStats
  /** On JetStream: calls `listener` when the connection is lost or made again, until the namespace is closed. */
  readonly onConnectionChange?: (listener: (change: ConnectionChange) => void) => void
  /** Number of partitions of the namespace, fixed at its creation. */
  readonly partitions: number
  /** Joins the namespace's membership as `self`, or observes it without one. */
  join(self?: Member): Promise<Membership>
  close(): Promise<void>
}

/** Made by `memory()`, `embedded({ dir })` or `jetstream({ servers })`. */
export interface Backend {
  readonly kind: 'memory' | 'embedded' | 'jetstream'
  open(options: OpenOptions): Promise<OpenNamespace>
  /** The namespaces that exist. Throws like opening one. */
  namespaces?(): Promise<readonly string[]>
  /** Removes a namespace with all that is stored in it. No node of it may run. */
  remove?(namespace: string): Promise<void>
}

/**
 * The error for a namespace that does not exist and is not to be created.
 * @param flags those of the command line for this backend
 */
export function unknownNamespace(
  namespace: string,
  where: string,
  known: readonly string[],
  flags = '',
): CairnError {
  const others = known.slice(0, 5).join(', ')
  const there =
    known.length === 0 ? '' : ` There is ${others}${known.length > 5 ? ', …' : ''}.`
  return new CairnError(
    'unknown-namespace',
    `There is no namespace ${show(namespace)} ${where}.${didYouMean(namespace, known)}${there} A node creates it when ` +
      `it starts; so does "${programs.cairn} namespaces create ${namespace}${flags && ` ${flags}`}".`,
    { details: { namespace, known } },
  )
}

/** Combines the parts of an open namespace. `close` closes them in order, once. */
export function toOpenNamespace(
  parts: Omit<OpenNamespace, 'namespace' | 'close' | typeof Symbol.asyncDispose>,
  closeRest: () => Promise<void> = async () => {},
): OpenNamespace {
  let closed: Promise<void> | undefined
  const closeAll = async () => {
    await parts.transport.close()
    await parts.bus.close()
    await Promise.all(
      [...Object.values(parts.queues), parts.timers].map(queue => queue.close()),
    )
    await parts.store.close()
    await closeRest()
  }
  const close = () => (closed ??= closeAll())
  return {
    ...parts,
    namespace: parts.store.namespace,
    close,
    [Symbol.asyncDispose]: close,
  }
}
