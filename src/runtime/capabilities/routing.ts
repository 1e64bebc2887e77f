// Routing: sends a command to the node that owns its actor.

import type { ActorHost } from '../../actor/actor-host.js'
import type { BehaviorVersions } from '../../cluster/behavior-versions.js'
import { handOver, handoverActorsMax } from '../../cluster/handover.js'
import type { Membership } from '../../cluster/membership.js'
import { Router, type RouterStats } from '../../cluster/router.js'
import { type ActorAddress, isReservedType } from '../../model/address.js'
import {
  type CommandSender,
  type RedeliveryOptions,
  type RefusingSender,
  rejected,
} from '../../model/command-sender.js'
import type { Capability } from '../capability.js'
import { type NodeContext, traceOriginOf } from '../context.js'
import { tracedSender } from '../traced-sender.js'

export interface RoutingCapability extends Capability {
  /** Absent before the node has joined, and where it does not serve. */
  router(): Router | undefined
  /** Whether this node owns the actor; false without a router. */
  owns(actor: ActorAddress): boolean
  /** Whether this node would own the actor if the actor needed this behavior version. */
  wouldOwn(actor: ActorAddress, version: number): boolean
  /** Whether an actor in memory, which needs this behavior version, stays here; true without a router. */
  keeps(actor: ActorAddress, neededVersion: number): boolean
  /** The behavior versions of the nodes; absent without a router. */
  versions(): BehaviorVersions | undefined
  /** Lets the next owners read the actors in this node's memory, as it leaves. */
  handOver(timeout: number): Promise<void>
  /** To the owner, or to this node without a router; failures are counted. */
  sender(): CommandSender
  /** The same, but failures are not counted: its user retries. */
  uncountedSender(): CommandSender
}

const noRouting: RouterStats = {
  local: 0,
  remote: 0,
  redirects: 0,
  resent: 0,
  refused: 0,
}

export function routingCapability(
  context: NodeContext,
  parts: {
    readonly host: () => ActorHost
    readonly membership: () => Membership
    /** Called when an actor turns out to need a later behavior version: another node may own it. */
    readonly onOwnerChange: (actor: ActorAddress) => void
  },
): RoutingCapability {
  const { settings, definitions, open, failed, outages, isMember } = context
  const log = context.log.child({ part: 'cluster' })
  const origin = traceOriginOf(context)
  // What is refused by load is refused here: each further step costs as much as the refusal.
  const counted = (to: RefusingSender): CommandSender => {
    const sender = outages.sender(failed.countFailures(to))
    const refused = (actor: ActorAddress, options?: RedeliveryOptions) => {
      const error = to.mayRefuse ? to.refusal(actor, options) : undefined
      if (error === undefined) return undefined
      failed.count(error)
      return rejected(error)
    }
    const refusing: CommandSender = {
      ask: (actor, command, data, options) =>
        refused(actor, options) ?? sender.ask(actor, command, data, options),
      tell: (actor, command, data, options) =>
        refused(actor, options) ?? sender.tell(actor, command, data, options),
    }
    return tracedSender(refusing, origin)
  }
  let router: Router | undefined
  let countedRouter: CommandSender | undefined
  let countedHost: CommandSender | undefined
  return {
    router: () => router,
    owns: actor => router?.isOurs(actor) === true,
    wouldOwn: (actor, version) => router?.versions.wouldOwn(actor, version) === true,
    keeps(actor, neededVersion) {
      router?.versions.learn(actor, neededVersion)
      return router?.isOurs(actor) ?? true
    },
    versions: () => router?.versions,
    async handOver(timeout) {
      if (router === undefined || !isMember) return
      const { versions } = router
      const actors = parts.host().recentActors(handoverActorsMax)
      const read = await handOver({
        transport: open.transport,
        actors,
        nextOwner: actor => versions.nextOwner(actor),
        timeout,
      })
      log.info({ actors: actors.length, read }, 'actors handed over')
    },
    sender: () => countedRouter ?? (countedHost ??= counted(parts.host())),
    uncountedSender() {
      const sender = router ?? parts.host()
      return tracedSender(sender, origin)
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
      router.versions.onLearned(parts.onOwnerChange)
      countedRouter = counted(router)
    },
    stop: ({ left }) => router?.close(left()),
    stats: () => ({ router: router?.stats() ?? noRouting }),
  }
}
