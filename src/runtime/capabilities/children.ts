// Children: work that runs beside the actors which this node owns.

import { Children } from '../../actor/children.js'
import type { ActorHost } from '../../actor/actor-host.js'
import type { Membership } from '../../cluster/membership.js'
import type { ActorAddress } from '../../model/address.js'
import type { CommandSender } from '../../model/command-sender.js'
import type { Capability } from '../capability.js'
import type { NodeContext } from '../context.js'
import { partLog } from '../log.js'

export interface ChildrenCapability extends Capability {
  readonly children: Children
}

export function childrenCapability(
  { settings, open, log }: NodeContext,
  parts: {
    readonly host: () => ActorHost
    readonly membership: () => Membership
    /** A node that has not joined, or only sends, owns no actor. */
    readonly owns: (actor: ActorAddress) => boolean
    readonly wouldOwn: (actor: ActorAddress, version: number) => boolean
    readonly sender: () => CommandSender
  },
): ChildrenCapability {
  const children = new Children({
    definitions: settings.actors,
    nodeId: settings.id,
    store: open.store,
    log: partLog(log, 'actor'),
    clock: settings.clock,
    owns: parts.owns,
    wouldOwn: parts.wouldOwn,
    read: (actor, signal) => parts.host().state(actor, { signal }),
    sender: parts.sender,
  })
  return {
    children,
    start() {
      if (!settings.serve) return
      parts.membership().onChange(() => children.onMembershipChange())
      children.onMembershipChange()
    },
    stop: () => children.close(),
    unsettled: async () => children.unsettled(),
    stats: () => ({ children: children.stats() }),
  }
}
