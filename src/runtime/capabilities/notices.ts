// Notices (P5): a commit of any node raises this node's version cache, and reaches its residents,
// children, directives and groups.

import type { Children } from '../../actor/children.js'
import type { Watches } from '../../actor/watches.js'
import type { Directives } from '../../actor/directives.js'
import type { ActorHost } from '../../actor/actor-host.js'
import type { ActorAddress } from '../../model/address.js'
import { supervisorType } from '../../actor/supervisor.js'
import type { Subscription } from '../../bus/bus.js'
import type { CommitStored } from '../../bus/notice.js'
import { defined } from '../../model/defined.js'
import type { Capability } from '../capability.js'
import type { CaughtUp } from '../caught-up.js'
import type { NodeContext } from '../context.js'

/** The bus ends the subscription when it closes. */
export function noticesCapability(
  { open, log: rootLog, notices }: NodeContext,
  parts: {
    readonly host: ActorHost
    readonly children: Children
    readonly directives: Directives
    readonly watches: Watches
    readonly caughtUp: CaughtUp
    readonly owns: (actor: ActorAddress) => boolean
  },
): Capability {
  const { namespace, store, bus } = open
  const { host, children, directives, watches, caughtUp, owns } = parts
  const log = rootLog.child({ part: 'notices' })
  let subscription: Subscription
  const onNotice = (notice: CommitStored) => {
    const { actor, position, header, previousPosition } = notice
    const { firstVersion, lastVersion } = header
    const predecessor =
      previousPosition === undefined
        ? undefined
        : { version: firstVersion - 1, position: previousPosition }
    const known = store.cachedHead(actor)
    store.updateVersionCache(actor, lastVersion, position, predecessor)
    // An own commit may be known before its notice.
    const isNew = known !== undefined && position > known.position
    if (isNew && firstVersion !== known.version + 1)
      host.onDiscontinuity(actor, known.version, owns(actor))
    host.onCommit({ actor, version: lastVersion, position })
    watches.onCommit(actor, lastVersion, position)
    children.onCommit(actor, header.nodeId)
    if (actor.type === supervisorType) directives.onCommit(actor.id, lastVersion)
    caughtUp.onNotice(position)
    notices.deliver(notice)
  }
  return {
    async start() {
      subscription = await bus.subscribeToCommits(namespace, onNotice, {
        onInterrupted: reason => {
          log.warn({ reason }, 'notices may have been missed; caches are unverified')
          store.markCacheUnverified()
          host.markUnverified()
          directives.markUnverified()
          watches.doubt()
          caughtUp.onInterrupted()
          notices.interrupted(reason)
        },
        onHandlerError: error => log.error({ err: error }, 'a notice was not handled'),
      })
    },
    stop: () => watches.close(),
    stats: () => ({
      notices: subscription.stats(),
      watches: watches.stats(),
      cache: store.cacheStats(),
      ...defined({
        groupCommit: open.groupCommit?.(),
        connection: open.connection?.(),
      }),
    }),
  }
}
