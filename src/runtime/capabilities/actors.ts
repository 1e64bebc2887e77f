// Actors: the host that runs those which this node owns.

import type { Children } from '../../actor/children.js'
import type { Watches } from '../../actor/watches.js'
import type { Directives } from '../../actor/directives.js'
import type { ActorHost, Escalation } from '../../actor/actor-host.js'
import { createActorHost } from '../../actor/host.js'
import { ActorSnapshots } from '../../actor/snapshots.js'
import type { BehaviorVersions } from '../../cluster/behavior-versions.js'
import type { Member, Membership } from '../../cluster/membership.js'
import { type ActorAddress, formatAddress } from '../../model/address.js'
import type { CommandSender } from '../../model/command-sender.js'
import { defined } from '../../model/defined.js'
import { Snapshots } from '../../store/snapshots/snapshots.js'
import type { Capability } from '../capability.js'
import type { NodeContext } from '../context.js'
import { partLog } from '../log.js'

export interface ActorsCapability extends Capability {
  readonly snapshots: ActorSnapshots
  readonly host: ActorHost
}

export function actorsCapability(
  { settings, definitions, open, failed, log, events }: NodeContext,
  parts: {
    readonly directives: Directives
    readonly watches: Watches
    readonly children: () => Children
    readonly versions: () => BehaviorVersions | undefined
    readonly redirectTold: CommandSender['tell']
    readonly onEscalation: (escalation: Escalation) => void
  },
): ActorsCapability {
  const { residentsMax, residentBytesMax, wakesMax } = settings
  const { store, readModels } = open
  const actorLog = partLog(log, 'actor')
  const stored = new Snapshots(readModels, (actor, reason) => {
    const name = formatAddress(actor)
    const text = `The snapshot of ${name} is not used: ${reason}. Its history is folded, and a later snapshot replaces it.`
    actorLog('warn', text, { actor: name })
  })
  const snapshots = new ActorSnapshots(stored, actorLog)
  const hasOwnTime = settings.clock.wait !== undefined
  const host = createActorHost({
    store: {
      head: (...args) => store.head(...args),
      commits: (...args) => store.commits(...args),
      append: parts.watches.tap(store, settings.id),
    },
    definitions,
    nodeId: settings.id,
    namespace: open.namespace,
    clock: settings.clock,
    log: actorLog,
    snapshots,
    directives: parts.directives,
    versions: parts.versions,
    middleware: settings.middleware,
    redirectTold: parts.redirectTold,
    failed,
    onParked: failure => events.emit('parked', failure),
    onEscalation: parts.onEscalation,
    onStoredState: (actor, definition, reading) =>
      parts.children().onState(actor, definition, reading),
    ...defined({ residentsMax, residentBytesMax, wakesMax }),
  })
  return {
    host,
    snapshots,
    async stop({ left }) {
      await host.close({ timeout: left() })
      await snapshots.close(left())
    },
    async unsettled() {
      const { open: count, busy, restartWaits } = host.stats()
      const isAtRest = count === 0 || (hasOwnTime && busy === restartWaits)
      return [isAtRest ? undefined : `${count} commands or reads are open`]
    },
    stats: () => ({ actors: host.stats(), dead: failed.stats() }),
  }
}

/** Releases residents that another node owns now: their next command wakes them there. */
export function rebalancingCapability(
  { log: rootLog }: NodeContext,
  parts: {
    readonly host: ActorHost
    readonly membership: () => Membership
    readonly isKept: (actor: ActorAddress, neededVersion: number) => boolean
  },
): Capability {
  const log = rootLog.child({ part: 'cluster' })
  const ids = (members: readonly Member[]) => members.map(({ id }) => id)
  return {
    start() {
      parts.membership().onChange(({ joined, left, dead }) => {
        parts.host.dismiss(parts.isKept)
        log.info(
          { joined: ids(joined), left: ids(left), dead: ids(dead) },
          'members changed',
        )
      })
    },
  }
}
