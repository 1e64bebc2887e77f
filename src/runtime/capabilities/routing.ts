// Routing: sends a command to the node that owns its actor.

import type { ActorHost } from '../../actor/actor-host.js'
import type { Membership } from '../../cluster/membership.js'
import { Router, type RouterStats } from '../../cluster/router.js'
import { type ActorAddress, isReservedType } from '../../model/address.js'
import type { CommandSender } from '../../model/command-sender.js'
import type { Capability } from '../capability.js'
import type { NodeContext } from '../context.js'

export interface RoutingCapability extends Capability {
  /** Absent before the node has joined, and where it does not serve. */
  router(): Router | undefined
  /** Whether this node owns the actor; false without a router. */
  owns(actor: ActorAddress): boolean
  /** Whether an actor that wakes here stays here; true without a router. */
  keeps(actor: ActorAddress): boolean
  /** To the owner, or to this node without a router; failures are counted. */
  sender(): CommandSender
  /** The same, but failures are not counted: its user retries. */
  uncountedSender(): CommandSender
}

const noRouting: RouterStats = { local: 0, remote: 0, redirects: 0, resent: 0 }

export function routingCapability(
  { settings, definitions, open, failed, isMember }: NodeContext,
  parts: { readonly host: () => ActorHost; readonly membership: () => Membership },
): RoutingCapability {
  let router: Router | undefined
  let countedRouter: CommandSender | undefined
  let countedHost: CommandSender | undefined
  return {
    router: () => router,
    owns: actor => router?.isOurs(actor) === true,
    keeps: actor => router?.isOurs(actor) ?? true,
    sender: () => countedRouter ?? (countedHost ??= failed.countFailures(parts.host())),
    uncountedSender() {
      const sender = router ?? parts.host()
      return { ask: sender.ask.bind(sender), tell: sender.tell.bind(sender) }
    },
    start() {
      if (!settings.serve) return
      const types = isMember ? definitions.types : []
      router = new Router({
        nodeId: settings.id,
        membership: parts.membership(),
        transport: open.transport,
        local: parts.host(),
        // Actors of reserved types have no owner: each node handles its own commands for them.
        hosts: type => isReservedType(type) || types.includes(type),
      })
      countedRouter = failed.countFailures(router)
    },
    stop: ({ left }) => router?.close(left()),
    stats: () => ({ router: router?.stats() ?? noRouting }),
  }
}
