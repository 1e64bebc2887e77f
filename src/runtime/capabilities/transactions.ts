// Transactions over several actors.

import type { Children } from '../../actor/children.js'
import type { ActorDefinition } from '../../actor/definition.js'
import type { Directives } from '../../actor/directives.js'
import type { ActorHost } from '../../actor/actor-host.js'
import type { SnapshotSource } from '../../actor/snapshot-source.js'
import { Transactor } from '../../actor/transactor.js'
import type { BehaviorVersions } from '../../cluster/behavior-versions.js'
import type { Capability } from '../capability.js'
import type { NodeContext } from '../context.js'
import { partLog } from '../log.js'

export interface TransactionsCapability extends Capability {
  readonly transact: Transactor['transact']
}

export function transactionsCapability(
  { settings, open, log }: NodeContext,
  parts: {
    readonly host: ActorHost
    readonly children: Children
    readonly directives: Directives
    readonly versions: () => BehaviorVersions | undefined
    readonly snapshots: SnapshotSource
    readonly checkKnown: (definition: ActorDefinition) => void
  },
): TransactionsCapability {
  const { host, children, directives } = parts
  const transactor = new Transactor({
    store: open.store,
    nodeId: settings.id,
    clock: settings.clock,
    log: partLog(log, 'transactions'),
    middleware: settings.middleware,
    checkDefinition: parts.checkKnown,
    versions: parts.versions,
    snapshots: parts.snapshots,
    directives: (actor, signal) => directives.now(actor, signal),
    onStored(part) {
      host.onCommit(part)
      children.onCommit(part.actor)
    },
  })
  return {
    transact: (...args) => transactor.transact(...args),
    stop: ({ left }) => transactor.close(left()),
    stats: () => ({ transactions: transactor.stats() }),
  }
}
